"""Reverse schemes against laws that are known exactly.

With an affine velocity both schemes are affine in their noise, so the law they produce is computed without
Monte Carlo error by feeding unit vectors: mean = response to zero noise, variance = sum of squared responses.
"""

import numpy as np
import pytest
import torch

from tsgen.diffusion.angle_grid import check_angles, deterministic_angles, stochastic_angles, uniform_angles
from tsgen.diffusion.deterministic_scheme import deterministic_pass, deterministic_plan
from tsgen.diffusion.stochastic_scheme import one_minus_rho_squared, stochastic_pass, stochastic_plan
from tsgen.errors import ConfigError


def gaussian_velocity(mean, variance, angles):
    def velocity(u, k):
        c, s = np.cos(angles[k]), np.sin(angles[k])
        return c * s * (1 - variance) / (c * c * variance + s * s) * (u - c * mean) - s * mean

    return velocity


def deterministic_law(mean, variance, plan):
    """Relative errors of mean and variance of the produced Gaussian."""
    out = deterministic_pass(
        gaussian_velocity(mean, variance, plan.angles), torch.tensor([[0.0], [1.0]], dtype=torch.float64), plan
    )
    return out[0].item() - mean, (out[1] - out[0]).item() ** 2 / variance - 1


def exact_share(variance, tau):
    """E|v - F|^2 at angle tau for a Gaussian: variance of v minus variance of its regression on u."""
    c, s = np.cos(tau), np.sin(tau)
    slope = c * s * (1 - variance) / (c * c * variance + s * s)
    return c * c + s * s * variance - slope**2 * (c * c * variance + s * s)


def stochastic_law(mean, variance, angles, *, share=None, evaluate_start=True, noise_factor=1.0):
    share = exact_share(variance, angles[-1]) if share is None else share
    plan = stochastic_plan(angles, last_share=share, evaluate_start=evaluate_start)
    n = plan.n_noises
    noises = torch.zeros(n, n + 1, 1, dtype=torch.float64)
    for i in range(n):
        noises[i, i + 1, 0] = noise_factor
    out = stochastic_pass(gaussian_velocity(mean, variance, plan.angles), noises, plan)[:, 0]
    return out[0].item() - mean, ((out[1:] - out[0]) ** 2).sum().item() / variance - 1


@pytest.mark.parametrize("n_steps", [2, 5, 16])
@pytest.mark.parametrize("evaluate_start", [False, True])
def test_zero_velocity_is_exact_at_any_number_of_steps(n_steps, evaluate_start):
    plan = deterministic_plan(deterministic_angles(n_steps), evaluate_start=evaluate_start)
    start = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    assert torch.equal(deterministic_pass(lambda u, k: torch.zeros_like(u), start, plan), start)
    # variances of the chain's noises telescope to one: rounding only
    assert abs(stochastic_law(0.0, 1.0, stochastic_angles(n_steps), share=1.0)[1]) < 1e-12


def test_point_mass_is_exact_in_the_deterministic_scheme():
    # H = -m is constant, so every order integrates it exactly
    for order in (1, 2, 3):
        plan = deterministic_plan(deterministic_angles(5), order=order, evaluate_start=True)
        sines = np.sin(plan.angles)
        out = deterministic_pass(lambda u, k, sines=sines: -sines[k] * torch.full_like(u, 2.5), torch.zeros(1, 1), plan)
        assert out.item() == pytest.approx(2.5, abs=1e-6)


@pytest.mark.parametrize(("order", "expected"), [(1, 1.0), (2, 2.0)])
@pytest.mark.parametrize("variance", [0.25, 0.49, 2.0])
def test_deterministic_error_falls_at_the_order_of_the_scheme(order, expected, variance):
    steps = np.array([16, 32, 64, 128])
    errors = [
        abs(
            deterministic_law(0.4, variance, deterministic_plan(uniform_angles(k), order=order, evaluate_start=True))[1]
        )
        for k in steps
    ]
    slope = -np.polyfit(np.log(steps), np.log(errors), 1)[0]
    # the asymptotic slope is reached from below on finite grids
    assert expected - 0.15 < slope < expected + 0.15


def test_third_order_weights_integrate_quadratics_exactly():
    plan = deterministic_plan(uniform_angles(9), order=3, evaluate_start=True)
    y = -np.cos(plan.angles)
    y[0] = 0.0
    ends = np.append(y[1:], -1.0)
    sines = np.sin(plan.angles)
    for step in range(2, len(y)):
        for power in range(3):
            values = [sines[step - j] * y[step - j] ** power for j in range(3)]  # F = H sin with H = y^power
            ahead, here, behind = (x ** (power + 1) / (power + 1) for x in (ends[step], y[step], y[step - 1]))
            assert np.dot(plan.predictor[step], values) == pytest.approx(ahead - here, abs=1e-13)
            assert np.dot(plan.corrector[step], values) == pytest.approx(here - behind, abs=1e-13)


