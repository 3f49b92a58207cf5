"""Conditional samples against the conditional law of a normal distribution."""

import numpy as np
import pytest

from portfolio.interop import ScenarioMatrix, ThinConditioningWarning
from portfolio.interop.conditioning import conditioned_sample
from tsgen.errors import ConfigError, DataError

ASSETS = ("A", "B", "C")
MEAN = np.array([0.01, 0.005, 0.0])
COVARIANCE = np.array([[4.0, 2.0, 1.0], [2.0, 3.0, 0.5], [1.0, 0.5, 2.0]]) * 1e-4


def pool(n=20_000, seed=0, probabilities=None):
    rows = np.random.default_rng(seed).multivariate_normal(MEAN, COVARIANCE, size=n)
    p = np.full(n, 1 / n) if probabilities is None else probabilities
    return ScenarioMatrix(np.expm1(rows), p)


def draw(conditioning, n=4000, seed=1, **options):
    return conditioned_sample(pool(**options), conditioning, n, assets=ASSETS, rng=np.random.default_rng(seed))


def conditional_law(columns, values):
    rest = [i for i in range(3) if i not in columns]
    slope = np.linalg.solve(COVARIANCE[np.ix_(columns, columns)], COVARIANCE[np.ix_(columns, rest)])
    mean = MEAN[rest] + (values - MEAN[columns]) @ slope
    return rest, mean, COVARIANCE[np.ix_(rest, rest)] - COVARIANCE[np.ix_(rest, columns)] @ slope


@pytest.mark.parametrize(
    ("columns", "values"), [([0], [-0.03]), ([1], [0.02]), ([0, 2], [-0.02, 0.01]), ([0, 1], [0.0, 0.0])]
)
def test_values_give_the_conditional_normal_law(columns, values):
    values = np.array(values)
    keys = {ASSETS[c]: float(np.expm1(v)) for c, v in zip(columns, values, strict=True)}
    log = np.log1p(draw(keys))
    np.testing.assert_allclose(log[:, columns], np.tile(values, (4000, 1)), atol=1e-12)
    rest, mean, covariance = conditional_law(columns, values)
    # the pool has at least some 700 neighbours behind the 4000 draws: error of a mean at most sd / sqrt(700)
    error = np.sqrt(np.diag(covariance) / 700)
    assert (np.abs(log[:, rest].mean(axis=0) - mean) < 4 * error).all()
    got = np.cov(log[:, rest], rowvar=False).reshape(len(rest), len(rest))
    # error of a variance of n normal draws: variance * sqrt(2 / n)
    assert (np.abs(got - covariance) < 5 * np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)) * 2 / 700)).all()


def test_without_the_regression_the_mean_would_be_wrong():
    # the deliberately wrong variant: nearest outcomes, not moved; a wide neighbourhood pulls the mean to the middle
    log = np.log1p(pool().returns)
    rest, mean, covariance = conditional_law([0], np.array([-0.04]))
    nearest = np.argsort(np.abs(log[:, 0] + 0.04))[:2760]
    wrong = log[nearest][:, rest].mean(axis=0)
    right = np.log1p(draw({"A": float(np.expm1(-0.04))}))[:, rest].mean(axis=0)
    error = np.sqrt(np.diag(covariance) / 700)
    assert (np.abs(right - mean) < 4 * error).all()
    assert np.abs(wrong - mean)[0] > 8 * error[0]


def test_one_value_per_sample():
    wanted = np.expm1(np.linspace(-0.03, 0.04, 300))
    log = np.log1p(draw({0: wanted}, n=300))
    np.testing.assert_allclose(np.expm1(log[:, 0]), wanted, atol=1e-14)
    slope = np.polyfit(log[:, 0], log[:, 1], 1)[0]
    # regression of B on A: slope 2/4, residual variance 2e-4 over 300 points spread with variance 4.1e-4
    assert slope == pytest.approx(0.5, abs=5 * np.sqrt(2e-4 / 300 / 4.1e-4))


