"""Chains against the exact velocity and score of another module, and against the law they approximate."""

import numpy as np
import pytest

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata.known_processes import Arma, GaussianPath, VarProcess
from tsgen.steering.linear_quadratic import (
    LinearChain,
    LinearControl,
    angle_chain,
    conditionals,
    denoising_chain,
    geometric_alpha_bars,
    law_of_chain,
    process_conditionals,
    states_of_chain,
    uniform_angles,
)

ASSETS, PERIODS = 2, 3


def var():
    return VarProcess.random_first_order(ASSETS, spectral_radius=0.7, rng=np.random.default_rng(3))


def state_in_period(period, rng):
    z = np.zeros(ASSETS * PERIODS)
    z[: ASSETS * (period + 1)] = rng.standard_normal(ASSETS * (period + 1))
    return z


@pytest.mark.parametrize("period", range(PERIODS))
def test_angle_step_uses_the_exact_velocity_given_the_past(period):
    rng, process = np.random.default_rng(0), var()
    angles = uniform_angles(5)
    chain = angle_chain(process_conditionals(process, PERIODS), angles)
    path = GaussianPath.of(process, PERIODS)
    for k in range(1, 5):
        z = state_in_period(period, rng)
        now = slice(ASSETS * period, ASSETS * (period + 1))
        law = path.conditional_law(z[: ASSETS * period].reshape(1, period, ASSETS))
        tau, then = angles[k], angles[k + 1]
        velocity = law.velocity(z[now][None], np.array([tau]))[0]
        rho = np.cos(tau) / np.cos(then)
        moved = rho * z[now] - np.cos(then) * (1 - rho**2) / np.sin(tau) * velocity
        s = period * 5 + k
        np.testing.assert_allclose((chain.transition[s] @ z + chain.offset[s])[now], moved, atol=1e-13)
        np.testing.assert_allclose(chain.noise[s][now], np.sqrt(1 - rho**2) * np.eye(ASSETS), atol=1e-15)
        # nothing else moves
        np.testing.assert_array_equal((chain.transition[s] @ z)[: ASSETS * period], z[: ASSETS * period])


def test_denoising_step_uses_the_exact_score():
    process, shares = Arma((0.6,), (), start="stationary"), geometric_alpha_bars(6)
    chain = denoising_chain(process_conditionals(process, 2), shares)
    path, z = GaussianPath.of(process, 2), np.array([0.7, -1.3])
    for k, share in enumerate(shares):
        alpha = share / [*shares[1:], 1.0][k]
        law = path.conditional_law(z[:1].reshape(1, 1, 1))
        score = law.noised_score(z[1:][None], np.array([np.arccos(np.sqrt(share))]))[0, 0]
        moved = (z[1] + (1 - alpha) * score) / np.sqrt(alpha)
        s = 7 + 1 + k
        assert (chain.transition[s] @ z + chain.offset[s])[1] == pytest.approx(moved, abs=1e-12)
        assert chain.noise[s, 1, 0] == pytest.approx(np.sqrt(1 - alpha))
    assert not chain.controlled[0]
    assert chain.controlled[1:7].all()


@pytest.mark.parametrize("make", [lambda laws, k: angle_chain(laws, uniform_angles(k))])
def test_law_of_the_chain_approaches_the_gaussian(make):
    process = var()
    mean, covariance = process.mean(PERIODS).reshape(-1), process.covariance(PERIODS)
    errors = []
    for k in (50, 100, 200):
        law = law_of_chain(make(process_conditionals(process, PERIODS), k))
        np.testing.assert_allclose(law.mean, mean, atol=1e-12)
        errors.append(np.abs(law.covariance - covariance).max())
    # a first-order scheme: half the step, half the error
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(2.0, rel=0.1)


