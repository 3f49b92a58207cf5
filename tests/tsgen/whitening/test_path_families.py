"""Closed forms for many paths: every fit recovers a law that is known, and the families are told apart."""

import numpy as np
import pytest
import torch

from tsgen.marketdata.known_processes import (
    Arma,
    GarchCcc,
    KernelProcess,
    MarkovSwitchingAr,
    StudentTAr,
    rbf,
)
from tsgen.whitening.linear_prediction_fit import fit_linear_prediction
from tsgen.whitening.path_volatility import VolatilityDynamics, filter_gains
from tsgen.whitening.path_volatility_fit import fit_path_volatility
from tsgen.whitening.path_whitening_choice import SHORTEST_PATHS, choose_family, held_out_losses
from tsgen.whitening.regime_switching import stationary_probabilities
from tsgen.whitening.regime_switching_fit import fit_regime_switching
from tsgen.whitening.stationary_likelihood import n_parameters, stationary_autocovariances
from tsgen.whitening.student_t_likelihood import student_t_parameters
from tsgen.whitening.whitening_protocol import predict_paths

GARCH = GarchCcc([0.02, 0.05], [0.10, 0.15], [0.88, 0.80], [[1.0, 0.5], [0.5, 1.0]], dof=6.0)
SWITCHING = MarkovSwitchingAr([[0.95, 0.05], [0.10, 0.90]], [0.1, -0.2], [[0.3], [-0.2]], [0.6, 1.8])