def test_bounds_keep_the_law_inside():
    low, high = -np.inf, -0.02
    sample = draw({"A": (low, high)})
    assert (sample[:, 0] <= high).all()
    everything = pool(n=400_000, seed=9).returns
    tail = everything[everything[:, 0] <= high]
    error = tail.std(axis=0) / np.sqrt(1300)  # 20,000 * P(A <= -0.02), some 1,350 outcomes behind the draws
    assert (np.abs(sample.mean(axis=0) - tail.mean(axis=0)) < 4 * error).all()


def test_bounds_and_values_together():
    sample = draw({"A": -0.01, "B": (-0.02, 0.0)})
    np.testing.assert_allclose(sample[:, 0], -0.01, atol=1e-12)
    assert (sample[:, 1] >= -0.02).all()
    assert (sample[:, 1] <= 0.0).all()


def test_probabilities_of_the_pool_count():
    base = pool()
    tilted = np.where(base.returns[:, 2] > 0, 3.0, 1.0)
    tilted /= tilted.sum()
    sample = draw({"A": (-0.5, 0.5)}, probabilities=tilted)
    share = tilted[base.returns[:, 2] > 0].sum()
    assert share > 0.7  # equal weights would give one half
    # systematic resampling is at least as regular as drawing: standard error at most sqrt(0.25 / 4000)
    assert (sample[:, 2] > 0).mean() == pytest.approx(share, abs=4 * np.sqrt(0.25 / 4000))


def test_extremes_are_extrapolated_with_a_warning():
    with pytest.warns(ThinConditioningWarning, match=r"only 0 of 20,000 outcomes come within a standard deviation"):
        sample = draw({"A": -0.30}, n=500)
    np.testing.assert_allclose(sample[:, 0], -0.30, atol=1e-12)
    assert (sample > -1).all()
    mean = conditional_law([0], np.array([np.log(0.7)]))[1]
    # far outside, the slope read off the tail is uncertain: its standard error is about 0.1 over a distance of 0.3
    np.testing.assert_allclose(np.log1p(sample[:, 1:]).mean(axis=0), mean, atol=0.05)
    with pytest.warns(ThinConditioningWarning, match="outcomes lie within the bounds for A"):
        draw({"A": (0.082, 0.2)}, n=50)


@pytest.mark.parametrize(
    ("conditioning", "message"),
    [
        ({}, "must be a dict of asset"),
        ([("A", 0.1)], "must be a dict of asset"),
        ({"Z": 0.1}, "names 'Z', expected a column number or one of A, B, C"),
        ({3: 0.1}, "names 3"),
        ({True: 0.1}, "names True"),
        ({"A": 0.1, 0: 0.2}, "names A twice"),
        ({"A": (0.1, 0.1)}, "low < high"),
        ({"A": (0.1,)}, "low < high"),
        ({"A": (-3.0, -2.0)}, "high above -1"),
        ({"A": (np.nan, 1.0)}, "low < high"),
        ({"A": -1.0}, "simple return above -1"),
        ({"A": np.nan}, "simple return above -1"),
        ({"A": "down"}, "simple return above -1"),
        ({"A": np.zeros(7)}, "an array of 4000 returns"),
    ],
)
def test_conditions_that_are_none(conditioning, message):
    with pytest.raises(ConfigError, match=message):
        draw(conditioning)


def test_conditions_that_cannot_be_met():
    with pytest.raises(DataError, match="none of 20,000 outcomes lies within the bounds given for A"):
        draw({"A": (0.5, 0.6)})
    with pytest.raises(DataError, match="no outcome meets values and bounds together"):
        # B is a copy of A, so that A = 0 leaves no room for B
        rows = pool().returns[:, [0, 0, 2]]
        copied = ScenarioMatrix(rows, np.full(len(rows), 1 / len(rows)))
        wanted = {"A": 0.0, "B": (0.02, 0.03)}
        conditioned_sample(copied, wanted, 10, assets=ASSETS, rng=np.random.default_rng(0))


def test_an_asset_that_does_not_move_can_be_given():
    rows = pool().returns
    rows[:, 2] = 0.01
    flat = ScenarioMatrix(rows, np.full(len(rows), 1 / len(rows)))
    sample = conditioned_sample(flat, {"A": 0.0, "C": 0.01}, 100, assets=ASSETS, rng=np.random.default_rng(0))
    np.testing.assert_allclose(sample[:, [0, 2]], np.tile([0.0, 0.01], (100, 1)), atol=1e-12)