def test_nothing_of_the_start_or_the_future_enters():
    chain = angle_chain(process_conditionals(var(), PERIODS), uniform_angles(4))
    for s in range(chain.n_steps):
        period = s // 4
        future = np.arange(ASSETS * (period + 1), ASSETS * PERIODS)
        others = np.setdiff1d(np.arange(ASSETS * PERIODS), future)
        np.testing.assert_array_equal(chain.transition[s][np.ix_(others, future)], 0.0)
        np.testing.assert_array_equal(chain.noise[s][future], 0.0)
    first = chain.transition[::4][:, :, :]
    for period in range(PERIODS):
        now = slice(ASSETS * period, ASSETS * (period + 1))
        np.testing.assert_array_equal(first[period][now, now], 0.0)


def test_closed_form_law_agrees_with_simulation():
    rng = np.random.default_rng(8)
    chain = angle_chain(process_conditionals(Arma((0.6,), (), start="zero"), 3), uniform_angles(4))
    gain = 0.3 * rng.standard_normal((12, 1, 3))
    for s in range(12):
        gain[s, 0, s // 4 + 1 :] = 0.0
    control = LinearControl(gain=gain, offset=rng.standard_normal((12, 1)), covariance=np.full((12, 1, 1), 0.49))
    n = 40_000
    z = np.zeros((n, 3))
    for s in range(12):
        v = z @ gain[s].T + control.offset[s] + 0.7 * rng.standard_normal((n, 1))
        z = z @ chain.transition[s].T + chain.offset[s] + v @ chain.noise[s].T
    law = law_of_chain(chain, control)
    spread = np.sqrt(np.diag(law.covariance))
    assert np.all(np.abs(z.mean(axis=0) - law.mean) < 4.5 * spread / np.sqrt(n))
    # standard error of a Gaussian covariance: at most sqrt(2) sd sd / sqrt(n)
    assert np.all(np.abs(np.cov(z.T) - law.covariance) < 4.5 * np.sqrt(2.0 / n) * np.outer(spread, spread))
    assert len(states_of_chain(chain, control)) == 13


def test_bad_input_is_refused():
    laws = conditionals([0.0], [[1.0]])
    with pytest.raises(ConfigError, match="angles must decrease strictly from pi/2 to 0"):
        angle_chain(laws, [1.5, 0.0])
    with pytest.raises(ConfigError, match="alpha_bars must increase strictly inside"):
        denoising_chain(laws, [0.5, 0.1])
    with pytest.raises(ConfigError, match="n_steps must be a positive integer: got 0"):
        uniform_angles(0)
    with pytest.raises(ConfigError, match="n_steps must be a positive integer: got True"):
        geometric_alpha_bars(True)
    with pytest.raises(ConfigError, match="smallest must be a signal share"):
        geometric_alpha_bars(3, 1.0)
    with pytest.raises(ShapeError, match="must describe whole periods of n_assets=2"):
        conditionals([0.0, 0.0, 0.0], np.eye(3), n_assets=2)


def test_a_step_without_noise_is_refused():
    one = np.ones((2, 1, 1))
    noise = np.array([[[1.0]], [[0.0]]])
    good = {"transition": one, "offset": np.zeros((2, 1)), "controlled": np.array([True, True])}
    with pytest.raises(DataError, match="every step needs noise in all its shocks: step 1"):
        LinearChain(**good, noise=noise)
    with pytest.raises(ShapeError, match=r"offset must have shape \(2, 1\): got \(3, 1\)"):
        LinearChain(**{**good, "offset": np.zeros((3, 1))}, noise=one)
    with pytest.raises(DataError, match="transition must be finite: 1 entries are not"):
        LinearChain(**{**good, "transition": np.array([[[1.0]], [[np.nan]]])}, noise=one)
    with pytest.raises(ShapeError, match="controlled must have one entry per step"):
        LinearChain(**{**good, "controlled": np.array([True])}, noise=one)
    with pytest.raises(ShapeError, match="noise must have axes"):
        LinearChain(**good, noise=np.ones(2))
