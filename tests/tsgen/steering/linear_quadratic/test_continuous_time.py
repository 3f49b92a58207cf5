"""As the steps get finer: the control becomes the difference of two scores, and the rate of the iteration vanishes."""

import numpy as np
import pytest

from tests.support.linear_quadratic_problems import random_reward
from tsgen.steering.linear_quadratic import (
    Gaussian,
    SteeringProblem,
    angle_chain,
    conditionals,
    linear_rate,
    optimal_control,
    optimality_gap,
    tilted_gaussian,
    uniform_angles,
)

MEAN, COVARIANCE = np.array([0.5, -0.2]), np.array([[1.5, 0.4], [0.4, 0.7]])


def problem(n_steps):
    chain = angle_chain(conditionals(MEAN, COVARIANCE, n_assets=2), uniform_angles(n_steps))
    return SteeringProblem(chain=chain, reward=random_reward(2), temperature=0.5)


def score(law, tau):
    """Slope and level of the score of a Gaussian law noised to an angle."""
    precision = np.linalg.inv(np.cos(tau) ** 2 * law.covariance + np.sin(tau) ** 2 * np.eye(2))
    return -precision, np.cos(tau) * precision @ law.mean


def largest_departure(n_steps):
    """Of the optimal control, per unit of noise, from the score of the tilted law less that of the reference."""
    law = Gaussian(MEAN, COVARIANCE)
    tilt = tilted_gaussian(law, random_reward(2), 0.5).law
    control, angles = optimal_control(problem(n_steps)).control, uniform_angles(n_steps)
    off = []
    for k in range(n_steps // 5, n_steps - n_steps // 5, n_steps // 10):
        tau = angles[k]
        rho = np.cos(tau) / np.cos(angles[k + 1])
        per_noise = rho / np.sqrt(1 - rho**2)
        for steered, mine in zip(score(tilt, tau), (control.gain[k], control.offset[k]), strict=True):
            reference = score(law, tau)[0 if mine.ndim == 2 else 1]
            off.append(np.abs(per_noise * mine - (steered - reference)).max())
    return max(off)


def test_control_becomes_the_difference_of_scores():
    errors = [largest_departure(n) for n in (100, 200, 400)]
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(2.0, rel=0.15)
    assert errors[2] < 0.05


def test_rate_falls_like_the_step_and_the_gap_like_its_square():
    coarse, fine = problem(100), problem(200)
    assert linear_rate(coarse) / linear_rate(fine) == pytest.approx(2.0, rel=0.2)
    gaps = [optimality_gap(p, optimal_control(p).control).end_gap for p in (coarse, fine)]
    assert gaps[0] / gaps[1] == pytest.approx(4.0, rel=0.2)


def test_cost_becomes_the_divergence_of_the_laws():
    # Girsanov: with nothing left of the start, the energy of the optimal control is KL(tilt | reference)
    law = Gaussian(MEAN, COVARIANCE)
    tilt = tilted_gaussian(law, random_reward(2), 0.5)
    inverse, shift = np.linalg.inv(law.covariance), tilt.law.mean - law.mean
    change = inverse @ tilt.law.covariance
    exact = 0.5 * (np.trace(change) - 2 - np.linalg.slogdet(change)[1] + shift @ inverse @ shift)
    off = [optimality_gap(p, optimal_control(p).control).divergence - exact for p in (problem(100), problem(200))]
    assert abs(off[1]) < 0.01 * exact
    assert off[0] / off[1] == pytest.approx(2.0, rel=0.2)
