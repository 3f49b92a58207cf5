"""The stopping rule: the equation it solves, signal and noise from data, and what it is worth on known laws."""

import math

import numpy as np
import pytest
import torch

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.training.early_stopping import (
    critical_time,
    estimated_radius,
    expected_risk,
    local_complexity,
    stopping_time,
)
from tsgen.training.noise_level import SpectralRegression, _shared_variance, spectral_regression


def _normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_critical_time_solves_the_equation():
    eigenvalues = 1.0 / torch.arange(1, 200, dtype=torch.float64) ** 2
    variances = torch.full_like(eigenvalues, 0.5**2 / 300)
    time = critical_time(eigenvalues, variances, radius=1.0, constant=2 * math.e)
    # Raskutti, Wainwright, Yu: sqrt(mean of min(lambda, 1/t) over n) = 1 / (2 e sigma t)
    left = math.sqrt(float(eigenvalues.clamp(max=1 / time).sum()) / 300)
    assert left == pytest.approx(1 / (2 * math.e * 0.5 * time), rel=1e-8)


def test_critical_time_before_the_first_eigenvalue_saturates():
    values, noise = torch.tensor([0.5, 0.1]).double(), torch.tensor([10.0, 10.0]).double()
    # t < 1 / 0.5: the complexity is sqrt(sum w lambda) = sqrt(6)
    assert critical_time(values, noise, radius=1.0, constant=1.0) == pytest.approx(6**-0.5, rel=1e-8)


def test_more_data_less_noise_and_larger_signals_train_longer():
    values = 1.0 / torch.arange(1, 100, dtype=torch.float64) ** 2
    noise = torch.full_like(values, 1e-3)
    base = critical_time(values, noise)
    assert critical_time(values, noise / 4) > base
    assert critical_time(values, noise, radius=2.0) > base
    assert critical_time(values, 0 * noise) == math.inf
    assert critical_time(values, noise, radius=0.0) == 0.0
    assert local_complexity(values, noise, base) == pytest.approx(1.0 / (2.0 * math.e * base), rel=1e-8)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((torch.ones(2), torch.ones(3)), ShapeError, "one entry per direction"),
        ((torch.ones(0), torch.ones(0)), ShapeError, "one entry per direction"),
        ((torch.tensor([1.0, 0.0]), torch.ones(2)), ConfigError, "eigenvalues must be positive"),
        ((torch.ones(2), torch.tensor([1.0, -1.0])), ConfigError, "eigenvalues must be positive"),
    ],
)
def test_bad_spectra_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        critical_time(*arguments)


@pytest.mark.parametrize("change", [{"radius": -1.0}, {"radius": math.nan}, {"constant": 0.0}])
def test_bad_numbers_are_refused(change):
    with pytest.raises(ConfigError, match="radius must be 0 or more and constant positive"):
        critical_time(torch.ones(2), torch.ones(2), **change)


