"""Least squares: exact without noise, within its standard errors with noise, refused where it cannot know."""

import numpy as np
import pytest

from portfolio.dynamic.feature_maps import KernelFeatures, NoFeatures
from portfolio.dynamic.system_identification import fit_linear_dynamics, identify_system
from tsgen.errors import DataError, ShapeError


def trajectories(noise, seed, n_paths=60, n_steps=15):
    rng = np.random.default_rng(seed)
    a, b, c = 0.5 * rng.normal(size=(2, 2)), rng.normal(size=(2, 1)), rng.normal(size=(2, 3))
    features = KernelFeatures(centres=rng.normal(size=(3, 2)), width=1.0, strength=0.3)
    x = np.empty((n_paths, n_steps + 1, 2))
    x[:, 0], u = rng.normal(size=(n_paths, 2)), rng.normal(size=(n_paths, n_steps, 1))
    for t in range(n_steps):
        x[:, t + 1] = x[:, t] @ a.T + u[:, t] @ b.T + features.value(x[:, t]) @ c.T
        x[:, t + 1] += noise * rng.normal(size=(n_paths, 2))
    return x, u, features, (a, b, c)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_exact_without_noise(seed):
    x, u, features, (a, b, c) = trajectories(0.0, seed)
    found = identify_system(x, u, features)
    for mine, truth in zip(
        (found.system.transition, found.system.control, found.system.nonlinear), (a, b, c), strict=True
    ):
        np.testing.assert_allclose(mine, truth, atol=1e-11)
    assert np.abs(found.residuals).max() < 1e-12
    # variant that must fail: the linear model alone
    linear = identify_system(x, u, NoFeatures(n_inputs=2))
    assert np.abs(linear.residuals).max() > 1e-2


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_errors_are_those_of_theory(seed):
    x, u, features, (a, b, c) = trajectories(0.1, seed)
    found = identify_system(x, u, features)
    design = np.concatenate([x[:, :-1], u, features.value(x[:, :-1])], axis=2).reshape(-1, 6)
    errors = 0.1 * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    system = found.system
    mine = np.hstack([system.transition, system.control, system.nonlinear])
    scores = (mine - np.hstack([a, b, c])) / errors
    assert np.abs(scores).max() < 4.5
    np.testing.assert_allclose(np.diag(found.noise_covariance), 0.01, rtol=5 * np.sqrt(2 / 900))


def test_probabilities_count_like_copies():
    x, u, features, _ = trajectories(0.1, 0, n_paths=3)
    twice = identify_system(np.concatenate([x, x[:1]]), np.concatenate([u, u[:1]]), features)
    weighted = identify_system(x, u, features, probabilities=[0.5, 0.25, 0.25])
    np.testing.assert_allclose(weighted.system.transition, twice.system.transition, rtol=1e-10)


def test_what_cannot_be_told_apart_is_refused():
    x, u, features, _ = trajectories(0.0, 0)
    gain = np.array([[0.3, -0.1]])
    feedback = x[:, :-1] @ gain.T
    with pytest.raises(DataError, match="independent inputs: their condition number"):
        identify_system(x, feedback, features)
    with pytest.raises(DataError, match="number 2 is always zero"):
        identify_system(x, 0 * u, features)
    with pytest.raises(DataError, match="more rows than inputs: got 2 rows, 6 inputs"):
        identify_system(x[:1, :3], u[:1, :2], features)
    with pytest.raises(ShapeError, match="controls"):
        identify_system(x, u[:, :-1], features)
    empty = fit_linear_dynamics(np.zeros((4, 0)), np.ones((4, 1)))
    assert empty.coefficients.shape == (1, 0)
