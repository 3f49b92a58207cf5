"""Adapted Wasserstein: published vector, brute force over couplings, theory of the sampling floor."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.optimize import minimize

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation import (
    fitted_adapted_wasserstein,
    gaussian_adapted_wasserstein,
    gaussian_wasserstein,
    sampling_floor,
)
from tsgen.marketdata.known_processes import Arma, VarProcess

POSITIVE, NEGATIVE = np.array([[1.0, 0.9], [0.9, 1.0]]), np.array([[1.0, -0.9], [-0.9, 1.0]])


def random_law(seed, size):
    rng = np.random.default_rng(seed)
    raw = rng.standard_normal((size, size + 2))
    return rng.standard_normal(size), raw @ raw.T / size


def test_published_vector():
    zero = np.zeros(2)
    # 2 + 2 - 2 (1 * |1 - 0.81| + 0.19) = 3.24
    assert gaussian_adapted_wasserstein(zero, POSITIVE, zero, NEGATIVE) ** 2 == pytest.approx(3.24, rel=1e-12)
    assert gaussian_wasserstein(zero, POSITIVE, zero, NEGATIVE) ** 2 == pytest.approx(4 - 4 * np.sqrt(0.19), rel=1e-12)
    assert 4 - 4 * np.sqrt(0.19) == pytest.approx(2.256, abs=5e-4)


def contraction(angles):
    """Every 2 x 2 matrix of spectral norm at most 1: rotation, signed singular values, rotation."""
    left, right, first, second = angles

    def turn(a):
        return np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])

    return turn(left) @ np.diag([np.cos(first), np.cos(second)]) @ turn(right)


def best_bicausal_cost(cov_a, cov_b):
    """Smallest E|x - y|^2 over Gaussian couplings whose innovations are correlated within a period only."""
    factor_a, factor_b = np.linalg.cholesky(cov_a), np.linalg.cholesky(cov_b)

    def joint(angles):
        cross = np.zeros((4, 4))
        cross[:2, :2], cross[2:, 2:] = contraction(angles[:4]), contraction(angles[4:])
        return np.block([[cov_a, factor_a @ cross @ factor_b.T], [factor_b @ cross.T @ factor_a.T, cov_b]])

    difference = np.hstack([np.eye(4), -np.eye(4)])

    def cost(angles):
        return np.trace(difference @ joint(angles) @ difference.T)

    rng = np.random.default_rng(0)
    results = [minimize(cost, rng.uniform(-np.pi, np.pi, 8), method="BFGS") for _ in range(8)]
    best = min(results, key=lambda r: r.fun)
    assert np.linalg.eigvalsh(joint(best.x)).min() > -1e-9  # a joint law indeed
    return best.fun


@pytest.mark.parametrize("seed", [1, 4, 9])
def test_two_assets_two_periods_by_brute_force(seed):
    (_, cov_a), (_, cov_b) = random_law(seed, 4), random_law(seed + 1, 4)
    zero = np.zeros(4)
    squared = gaussian_adapted_wasserstein(zero, cov_a, zero, cov_b, n_assets=2) ** 2
    # BFGS stops at gradients of 1e-5: the cost is then right to about 1e-9
    assert best_bicausal_cost(cov_a, cov_b) == pytest.approx(squared, rel=1e-7)
    # a wrong variant: absolute values of the diagonal instead of nuclear norms of the blocks
    assert gaussian_adapted_wasserstein(zero, cov_a, zero, cov_b, n_assets=1) ** 2 > squared * (1 + 1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_formula_ordering_and_metric(seed):
    laws = [random_law(10 * seed + i, 6) for i in range(3)]
    (mean_a, cov_a), (mean_b, cov_b), _ = laws
    factor_a, factor_b = np.linalg.cholesky(cov_a), np.linalg.cholesky(cov_b)
    constant = ((mean_a - mean_b) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b)
    by_assets = []
    for n in (1, 2, 3, 6):
        blocks = [(factor_a.T @ factor_b)[i : i + n, i : i + n] for i in range(0, 6, n)]
        expected = constant - 2 * sum(np.linalg.norm(b, "nuc") for b in blocks)
        by_assets.append(gaussian_adapted_wasserstein(mean_a, cov_a, mean_b, cov_b, n_assets=n))
        assert by_assets[-1] ** 2 == pytest.approx(expected, rel=1e-10)
    ordinary = gaussian_wasserstein(mean_a, cov_a, mean_b, cov_b)
    root = np.real(sqrtm(cov_a))
    gelbrich = constant - 2 * np.trace(np.real(sqrtm(root @ cov_b @ root)))
    assert ordinary**2 == pytest.approx(gelbrich, rel=1e-9)
    # fewer restrictions on the coupling, smaller distance
    assert by_assets[0] >= by_assets[1] >= ordinary - 1e-12
    assert by_assets[3] == pytest.approx(ordinary, rel=1e-12)
    distances = {
        (i, j): gaussian_adapted_wasserstein(*laws[i], *laws[j], n_assets=2) for i in range(3) for j in range(3)
    }
    assert distances[0, 1] == pytest.approx(distances[1, 0], rel=1e-12)
    assert distances[0, 2] <= distances[0, 1] + distances[1, 2] + 1e-12


def test_zero_exactly_for_equal_laws():
    mean, covariance = random_law(3, 6)
    assert gaussian_adapted_wasserstein(mean, covariance, mean, covariance, n_assets=2) < 1e-14
    assert gaussian_adapted_wasserstein(mean, covariance, mean, covariance * (1 + 1e-9), n_assets=2) > 1e-11
    shift = np.full(6, 1e-10)
    # the mean enters in full, without cancellation
    assert gaussian_adapted_wasserstein(mean + shift, covariance, mean, covariance) == pytest.approx(
        np.sqrt(6) * 1e-10, rel=1e-4
    )


def test_mean_may_have_axes_time_and_asset():
    mean, covariance = random_law(3, 6)
    flat = gaussian_adapted_wasserstein(mean, covariance, np.zeros(6), covariance, n_assets=2)
    assert (
        gaussian_adapted_wasserstein(mean.reshape(3, 2), covariance, np.zeros((3, 2)), covariance, n_assets=2) == flat
    )


@pytest.mark.parametrize("known_mean", [False, True])
@pytest.mark.parametrize("n_assets", [1, 2])
def test_sampling_floor_follows_its_expansion(known_mean, n_assets):
    """To first order ``L_n = L (I + E)``, E lower triangular with variances 1/n, 1/(2n) on the diagonal.

    The optimal coupling turns each diagonal block freely, which makes it symmetric: its off-diagonal pairs, two
    normals of variance 1/(2n) each in place of one of 1/n, are counted below through (i, j) and (j, i).
    """
    if n_assets == 1:
        process, periods = Arma([0.6, -0.3], [0.5, 0.2]), 12
    else:
        process = VarProcess.random_first_order(2, spectral_radius=0.7, rng=np.random.default_rng(1))
        periods = 6
    mean, covariance, n = process.mean(periods), process.covariance(periods), 4000
    factor = np.linalg.cholesky(covariance)
    gram = factor.T @ factor
    expected = 0.0 if known_mean else np.trace(covariance) / n
    for i in range(len(gram)):
        for j in range(len(gram)):
            same_period = i // n_assets == j // n_assets
            # E_ij of a period: symmetric part of a Wishart fluctuation, variance (1 + [i = j]) / (4 n)
            weight = (1.0 + (i == j)) / 4.0 if same_period else float(i > j)
            expected += gram[i, i] * weight / n
    repetitions = 60
    floor = sampling_floor(
        mean,
        covariance,
        n_assets=n_assets,
        n_paths=n,
        repetitions=repetitions,
        rng=np.random.default_rng(2),
        known_mean=known_mean,
    )
    # E[d^2] = mean^2 + variance; relative error z = 5 of the mean, doubled by the square; the expansion is O(T N / n)
    squared = floor.mean**2 + floor.standard_deviation**2
    tolerance = 10 * floor.standard_deviation / floor.mean / np.sqrt(repetitions) + len(gram) / n
    assert squared == pytest.approx(expected, rel=tolerance)


def test_floor_of_arma_training_paths():
    """ARMA(2,2), T = 32, unit variance per period: 2,048 exact paths are 0.088 per root period from their own law."""
    process = Arma([0.6, -0.3], [0.5, 0.2])
    unit = process.covariance(32) / process.covariance(1)[0, 0]
    floor = sampling_floor(np.zeros(32), unit, n_assets=1, n_paths=2048, repetitions=12, rng=np.random.default_rng(0))
    assert floor.mean / np.sqrt(32) == pytest.approx(0.088, abs=0.002)


def test_another_law_is_above_the_floor():
    process, other = Arma([0.6, -0.3], [0.5, 0.2]), Arma([0.5, -0.3], [0.5, 0.2])
    law = (process.mean(16), process.covariance(16))
    rng = np.random.default_rng(3)
    floor = sampling_floor(*law, n_assets=1, n_paths=5000, repetitions=10, rng=rng)
    exact, wrong = (fitted_adapted_wasserstein(p.sample(5000, 16, rng=rng), *law) for p in (process, other))
    assert exact < floor.mean + 5 * floor.standard_deviation
    assert wrong > floor.mean + 5 * floor.standard_deviation


def test_a_wrong_mean_counts_unless_it_is_declared_known():
    rng = np.random.default_rng(4)
    paths = rng.standard_normal((5000, 4, 1))
    shifted = fitted_adapted_wasserstein(paths + 1.0, np.zeros(4), np.eye(4))
    assert shifted == pytest.approx(2.0, abs=5 * 2 / np.sqrt(5000))
    # deviations from the given mean are then variance: 2 instead of 1 and correlation 1/2
    second_moment = gaussian_adapted_wasserstein(np.zeros(4), np.eye(4) + 1.0, np.zeros(4), np.eye(4))
    known = fitted_adapted_wasserstein(paths + 1.0, np.zeros(4), np.eye(4), known_mean=True)
    assert known == pytest.approx(second_moment, rel=0.05)


def test_bad_laws():
    zero, eye = np.zeros(2), np.eye(2)
    with pytest.raises(ShapeError, match="both laws must have the same dimension"):
        gaussian_adapted_wasserstein(zero, eye, np.zeros(3), np.eye(3))
    with pytest.raises(ShapeError, match="both laws must have the same dimension"):
        gaussian_wasserstein(np.zeros(3), eye, zero, eye)
    with pytest.raises(ShapeError, match="the dimension 2 of the laws must be a multiple of n_assets=3"):
        gaussian_adapted_wasserstein(zero, eye, zero, eye, n_assets=3)
    with pytest.raises(ConfigError, match="n_assets must be a positive integer: got 0"):
        gaussian_adapted_wasserstein(zero, eye, zero, eye, n_assets=0)
    with pytest.raises(DataError, match="means must be finite"):
        gaussian_adapted_wasserstein(zero, eye, [0.0, np.nan], eye)
    with pytest.raises(DataError, match="cov_b must be finite"):
        gaussian_wasserstein(zero, eye, zero, np.full((2, 2), np.nan))
    with pytest.raises(DataError, match="cov_a must be symmetric"):
        gaussian_adapted_wasserstein(zero, [[1.0, 0.5], [0.0, 1.0]], zero, eye)
    with pytest.raises(DataError, match="cov_b must be positive definite"):
        gaussian_adapted_wasserstein(zero, eye, zero, [[1.0, 2.0], [2.0, 1.0]])


def test_bad_paths():
    zero, eye = np.zeros(2), np.eye(2)
    rng = np.random.default_rng(0)
    with pytest.raises(ShapeError, match=r"paths must have axes \(path, time, asset\)"):
        fitted_adapted_wasserstein(np.zeros((5, 2)), zero, eye)
    with pytest.raises(DataError, match="paths must be finite: 1"):
        fitted_adapted_wasserstein([[[np.nan], [0.0]]] * 1, zero, eye)
    for count, known_mean in ((2, False), (1, True)):
        with pytest.raises(DataError, match=f"needs at least {count + 1} paths: got {count}"):
            fitted_adapted_wasserstein(rng.standard_normal((count, 2, 1)), zero, eye, known_mean=known_mean)
    with pytest.raises(DataError, match="cov_a must be positive definite"):
        fitted_adapted_wasserstein(np.zeros((5, 2, 1)), zero, eye)  # constant paths
    with pytest.raises(ShapeError, match=r"mean must have shape \(2, 1\)"):
        fitted_adapted_wasserstein(rng.standard_normal((5, 2, 1)), np.zeros(3), np.eye(3))
    with pytest.raises(DataError, match="at least 2 repetitions"):
        sampling_floor(zero, eye, n_assets=1, n_paths=5, repetitions=1, rng=rng)