def _polynomial_features(n, degree=30, seed=0):
    """Random Fourier-like features with decaying eigenvalues 1, 1/4, 1/9, ..."""
    angle = 2 * math.pi * torch.rand(n, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    k = torch.arange(1, degree + 1)
    return torch.cat([torch.cos(k * angle) / k, torch.sin(k * angle) / k], dim=1) * 2**0.5


def test_noise_level_and_radius_are_recovered():
    n = 4000
    features = _polynomial_features(n)
    weights = torch.zeros(60, 1).double()
    weights[0], weights[31] = 1.5, -2.0  # norm sqrt(1.5^2 + 2^2) = 2.5
    labels = features @ weights + 0.7 * _normal(n, 1, seed=1)
    found = spectral_regression(features, labels)
    assert found.noise_level == pytest.approx(0.7, abs=5 * 0.7 / math.sqrt(2 * n))
    # shrinkage takes a little, the noise of n labels adds a little
    assert estimated_radius(found) == pytest.approx(2.5, rel=0.1)
    assert found.eigenvalues[:2].tolist() == pytest.approx([1.0, 1.0], rel=0.1)


def test_pure_noise_is_left_alone():
    features = _polynomial_features(1000)
    times = [stopping_time(spectral_regression(features, _normal(1000, 1, seed=s))).time for s in range(1, 9)]
    # eight draws: at most a few noisy directions, never those with eigenvalues of a tenth of the largest
    assert sorted(times)[4] < 3.0


def test_copies_of_one_observation_are_not_independent_labels():
    n, copies = 300, 4
    base = _polynomial_features(n)
    features = base.repeat_interleave(copies, dim=0)
    shared = _normal(n, 1, seed=3).repeat_interleave(copies, dim=0)
    own = _normal(n * copies, 1, seed=5)
    clustered = spectral_regression(features, 0.6 * shared + 0.8 * own, copies=copies)
    naive = spectral_regression(features, 0.6 * shared + 0.8 * own)
    # variance of a coefficient: (0.36 + 0.64 / 4) / n against 1 / (4 n)
    ratio = float((clustered.coefficient_variance / naive.coefficient_variance).mean())
    assert ratio == pytest.approx(4 * (0.36 + 0.16), rel=0.25)
    # fresh noise at every step leaves only the shared part, 0.36 / n
    assert float(clustered.stopping_variance.mean()) == pytest.approx(0.36 / n, rel=0.25)
    assert clustered.noise_level == pytest.approx(1.0, rel=0.1)
    more = spectral_regression(features, 0.6 * shared + 0.8 * own, copies=copies, n_observations=10 * n)
    assert torch.allclose(more.stopping_variance * 10, clustered.stopping_variance)


def test_shared_variance_is_the_mean_product_of_two_copies():
    """Two copies, four observations, six directions; products of the copies by hand."""
    first = torch.tensor([[1.0, 2.0, 0.5, -1.0, 1.0, 3.0]]).double().expand(4, -1)
    second = torch.tensor([[0.3, 0.1, 0.4, -0.2, 0.6, 0.1]]).double().expand(4, -1)
    found = _shared_variance(first**2 + second**2, (first + second) ** 2, 2)
    # 0.3, 0.2, 0.2, 0.2, 0.6, 0.3; from the fifth direction on averaged with one neighbour on each side that exists
    assert found.tolist() == pytest.approx([0.3, 0.2, 0.2, 0.2, (0.2 + 0.6 + 0.3) / 3, (0.6 + 0.3) / 2])
    flipped = second * torch.tensor([1.0, -1.0, 1.0, -1.0]).double()[:, None]
    floor = _shared_variance(first**2 + flipped**2, (first + flipped) ** 2, 2)
    # products of either sign: mean zero, standard deviation 0.3 sqrt(4 / 3), over four observations
    assert float(floor[0]) == pytest.approx(0.3 * (4 / 3) ** 0.5 / 2)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1])
def test_what_copies_share_is_known_to_a_small_part_of_the_noise(share):
    n, copies, means = 1000, 16, []
    for seed in range(10):
        base = _polynomial_features(n, degree=10, seed=seed).repeat_interleave(copies, dim=0)
        features = base + _polynomial_features(n * copies, degree=10, seed=seed + 50)
        shared = _normal(n, 1, seed=seed + 100).repeat_interleave(copies, dim=0)
        labels = share**0.5 * shared + (1.0 - share) ** 0.5 * _normal(n * copies, 1, seed=seed + 200)
        unit = (features / features.square().mean(dim=0).sqrt()).view(n, copies, -1)
        pairs = (unit.sum(dim=1).square() - unit.square().sum(dim=1)) / (copies * (copies - 1))
        found = spectral_regression(features, labels, copies=copies).stopping_variance * n
        means.append(float(found.mean()) - share * float(pairs.mean()))
        assert float(found.min()) > 0.0  # descent ends some time
    # never below its error, sqrt(2 / 1000) / 15 = 0.003 of the noise in one direction: that much too high at most
    error = float(np.std(means, ddof=1)) / 10**0.5
    assert -4 * error - 0.02 * share < np.mean(means) < 4 * error + 0.003  # 20 of 1,000 observations are fitted away


def test_bad_regressions_are_refused():
    with pytest.raises(ShapeError, match="features and labels need one row per noised copy"):
        spectral_regression(torch.ones(10, 2), torch.ones(9, 1))
    with pytest.raises(ShapeError, match="3 in a row per observation"):
        spectral_regression(torch.ones(100, 2), torch.ones(100, 1), copies=3)
    with pytest.raises(DataError, match="at least 20 observations: got 10"):
        spectral_regression(_normal(40, 2), _normal(40, 1), copies=4)


