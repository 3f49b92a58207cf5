"""Dependence metrics against numpy, scipy and copula theory."""

import numpy as np
import pytest
from scipy import stats

from tests.support.volatile_windows import right_pairs
from tsgen.errors import DataError
from tsgen.evaluation import PairedWindows, dependence, results_by_name
from tsgen.evaluation.dependence import pearson_correlations, tail_dependence


def gaussian_pairs(correlation, generated_correlation, n_units=150):
    rng = np.random.default_rng(0)

    def draw(rho, *shape):
        return rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], shape)

    return PairedWindows(
        realised=draw(correlation, n_units, 4),
        generated=draw(generated_correlation, n_units, 12, 4),
        assets=("A", "B"),
        kind="log",
    )


def test_pearson_agrees_with_numpy():
    world = np.random.default_rng(0).standard_normal((20, 5, 4))
    expected = np.corrcoef(world.reshape(-1, 4).T)[np.triu_indices(4, k=1)]
    np.testing.assert_allclose(pearson_correlations(world), expected, atol=1e-12)


def test_distances_against_other_libraries():
    pairs = gaussian_pairs(0.8, 0.2)
    results = results_by_name(dependence(pairs, seed=0))
    real, fake = pairs.realised.reshape(-1, 2), pairs.generated.reshape(-1, 2)
    # the average over generated worlds differs from the correlation of all of them by its bias, O(1/n) = 1/600
    pearson = np.corrcoef(real.T)[0, 1] - np.corrcoef(fake.T)[0, 1]
    assert results["Pearson"].value == pytest.approx(abs(pearson), abs=3e-3)
    spearman = stats.spearmanr(real).statistic - stats.spearmanr(fake).statistic
    assert results["Spearman"].value == pytest.approx(abs(spearman), abs=3e-3)
    pool = np.cov(np.concatenate([real, fake]).T)
    covariance = np.linalg.norm(np.cov(real.T) - np.cov(fake.T)) / np.linalg.norm(pool)
    assert results["covariance"].value == pytest.approx(covariance, abs=5e-3)
    assert {r.verdict for r in results.values()} == {"above floor"}


def test_right_correlation_stays_at_floor():
    results = dependence(gaussian_pairs(0.5, 0.5), seed=0)
    assert "above floor" not in {r.verdict for r in results}


def test_tail_dependence_of_gaussian_copula():
    rng = np.random.default_rng(0)
    draws = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 200_000)
    uniforms = stats.rankdata(draws, axis=0) / (len(draws) + 1)
    expected = stats.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]]).cdf([stats.norm.ppf(0.05)] * 2) / 0.05
    # binomial error of 200,000 * 0.05 * expected joint events: 1.5 %
    assert tail_dependence(uniforms, 0.05)[0] == pytest.approx(expected, rel=0.06)
    # a comonotone pair and the wrong tail of a one-sided dependence
    assert tail_dependence(np.hstack([uniforms[:, :1]] * 2), 0.05)[0] == pytest.approx(1.0, abs=1e-3)


def test_stale_asset_is_refused():
    rng = np.random.default_rng(0)
    realised, generated = rng.standard_normal((10, 4, 2)), rng.standard_normal((10, 3, 4, 2))
    generated[:, 1, :, 0] = 1.0
    pairs = PairedWindows(realised=realised, generated=generated, assets=("A", "B"), kind="log")
    with pytest.raises(DataError, match="a statistic of the windows is not finite"):
        dependence(pairs, seed=0)


def test_one_asset_is_refused():
    with pytest.raises(DataError, match=r"dependence across assets .* needs at least 2: got 1"):
        dependence(right_pairs(20, 4, 5, 1, seed=0), seed=0)
