"""Descent: the regulator where there are no features, linear convergence to a brute-force optimum where there are."""

import numpy as np
import pytest
from scipy.linalg import solve_discrete_are
from scipy.optimize import minimize

from portfolio.dynamic.control_problem import ControlProblem
from portfolio.dynamic.descent_record import DescentSettings
from portfolio.dynamic.feature_maps import KernelFeatures, NoFeatures
from portfolio.dynamic.gradient_descent import descend, zeroth_order_gradient
from portfolio.dynamic.nearly_linear_system import (
    NearlyLinearSystem,
    QuadraticObjective,
    lifted_surrogate,
    lq_surrogate,
)
from tsgen.errors import ConfigError, DataError


def make(constant, seed, n_paths=60, horizon=25, discount=1.0):
    """Random system of radius 0.9 with kernels of the given Lipschitz constant; start from the surrogate."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, 3)), rng.normal(size=(3, 2)), rng.normal(size=(3, 3))
    centres, start = rng.normal(size=(3, 3)), rng.normal(size=(n_paths, 3))
    features, nonlinear = NoFeatures(n_inputs=3), np.zeros((3, 0))
    if constant > 0:
        features = KernelFeatures(centres=centres, width=1.0, strength=constant / np.sqrt(3))
        nonlinear = c / np.linalg.norm(c, 2)
    system = NearlyLinearSystem(
        transition=0.9 * a / np.abs(np.linalg.eigvals(a)).max(), control=b, nonlinear=nonlinear, features=features
    )
    objective = QuadraticObjective(state_cost=np.eye(3), control_cost=np.eye(2), discount=discount)
    surrogate = lq_surrogate(system, objective)
    problem = ControlProblem(
        system=system, objective=objective, initial_states=start, horizon=horizon, terminal=surrogate.value
    )
    return problem, surrogate.gains


def brute_force(problem, start, constant):
    """BFGS from several starts, with features brought to order one."""
    unit = np.hstack([np.ones(3), np.full(3, 1.0 / constant)])

    def function(theta):
        visit = problem.visit(theta.reshape(2, 6) * unit)
        return visit.cost, (visit.gradient * unit).ravel()

    rng = np.random.default_rng(0)
    starts = [start / unit, start / unit + 0.1 * rng.normal(size=start.shape)]
    ends = [minimize(function, s.ravel(), jac=True, method="BFGS", options={"gtol": 1e-8}) for s in starts]
    best = min(ends, key=lambda end: end.fun)
    return best.x.reshape(2, 6) * unit, best.fun


def regulator_gain(problem):
    """K by scipy, with discounting as a scaling of A and B."""
    root = np.sqrt(problem.objective.discount)
    a, b = root * problem.system.transition, root * problem.system.control
    p = solve_discrete_are(a, b, np.eye(3), np.eye(2))
    return np.linalg.solve(np.eye(2) + b.T @ p @ b, b.T @ p @ a)


@pytest.mark.parametrize("discount", [1.0, 0.9])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_without_features_it_is_the_regulator(seed, discount):
    problem, start = make(0.0, seed, discount=discount)
    expected = regulator_gain(problem)
    np.testing.assert_allclose(start, expected, atol=1e-9)
    rng = np.random.default_rng(seed)
    for kind in ("pathwise", "zeroth_order"):
        result = descend(problem, start, DescentSettings(gradient=kind, max_iterations=5), rng=rng)
        np.testing.assert_allclose(result.gains, expected, atol=1e-8)
    elsewhere = descend(problem, expected + 0.05 * rng.normal(size=(2, 3)))
    assert elsewhere.status == "converged"
    np.testing.assert_allclose(elsewhere.gains, expected, atol=1e-8)
    nowhere = descend(problem, np.zeros((2, 3)))
    np.testing.assert_allclose(nowhere.gains, expected, atol=1e-8)


@pytest.mark.parametrize(("constant", "seed"), [(0.05, 0), (0.5, 1), (0.2, 2)])
def test_linear_convergence_to_the_brute_force_optimum(constant, seed):
    problem, start = make(constant, seed)
    result = descend(problem, start)
    optimum, best = brute_force(problem, start, constant)
    assert result.status == "converged"
    assert np.linalg.norm(result.gains - optimum) < 1e-4
    assert result.cost <= best + 1e-10
    gaps = np.array([step.cost - result.cost for step in result.steps])
    seen = gaps[gaps > 1e-11]
    assert len(seen) >= 2
    assert (seen[1:] / seen[:-1] < 0.9).all()
    assert result.contraction(result.cost) < 0.5
    # variant that must fail: the surrogate alone
    assert gaps[0] > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 4, 5, 6])
@pytest.mark.parametrize("constant", [0.05, 0.1, 0.3, 0.5])
def test_linear_convergence_on_more_problems(constant, seed):
    problem, start = make(constant, seed)
    optimum, best = brute_force(problem, start, constant)
    exact = descend(problem, start)
    estimated = descend(
        problem, start, DescentSettings(gradient="zeroth_order", max_iterations=25), rng=np.random.default_rng(seed)
    )
    plain = descend(problem, start, DescentSettings(preconditioned=False, max_iterations=60))
    for result in (exact, estimated):
        assert np.linalg.norm(result.gains - optimum) < 1e-4
        assert result.contraction(min(best, exact.cost)) < 0.7
    # plain gradient steps converge linearly too, with a factor near 1
    assert plain.contraction(min(best, exact.cost)) < 1.0
    assert exact.cost <= plain.cost < plain.steps[0].cost


def test_surrogate_error_vanishes_with_the_constant():
    gaps = []
    for constant in (0.4, 0.2, 0.1):
        problem, start = make(constant, 0)
        gaps.append(problem.cost(start) - descend(problem, start).cost)
    # the cost is second order in the error of the gains, which is first order in the constant
    orders = np.log2(np.array(gaps[:-1]) / gaps[1:])
    assert (orders > 1.5).all()
    assert (orders < 2.6).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_estimated_gradient(seed):
    problem, start = make(0.3, seed, n_paths=8, horizon=10)
    gains = start + 0.05
    exact = problem.visit(gains).gradient
    rng = np.random.default_rng(seed)
    size = np.linalg.norm(exact)
    full = zeroth_order_gradient(problem, gains, n_directions=12, radius=1e-3, rng=rng)
    assert np.linalg.norm(full - exact) < 1e-4 * size  # radius^2 times third derivatives
    finer = zeroth_order_gradient(problem, gains, n_directions=12, radius=1e-4, rng=rng)
    assert np.linalg.norm(finer - exact) < np.linalg.norm(full - exact)
    # few directions: noisy, but right on average
    draws = np.array([zeroth_order_gradient(problem, gains, n_directions=3, radius=1e-3, rng=rng) for _ in range(80)])
    errors = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - exact) < 5 * errors).all()


def test_stability_safeguard():
    system = NearlyLinearSystem(
        transition=[[1.2]], control=[[1.0]], nonlinear=np.zeros((1, 0)), features=NoFeatures(n_inputs=1)
    )
    objective = QuadraticObjective(state_cost=[[100.0]], control_cost=[[1.0]])
    problem = ControlProblem(system=system, objective=objective, initial_states=[[1.0]], horizon=10, terminal=[[100.0]])
    settings = DescentSettings(preconditioned=False, stability_limit=0.95, max_iterations=60)
    result = descend(problem, np.array([[0.4]]), settings)
    # plain steps along a gradient of a hundred leave the stable interval 0.25 < K < 2.15 at once
    assert sum(step.unstable for step in result.steps) > 0
    assert all(problem.radius(step.gains) < 0.95 for step in result.steps)
    np.testing.assert_allclose(result.gains, 1.2 * 0.99, atol=0.02)


def test_descending_needs_what_it_needs():
    problem, start = make(0.3, 0)
    with pytest.raises(ConfigError, match="draws directions: pass rng="):
        descend(problem, start, DescentSettings(gradient="zeroth_order"))
    with pytest.raises(DataError, match="the start must be stable: its discounted closed-loop radius"):
        descend(problem, np.full((2, 6), 1e3))
    result = descend(problem, start, DescentSettings(max_iterations=0))
    assert (result.status, len(result.steps)) == ("iterations", 1)
    assert np.isnan(result.contraction(result.cost))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gradient": "magic"}, "gradient must be 'pathwise' or 'zeroth_order'"),
        ({"max_iterations": -1}, "max_iterations must be a non-negative integer"),
        ({"n_directions": 0}, "n_directions must be a positive integer"),
        ({"tolerance": 0.0}, "tolerance must be positive"),
        ({"stability_limit": 1.5}, "stability_limit must be positive and at most 1"),
        ({"radius": -1.0}, "radius must be positive"),
    ],
)
def test_settings_are_checked(change, message):
    with pytest.raises(ConfigError, match=message):
        DescentSettings(**change)


def test_lifted_surrogate_is_exact_for_features_that_move_linearly():
    # a feature that is itself an autoregression: the larger linear system is the truth
    problem, _ = make(0.5, 0)
    system, objective = problem.system, problem.objective
    dynamics = np.hstack([np.zeros((3, 3)), 0.8 * np.eye(3)])
    lifted = lifted_surrogate(system, objective, dynamics)
    shock = lq_surrogate(system, objective)
    n = 3
    a = np.block([[system.transition, system.nonlinear], [np.zeros((3, 3)), 0.8 * np.eye(3)]])
    b = np.vstack([system.control, np.zeros((3, 2))])
    p = solve_discrete_are(a, b, np.diag([1.0] * 3 + [0.0] * 3), np.eye(2))
    expected = np.linalg.solve(np.eye(2) + b.T @ p @ b, b.T @ p @ a)
    np.testing.assert_allclose(lifted.gains, expected, atol=1e-9)
    np.testing.assert_allclose(lifted.gains[:, :n], shock.gains[:, :n], atol=1e-9)
    # the shock surrogate takes the feature for a surprise that does not come back
    gone = lifted_surrogate(system, objective, np.zeros((3, 6)))
    np.testing.assert_allclose(gone.gains, shock.gains, atol=1e-9)
    assert np.abs(lifted.gains - shock.gains).max() > 1e-3


class _Liar:
    """Tanh features that claim a derivative of the opposite sign, and a large one."""

    n_inputs = n_features = 1
    lipschitz = 1.0

    def value(self, inputs):
        return np.tanh(inputs)

    def pull_back(self, inputs, gradients):
        return -1e3 * gradients


def test_a_direction_that_leads_nowhere_is_reported():
    system = NearlyLinearSystem(transition=[[0.9]], control=[[1.0]], nonlinear=[[1.0]], features=_Liar())
    objective = QuadraticObjective(state_cost=[[1.0]], control_cost=[[1.0]])
    problem = ControlProblem(system=system, objective=objective, initial_states=[[1.0]], horizon=3, terminal=[[1.0]])
    result = descend(problem, np.zeros((1, 2)))
    assert result.status == "no_progress"
    np.testing.assert_array_equal(result.gains, 0.0)


def test_more_directions_than_gains():
    problem, start = make(0.3, 0, n_paths=5, horizon=5)
    rng = np.random.default_rng(0)
    many = zeroth_order_gradient(problem, start + 0.05, n_directions=30, radius=1e-4, rng=rng)
    exact = problem.visit(start + 0.05).gradient
    # two full frames leave no error; half a frame on top adds noise of its share
    assert np.linalg.norm(many - exact) < np.linalg.norm(exact)
    two = zeroth_order_gradient(problem, start + 0.05, n_directions=24, radius=1e-4, rng=rng)
    np.testing.assert_allclose(two, exact, rtol=1e-5, atol=1e-6 * np.abs(exact).max())