def _known(signal, variance, eigenvalue=2.0):
    one = torch.ones(1, dtype=torch.float64)
    return SpectralRegression(
        eigenvalue * one, signal**0.5 * one[:, None], 1.0, variance * one, variance * one, 1.0, signal * one
    )


def test_risk_is_squared_bias_plus_variance():
    times = torch.tensor([0.0, 0.5, 50.0])
    left = torch.exp(-2.0 * times.double())
    expected = 3.0 * left**2 + 0.4 * (1.0 - left) ** 2
    assert torch.allclose(expected_risk(_known(3.0, 0.4), times), expected, rtol=1e-12)


def test_stop_is_where_the_risk_is_least():
    # one direction: the best shrinkage leaves w / (theta^2 + w) = exp(-lambda t) of the coefficient
    for signal, variance in ((3.0, 0.4), (0.2, 0.1), (40.0, 0.01)):
        time = -math.log(variance / (signal + variance)) / 2.0
        assert stopping_time(_known(signal, variance)).time == pytest.approx(time, rel=1e-3)
    assert stopping_time(_known(0.0, 0.4)).time == 0.0
    assert stopping_time(_known(3.0, 0.0)).time == math.inf


def test_bounds_cross_before_the_risk_is_least():
    """The worst case over all functions of the norm is never later than the optimum for this one."""
    for seed in range(5):
        features = _polynomial_features(800, seed=seed)
        labels = features @ _normal(60, 1, seed=seed + 50) + _normal(800, 1, seed=seed + 90)
        stop = stopping_time(spectral_regression(features, labels))
        assert 0.0 < stop.critical_time < stop.time


def test_noised_copies_sharpen_the_signal_of_labels_that_are_drawn_once():
    """True coefficients 1 and 0: with 16 copies the estimates of both are 16 times less noisy."""
    n, copies = 200, 16
    features = _polynomial_features(n, degree=5, seed=3)
    repeated = features.repeat_interleave(copies, dim=0)
    labels = repeated[:, :1] + 3.0 * _normal(n * copies, 1, seed=8)
    found = spectral_regression(repeated, labels, copies=copies, fixed_labels=True)
    # what training sees has the noise of single labels, 9 / n; what is known of the coefficients a sixteenth of it
    assert float(found.stopping_variance.mean()) == pytest.approx(9.0 / n, rel=0.1)
    assert float(found.coefficient_variance.mean()) == pytest.approx(9.0 / n / copies, rel=0.3)
    fresh = spectral_regression(repeated, labels, copies=copies)
    assert torch.allclose(fresh.signal, found.signal)
    assert bool((fresh.stopping_variance < found.stopping_variance).all())


def test_stopped_descent_is_near_the_best_and_beats_the_end():
    """Kernel regression on a rough function: the whole error curve in closed form, eight samples."""
    ratios, ends, wrong = [], [], []
    for seed in range(8):
        n = 400
        features = _polynomial_features(n, degree=150, seed=seed)
        weights = _normal(300, 1, seed=seed + 100)
        truth = features @ weights
        labels = truth + _normal(n, 1, seed=seed + 200)
        values, vectors = torch.linalg.eigh(features @ features.T / n)
        values = values.clamp_min(1e-15)

        def error(time, values=values, vectors=vectors, labels=labels, truth=truth):
            fit = vectors @ (-torch.expm1(-time * values)[:, None] * (vectors.T @ labels))
            return float((fit - truth).square().mean().sqrt())

        best = min(error(10 ** (k / 20)) for k in range(-40, 160, 4))
        regression = spectral_regression(features, labels)
        ratios.append(error(stopping_time(regression).time) / best)
        quiet = regression._replace(stopping_variance=0.01 * regression.stopping_variance)
        wrong.append(error(stopping_time(quiet).time) / best)
        ends.append(error(1e8) / best)
    assert sum(ratios) / 8 < 1.05
    assert max(ratios) < 1.15
    assert min(ends) > max(ratios)
    assert sum(wrong) / 8 > 1.3
