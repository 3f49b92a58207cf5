"""Marginal metrics against closed forms and scipy."""

import numpy as np
import pytest
from scipy import stats

from tests.support.volatile_windows import right_pairs
from tsgen.errors import ConfigError, DataError
from tsgen.evaluation import PairedWindows, marginal_law, results_by_name
from tsgen.evaluation.marginal_law import hill_indices


def pairs_of(realised, generated):
    assets = tuple(f"A{i}" for i in range(realised.shape[-1]))
    return PairedWindows(realised=realised, generated=generated, assets=assets, kind="log")


@pytest.fixture(scope="module")
def shifted():
    rng = np.random.default_rng(0)
    return pairs_of(0.5 + rng.standard_normal((100, 10, 1)), rng.standard_normal((100, 10, 10, 1)))


def test_ks_agrees_with_scipy(shifted):
    result = results_by_name(marginal_law(shifted, seed=0))["KS pooled"]
    # 256 cells: each distribution function is right to 1/512 of its own probability
    reference = stats.ks_2samp(shifted.realised.ravel(), shifted.generated.ravel()).statistic
    assert result.value == pytest.approx(reference, abs=2 / 256)
    assert result.verdict == "above floor"
    # the null: sup of a bridge, mean 0.8687 / sqrt(n_eff); 99 draws of sd 0.26 leave 3 % of it
    effective = 1000 * 10000 / 11000
    assert result.floor == pytest.approx(0.8687 / np.sqrt(effective), rel=0.15)


def test_quantile_differences_have_the_size_of_the_shift(shifted):
    results = results_by_name(marginal_law(shifted, seed=0))
    deviation = shifted.members.std()
    # sd of the median of 1000 normals: 1.25 / sqrt(1000) = 0.04
    assert results["quantile 50 %"].value == pytest.approx(0.5 / deviation, abs=0.2)
    assert "realised minus generated, mean over assets: +" in results["quantile 50 %"].note


def test_hill_index_of_pareto_tails():
    rng = np.random.default_rng(0)
    draws = rng.pareto(3.0, (20000, 1, 2)) * rng.choice([-1, 1], (20000, 1, 2))
    # exact Pareto beyond a threshold in the Lomax limit: bias grows with the threshold share, k = 1000: error 3 %
    exact = (rng.pareto(3.0, (20000, 1, 2)) + 1) * rng.choice([-1, 1], (20000, 1, 2))
    np.testing.assert_allclose(hill_indices(exact), 1 / 3, rtol=5 / np.sqrt(1000))
    assert hill_indices(draws).shape == (2, 2)


def test_tails_of_each_side_are_told_apart():
    rng = np.random.default_rng(1)
    normal = rng.standard_normal((100, 11, 20, 1))
    heavy = rng.standard_t(2.5, (100, 20, 1))
    realised = np.where(normal[:, 0] < 0, -np.abs(heavy), normal[:, 0])
    results = results_by_name(marginal_law(pairs_of(realised, normal[:, 1:]), seed=0))
    assert results["tail index lower"].verdict == "above floor"
    assert results["tail index upper"].verdict != "above floor"


def test_dated_windows_also_in_units_of_the_date():
    names = set(results_by_name(marginal_law(right_pairs(30, 8, 10, 2, seed=0), seed=0)))
    assert {"KS pooled", "KS pooled, in units of the date", "tail index lower, in units of the date"} <= names


def test_same_seed_same_results(shifted):
    assert marginal_law(shifted, seed=4) == marginal_law(shifted, seed=4)


def test_refusals(shifted):
    rng = np.random.default_rng(0)
    few = pairs_of(rng.standard_normal((10, 10, 1)), rng.standard_normal((10, 3, 10, 1)))
    with pytest.raises(DataError, match="at least 200 returns per asset: got 10 units x 10 periods = 100"):
        marginal_law(few, seed=0)
    with pytest.raises(ConfigError, match="seed must be a non-negative integer"):
        marginal_law(shifted, seed=-1)
    stale = np.abs(rng.standard_normal((100, 10, 1)))
    with pytest.raises(DataError, match="reaches beyond the centre of the law"):
        hill_indices(stale)
