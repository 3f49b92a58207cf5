"""Path functionals by hand, ranks against scipy, and what only conditional ranks can see."""

import numpy as np
import pytest
from scipy import stats

from tests.support.volatile_windows import right_pairs, wrong_pairs
from tsgen.errors import ConfigError, DataError
from tsgen.evaluation import path_functionals, results_by_name
from tsgen.evaluation.path_functionals import equally_weighted, functional_values, ranks_within_units


def test_functionals_by_hand():
    path = np.array([[0.10], [-0.20], [0.05], [-0.10]])
    wealth = np.array([1.0, 1.1, 0.88, 0.924, 0.8316])
    drawdown = max(1 - wealth[i:].min() / wealth[i] for i in range(5))
    assert functional_values(path, "maximum drawdown", kind="simple")[0] == pytest.approx(drawdown, rel=1e-12)
    assert functional_values(path, "terminal return", kind="simple")[0] == pytest.approx(wealth[-1] - 1, rel=1e-12)
    assert functional_values(path, "realised volatility", kind="simple")[0] == pytest.approx(
        np.sqrt((0.01 + 0.04 + 0.0025 + 0.01) / 4), rel=1e-12
    )
    # a path that only falls: the start is its peak
    assert functional_values(-np.abs(path), "maximum drawdown", kind="simple")[0] == pytest.approx(
        1 - 0.9 * 0.8 * 0.95 * 0.9, rel=1e-12
    )
    log_path = np.log1p(path)
    for functional in ("maximum drawdown", "terminal return"):
        assert functional_values(log_path, functional, kind="log") == pytest.approx(
            functional_values(path, functional, kind="simple"), rel=1e-12
        )


def test_portfolio_is_rebalanced_in_simple_returns():
    simple = np.array([[0.1, -0.3]])
    assert equally_weighted(np.log1p(simple), kind="log") == pytest.approx(np.log1p([[-0.1]]), rel=1e-12)


def test_ranks_agree_with_scipy_and_ties_are_broken_fairly():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((7, 5, 2))
    expected = (stats.rankdata(values, axis=1) - 0.5) / 5
    np.testing.assert_allclose(ranks_within_units(values, rng=rng), expected)
    tied = ranks_within_units(np.zeros((4000, 4, 1)), rng=rng)[:, 0, 0]
    assert stats.chisquare(np.unique(tied, return_counts=True)[1]).pvalue > 1e-4


def test_only_ranks_see_a_look_ahead():
    results = results_by_name(path_functionals(wrong_pairs("look-ahead", seed=0), seed=0))
    assert results["rank of realised volatility, portfolio"].verdict == "above floor"
    assert results["rank of terminal return, assets"].verdict == "above floor"
    assert results["law of terminal return, assets"].verdict != "above floor"


def test_refusals():
    with pytest.raises(ConfigError, match=r"functional must be one of maximum drawdown, .* got 'sum'"):
        functional_values(np.zeros((3, 1)), "sum", kind="log")
    with pytest.raises(DataError, match="path functionals needs windows of at least 2 periods: got 1"):
        path_functionals(right_pairs(10, 3, 1, 1, seed=0), seed=0)
    with pytest.raises(DataError, match="above -1"):
        functional_values(np.array([[-1.5]]), "terminal return", kind="simple")