@pytest.fixture(scope="module")
def garch_paths():
    return GARCH.sample(800, 40, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def garch_fit(garch_paths):
    return fit_path_volatility(garch_paths, fit_linear_prediction(garch_paths))


@pytest.fixture(scope="module")
def switching_paths():
    return SWITCHING.sample(800, 24, rng=np.random.default_rng(1))


@pytest.fixture(scope="module")
def switching_fit(switching_paths):
    return fit_regime_switching(switching_paths)


@pytest.mark.parametrize(("dof", "n_assets"), [(4.0, 1), (8.0, 3)])
def test_student_t_likelihood_recovers_tails_and_scale(dof, n_assets):
    rng = np.random.default_rng(2)
    n = 20_000
    z = rng.standard_normal((n, n_assets)) * np.sqrt(dof / rng.chisquare(dof, size=(n, 1)))
    scale, found = student_t_parameters(z)
    # four standard errors: information of the degrees of freedom at 4 (8) is about 1/60 (1/700) per value
    assert found == pytest.approx(dof, abs=4 * np.sqrt({4.0: 60, 8.0: 700}[dof] / n))
    assert np.diag(scale) == pytest.approx(1.0, abs=4 * np.sqrt(4 / n))


def test_stationary_likelihood_is_sharper_than_averages_over_the_path():
    process, periods = KernelProcess(rbf(length=3.0, nugget=1e-2)), 16
    truth = process.covariance(periods)[0]
    ours, averaged = [], []
    for seed in range(4):
        paths = process.sample(500, periods, rng=np.random.default_rng(seed))
        averages = np.stack(
            [(paths[:, k:] * paths[:, : periods - k]).mean(axis=(0, 1)).reshape(1, 1) for k in range(periods)]
        )
        found = stationary_autocovariances(paths, averages)
        assert found is not None
        ours.append(np.linalg.norm(found[:, 0, 0] - truth))
        averaged.append(np.linalg.norm(averages[:, 0, 0] - truth))
    # in a study of 5 seeds with 2,048 paths the ratio was 0.3 to 0.6
    assert np.mean(ours) < 0.8 * np.mean(averaged)


def test_stationary_likelihood_is_a_stationary_point_of_the_likelihood():
    rng = np.random.default_rng(5)
    paths = rng.standard_normal((300, 5, 2))
    paths[:, 1:] += 0.5 * paths[:, :-1]
    averages = np.stack([np.einsum("sti,stj->ij", paths[:, k:], paths[:, : 5 - k]) / (300 * (5 - k)) for k in range(5)])
    found = stationary_autocovariances(paths, averages)
    assert found is not None
    assert n_parameters(5, 2) == 19
    flat = paths.reshape(300, -1)

    def loss(gamma):
        blocks = [[gamma[i - j] if i >= j else gamma[j - i].T for j in range(5)] for i in range(5)]
        covariance = np.block(blocks)
        return 0.5 * np.linalg.slogdet(covariance)[1] + 0.5 * np.trace(np.linalg.solve(covariance, flat.T @ flat / 300))

    for k, i, j in [(0, 0, 0), (1, 0, 1), (3, 1, 0)]:
        for step in (1e-3, -1e-3):
            moved = found.copy()
            moved[k, i, j] += step
            if k == 0 and i != j:
                moved[k, j, i] += step
            assert loss(moved) > loss(found)


def test_paths_without_any_movement_have_no_stationary_law():
    assert stationary_autocovariances(np.zeros((50, 4, 1)), np.zeros((4, 1, 1))) is None


def test_gain_is_that_of_the_innovations_algorithm():
    # squares as ARMA(1, 1) with phi = .95, theta = -.85, from the stationary start: r_1 of Brockwell and Davis 5.3.5
    phi, beta = 0.95, 0.85
    first = (1 - 2 * phi * beta + beta**2) / (1 - phi**2)
    numbers = [torch.tensor([x], dtype=torch.float64) for x in (1.0, 1.0, phi, beta, first)]
    gains = filter_gains(VolatilityDynamics(*numbers), 200)[:, 0].numpy()
    # oracle: one-step predictors of the process from its autocovariances
    lags = np.arange(12)
    gamma0 = first
    gamma = gamma0 * np.where(lags == 0, 1.0, (phi - beta / first) * phi ** np.maximum(lags - 1, 0))
    for t in (1, 2, 5, 10):
        covariance = gamma[np.abs(np.subtract.outer(np.arange(t), np.arange(t)))]
        nearest = np.linalg.solve(covariance, gamma[1 : t + 1])[0]
        assert gains[t - 1] == pytest.approx(nearest, rel=1e-10)
    assert gains[-1] == pytest.approx(phi - beta, rel=1e-9)


def test_garch_is_recovered_from_a_known_start(garch_fit):
    dynamics = garch_fit.dynamics
    # about four standard errors, seen over seeds: .01 for the persistence, .02 for beta
    assert dynamics.persistence.numpy() == pytest.approx([0.98, 0.95], abs=0.025)
    assert dynamics.memory.numpy() == pytest.approx([0.88, 0.80], abs=0.06)
    assert dynamics.first_ratio.tolist() == [1.0, 1.0]  # the known start was recognised
    correlation = (garch_fit.root @ garch_fit.root.T).numpy()
    assert correlation[0, 1] == pytest.approx(0.5, abs=5 * 0.75 / np.sqrt(800 * 40) * 1.5)


@pytest.mark.slow
def test_unknown_first_variances_raise_the_first_gains():
    process = GarchCcc([0.02], [0.08], [0.90], [[1.0]], dof=8.0)
    paths = process.sample(1000, 260, rng=np.random.default_rng(3))[:, 200:]
    dynamics = fit_path_volatility(paths, fit_linear_prediction(paths)).dynamics
    assert float(dynamics.first_ratio) > 1.05
    assert torch.equal(dynamics.start, dynamics.level)
    assert float(dynamics.persistence) == pytest.approx(0.98, abs=0.015)


def test_regimes_are_recovered(switching_fit):
    numbers = switching_fit.numbers
    calm = int(numbers.covariances[:, 0, 0].argmin())
    order = [calm, 1 - calm]
    assert switching_fit.facts() == {"regimes": 2, "lags": 1, "own_first_periods": 0}
    # four standard errors with 19,000 values, a third of them in the wild regime
    assert numbers.covariances[order, 0, 0].sqrt().numpy() == pytest.approx([0.6, 1.8], rel=0.05)
    assert numbers.coefficients[0, order, 0, 0, 0].numpy() == pytest.approx([0.3, -0.2], abs=0.06)
    assert numbers.transition.diagonal()[order].numpy() == pytest.approx([0.95, 0.90], abs=0.02)
    assert stationary_probabilities(numbers.transition)[calm] == pytest.approx(2 / 3, abs=0.05)


def test_regime_filter_equals_the_filter_of_the_process(switching_fit, switching_paths):
    """With the fitted numbers, the process's own Hamilton filter must predict the same."""
    numbers = switching_fit.numbers
    process = MarkovSwitchingAr(
        numbers.transition.numpy(),
        numbers.intercepts[0, :, 0].numpy(),
        numbers.coefficients[0, :, :, 0, 0].numpy(),
        numbers.covariances[:, 0, 0].sqrt().numpy(),
    )
    assert stationary_probabilities(numbers.transition).numpy() == pytest.approx(process.stationary_probabilities)
    stationary = numbers._replace(start=torch.from_numpy(process.stationary_probabilities.copy()))
    whitening = type(switching_fit)(stationary)
    past = switching_paths[:20, :10]
    state = whitening.start(20)
    for t in range(10):
        state = whitening.observe(state, torch.from_numpy(past[:, t]))
    law, prediction = process.conditional_law(past), whitening.predict(state)
    assert prediction.location.numpy() == pytest.approx(law.mean, abs=1e-10)
    assert prediction.scale.numpy()[:, 0] ** 2 == pytest.approx(law.covariance[:, 0, 0], rel=1e-10)
    losses = held_out_losses(whitening, past, past)
    exact = -np.mean([process.conditional_law(past[:, :t]).log_density(past[:, t]) for t in range(10)], axis=0)
    assert losses == pytest.approx(exact, abs=1e-9)


def test_start_at_the_stationary_law_gets_its_own_first_period():
    late = SWITCHING.sample(3000, 40, rng=np.random.default_rng(4))[:, 28:]
    own = fit_regime_switching(late)
    # the stationary first value is wider than an innovation: zeros before the start would be wrong
    state = own.start(1)
    assert own.predict(state).scale.item() == pytest.approx(late[:, 0].std(), rel=5 * 1.5 / np.sqrt(2 * 3000))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("process", "family"),
    [
        (GARCH, "path_volatility"),
        (SWITCHING, "regime_switching"),
        (StudentTAr([0.5], dof=4.0), "linear_prediction"),
        (Arma((0.6, -0.3), (0.5, 0.2)), "linear_prediction"),
    ],
    ids=["garch", "switching", "heavy tails", "gaussian"],
)
def test_families_are_told_apart(process, family):
    paths = process.sample(700, 24, rng=np.random.default_rng(6))
    whitening, scores = choose_family(paths[:550], paths[550:])
    assert whitening.kind == family
    assert [s.family for s in scores] == ["linear_prediction", "path_volatility", "regime_switching"]
    assert all(s.accepted == (s.difference < -3 * s.standard_error) for s in scores[1:])


def test_short_paths_have_only_the_linear_floor():
    paths = GARCH.sample(200, SHORTEST_PATHS - 1, rng=np.random.default_rng(0))
    _, scores = choose_family(paths[:150], paths[150:])
    assert [s.family for s in scores] == ["linear_prediction"]


def test_whitened_garch_does_not_cluster_any_more(garch_fit, garch_paths):
    def clustering(values):
        size = np.abs(values) - np.abs(values).mean(axis=(0, 1))
        return (size[:, 1:] * size[:, :-1]).mean(axis=(0, 1)) / (size**2).mean(axis=(0, 1))

    values = torch.from_numpy(garch_paths)
    prediction, rows, _ = predict_paths(garch_fit, values, garch_fit.start(len(values)))
    z = ((rows - prediction.location) / prediction.scale).numpy().reshape(40, 800, 2).transpose(1, 0, 2)
    assert clustering(garch_paths).min() > 0.08
    assert np.abs(clustering(z)).max() < 4 / np.sqrt(800 * 39)
