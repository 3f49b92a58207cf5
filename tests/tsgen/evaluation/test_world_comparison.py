"""Floors from exchangeable worlds: algebra, agreement with theory, refusals."""

import numpy as np
import pytest
from scipy import stats

from tsgen.errors import ConfigError, DataError
from tsgen.evaluation import ComparisonEffort
from tsgen.evaluation.world_comparison import compare_worlds, root_mean_square


def mean(world):
    return world.mean(axis=0, keepdims=True)


def test_difference_is_realised_minus_generated_average():
    rng = np.random.default_rng(0)
    members = rng.standard_normal((30, 6))
    comparison = compare_worlds(members, mean, rng=rng)
    assert comparison.difference[0] == pytest.approx(members[:, 0].mean() - members[:, 1:].mean(), abs=1e-14)
    assert comparison.realised[0] == pytest.approx(members[:, 0].mean(), abs=1e-14)
    assert comparison.null.shape == (99, 1)
    assert comparison.resampled.shape == (40, 1)


def test_null_and_bootstrap_spread_match_theory():
    rng = np.random.default_rng(1)
    n, m = 200, 15
    effort = ComparisonEffort(null_worlds=2000, resamples=500, reference_worlds=15)
    comparison = compare_worlds(rng.standard_normal((n, 1 + m)), mean, rng=rng, effort=effort)
    # variance of a mean of n minus a mean of n m standard normals; sampling error of sd: 1 / sqrt(2 * 500) = 3 %,
    # of the variance in the data itself: 1 / sqrt(2 n) = 5 %
    expected = np.sqrt((1 + 1 / m) / n)
    assert comparison.null.std() == pytest.approx(expected, rel=0.1)
    assert comparison.resampled.std() == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize("m", [1, 9])
def test_rejects_at_the_nominal_level(m):
    rng = np.random.default_rng(2)
    rejected = 0
    for _ in range(300):
        # units of very different scale, as calm and stormy dates
        members = rng.standard_normal((25, 1 + m)) * np.exp(rng.standard_normal((25, 1)))
        comparison = compare_worlds(members, mean, rng=rng, effort=ComparisonEffort(null_worlds=39, resamples=10))
        result = comparison.measure(root_mean_square, group="g", metric="m")
        rejected += result.verdict == "above floor"
    # p <= 0.05 of 40 ranks: 2/40
    assert stats.binomtest(rejected, 300, 0.05).pvalue > 1e-3


def test_a_shift_is_seen():
    rng = np.random.default_rng(3)
    members = rng.standard_normal((100, 10))
    members[:, 0] += 0.6  # six standard errors
    result = compare_worlds(members, mean, rng=rng).measure(root_mean_square, group="g", metric="m")
    assert result.verdict == "above floor"
    assert result.p_value == pytest.approx(0.01)
    assert result.n == 100
    assert result.standard_error == pytest.approx(0.1, rel=0.4)


def test_refusals():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="a statistic of the windows is not finite"):
        compare_worlds(np.zeros((10, 3)), lambda world: np.array([np.nan]), rng=rng)
    with pytest.raises(ConfigError, match="null_worlds must be an integer of at least 19: got 5"):
        ComparisonEffort(null_worlds=5)
    with pytest.raises(ConfigError, match="resamples must be an integer of at least 10"):
        ComparisonEffort(resamples=True)
    with pytest.raises(ConfigError, match="reference_worlds must be a positive integer"):
        ComparisonEffort(reference_worlds=0)