@pytest.mark.parametrize("variance", [0.25, 0.49, 2.0])
def test_stochastic_error_falls_faster_than_first_order(variance):
    # two-step scheme with a first step of order one and a singular start: measured 1.5 to 1.8; a one-step chain has 1
    steps = np.array([32, 64, 128, 256])
    errors = [abs(stochastic_law(0.4, variance, uniform_angles(k))[1]) for k in steps]
    assert 1.35 < -np.polyfit(np.log(steps), np.log(errors), 1)[0] < 2.2


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 0.49), (0.3, 0.8), (-0.4, 1.3)])
def test_default_grids_reproduce_mean_and_variance(mean, variance):
    plan = deterministic_plan(deterministic_angles(16), evaluate_start=True)
    assert deterministic_law(mean, variance, plan) == pytest.approx((0.0, 0.0), abs=5e-3)
    assert stochastic_law(mean, variance, stochastic_angles(16)) == pytest.approx((0.0, 0.0), abs=1e-2)


def test_wrong_noise_fails_the_same_check():
    error = stochastic_law(0.3, 0.8, stochastic_angles(16), noise_factor=np.sqrt(1.05))[1]
    assert error != pytest.approx(0.0, abs=1e-2)
    # ending by denoising (no noise in the last step) shrinks the variance
    assert stochastic_law(0.0, 1.0, stochastic_angles(16), share=0.05)[1] < -0.04


def test_without_evaluating_the_start_the_mean_is_biased():
    # the free node H = 0 is wrong when the conditional mean is not zero: this is why identity whitening evaluates it
    plan = deterministic_plan(deterministic_angles(8), evaluate_start=False)
    assert abs(deterministic_law(0.4, 0.8, plan)[0]) > 0.01


def test_linear_bias_of_the_velocity_moves_log_variance_by_pi_kappa():
    # derived: F -> F - kappa u gives d log var = pi kappa; finite grid ends remove about a tenth
    angles = stochastic_angles(32)
    plan = deterministic_plan(angles)
    out = deterministic_pass(lambda u, k: -0.1 * u, torch.ones(1, 1, dtype=torch.float64), plan)
    assert 0.24 < 2 * np.log(out.item()) < 0.33


def test_stable_noise_variance_equals_the_definition():

    import mpmath

    tau, following = stochastic_angles(16)[:-1], stochastic_angles(16)[1:]
    with mpmath.workdps(40):
        exact = [float(1 - (mpmath.cos(a) / mpmath.cos(b)) ** 2) for a, b in zip(tau, following, strict=True)]
    assert one_minus_rho_squared(tau, following) == pytest.approx(exact, rel=1e-13)


def test_single_precision_is_enough():
    generator = torch.Generator().manual_seed(3)
    angles = stochastic_angles(16)
    plan = stochastic_plan(angles, last_share=0.9, evaluate_start=True)
    noises = torch.randn(plan.n_noises, 1000, 1, generator=generator)
    velocity = gaussian_velocity(0.4, 0.49, plan.angles)
    difference = stochastic_pass(velocity, noises, plan).double() - stochastic_pass(velocity, noises.double(), plan)
    assert difference.abs().max() < 1e-4


@pytest.mark.parametrize("angles", [[0.5, 0.6], [2.0, 1.0], [1.0, 0.0], [[1.0]]])
def test_bad_angles_are_refused(angles):
    for build in (check_angles, deterministic_plan, stochastic_plan):
        with pytest.raises(ConfigError, match="angles must decrease strictly inside"):
            build(np.array(angles))


def test_other_bad_settings_are_refused():
    with pytest.raises(ConfigError, match="order must be 1, 2 or 3"):
        deterministic_plan(deterministic_angles(4), order=4)
    with pytest.raises(ConfigError, match="last_share must be in"):
        stochastic_plan(stochastic_angles(4), last_share=0.0)
    for bad in (1, 2.5, True, "8"):
        with pytest.raises(ConfigError, match="n_steps must be an integer of at least 2"):
            deterministic_angles(bad)


def test_grids_decrease_and_stay_above_the_smallest_training_angle():
    from tsgen.diffusion.denoising_loss import SMALLEST_TRAINING_ANGLE

    for k in (2, 4, 8, 16, 32, 64, 128):
        for grid in (deterministic_angles(k), stochastic_angles(k)):
            check_angles(grid)
            assert grid[-1] > SMALLEST_TRAINING_ANGLE
