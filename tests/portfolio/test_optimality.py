"""Optimality residuals: zero at an optimum, and the distance from it elsewhere."""

import cvxpy as cp
import numpy as np
import pytest

from portfolio.optimality import optimality_residuals


@pytest.fixture
def problem():
    # min |x|^2 / 2 with x1 + x2 = 1, x1 <= 0.2: x = (0.2, 0.8), multipliers nu = -0.8, lambda = 0.6
    x = cp.Variable(2)
    limits = [cp.sum(x) == 1.0, x[0] <= 0.2]
    x.value = np.array([0.2, 0.8])
    limits[0].dual_variables[0].save_value(np.array(-0.8))
    limits[1].dual_variables[0].save_value(np.array(0.6))
    return x, 0.5 * cp.sum_squares(x), limits


def test_zero_at_the_optimum_by_hand(problem):
    _, objective, limits = problem
    assert optimality_residuals(objective, limits).worst < 1e-15


def test_each_residual_sees_its_own_fault(problem):
    x, objective, limits = problem
    x.value = np.array([0.3, 0.7])
    moved = optimality_residuals(objective, limits)
    assert moved.feasibility == pytest.approx(0.1)
    assert moved.stationarity == pytest.approx(0.1)
    assert moved.complementarity == pytest.approx(0.06)
    x.value = np.array([0.2, 0.8])
    limits[1].dual_variables[0].save_value(np.array(-0.6))
    assert optimality_residuals(objective, limits).complementarity == pytest.approx(0.6)
