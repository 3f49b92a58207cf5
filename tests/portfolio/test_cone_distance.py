"""Cones: points inside, on the edge and outside, by hand; multipliers that a solver leaves."""

import cvxpy as cp
import numpy as np
import pytest

from portfolio.cone_distance import dual_violation, primal_violation
from portfolio.optimality import optimality_residuals


def _v(*numbers):
    return [np.atleast_1d(np.asarray(number, dtype=float)) for number in numbers]


X, Y, Z = (cp.Variable(1) for _ in range(3))
SOC = cp.SOC(cp.Variable(), cp.Variable(2))
POWER = cp.PowCone3D(X, Y, Z, 2 / 3)
EXPONENTIAL = cp.ExpCone(X, Y, Z)
PSD = cp.PSD(cp.Variable((2, 2), symmetric=True))


@pytest.mark.parametrize(
    ("cone", "point", "violation"),
    [
        (SOC, _v(5, [3, 4]), 0.0),
        (SOC, _v(4, [3, 4]), 1.0),
        (POWER, _v(8, 1, 4), 0.0),
        (POWER, _v(8, 1, -4.5), 0.5),
        (POWER, _v(-0.2, 1, 0), 0.2),
        (EXPONENTIAL, _v(0, 2, 2), 0.0),
        (EXPONENTIAL, _v(0, 2, 1.5), 0.5),
        (EXPONENTIAL, _v(-1, 0, 0), 0.0),
        (EXPONENTIAL, _v(0.3, 0, 0), 0.3),
        (PSD, _v([1, 0, 0, 2]), 0.0),
        (PSD, _v([1, 2, 2, 1]), 1.0),
    ],
)
def test_primal(cone, point, violation):
    assert primal_violation(cone, point) == pytest.approx(violation, abs=1e-14)


@pytest.mark.parametrize(
    ("cone", "multipliers", "violation"),
    [
        (SOC, _v(4, [3, 4]), 1.0),
        # dual of x^a y^(1-a) >= |z|: (u/a)^a (v/(1-a))^(1-a) >= |w|
        (POWER, _v(2 / 3, 1 / 3, 1.0), 0.0),
        (POWER, _v(2 / 3, 1 / 3, -1.25), 0.25),
        # dual of the exponential cone: -u exp(v/u - 1) <= w
        (EXPONENTIAL, _v(-1, 1, np.exp(-2)), 0.0),
        (EXPONENTIAL, _v(-1, -1, 0.75), 0.25),
        (EXPONENTIAL, _v(0.5, 0, 0), 0.5),
    ],
)
def test_dual(cone, multipliers, violation):
    assert dual_violation(cone, multipliers) == pytest.approx(violation, abs=1e-14)


def _solved():
    x, t, s = cp.Variable(3), cp.Variable(), cp.Variable(3)
    mass, heat = cp.Variable(4), cp.Variable()
    block = cp.Variable((2, 2), symmetric=True)
    rows = np.arange(12.0).reshape(4, 3) / 10
    constraints = [
        cp.SOC(t, np.diag([1.0, 2.0, 3.0]) @ x),
        cp.PowCone3D(s, np.ones(3), x - 0.3, np.full(3, 2 / 3)),
        cp.ExpCone(rows @ x, heat * np.ones(4), mass),
        cp.sum(mass) <= 4 * heat + 3,
        -heat <= -1,
        cp.sum(x) == 1,
        cp.PSD(block),
        block[0, 1] == x[0],
        block[1, 1] == 1,
    ]
    problem = cp.Problem(cp.Minimize(t + cp.sum(s) + heat + block[0, 0]), constraints)
    problem.solve(solver="CLARABEL")
    return problem, x


def test_residuals_vanish_at_a_conic_optimum_and_notice_faults():
    problem, x = _solved()
    objective = problem.objective.args[0]
    # Clarabel works to 1e-8
    assert optimality_residuals(objective, problem.constraints).worst < 1e-6
    x.value = x.value + np.array([1e-3, 0, -1e-3])
    assert optimality_residuals(objective, problem.constraints).feasibility > 1e-4
    problem, _ = _solved()
    variable = problem.constraints[0].dual_variables[1]
    variable.save_value(1.1 * np.asarray(variable.value))
    wrong = optimality_residuals(problem.objective.args[0], problem.constraints)
    assert wrong.stationarity > 1e-3
    assert wrong.complementarity > 1e-3
