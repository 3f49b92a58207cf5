"""Costs against plain loops, gradients against finite differences."""

from dataclasses import replace

import numpy as np
import pytest

from portfolio.dynamic.control_problem import ControlProblem
from portfolio.dynamic.feature_maps import KernelFeatures, NoFeatures, TanhFeatures
from portfolio.dynamic.nearly_linear_system import NearlyLinearSystem, QuadraticObjective
from tsgen.errors import ConfigError, DataError, ShapeError


def make(seed=0, n_paths=7, features="kernels", **changes):
    rng = np.random.default_rng(seed)
    chosen = {
        "kernels": KernelFeatures(centres=rng.normal(size=(2, 3)), width=1.0, strength=0.4),
        "tanh": TanhFeatures(directions=rng.normal(size=(2, 3)), strength=0.4),
    }[features]
    system = NearlyLinearSystem(
        transition=0.4 * rng.normal(size=(3, 3)),
        control=rng.normal(size=(3, 2)),
        nonlinear=rng.normal(size=(3, 2)),
        features=chosen,
    )
    half = rng.normal(size=(3, 3))
    end = rng.normal(size=(5, 5))
    fields = {
        "system": system,
        "objective": QuadraticObjective(state_cost=half + half.T, control_cost=np.eye(2), discount=0.9),
        "initial_states": rng.normal(size=(n_paths, 3)),
        "horizon": 6,
        "terminal": end @ end.T,
        "noise": 0.3 * rng.normal(size=(n_paths, 6, 3)),
    }
    return ControlProblem(**(fields | changes)), 0.2 * rng.normal(size=(2, 5))


def by_loop(problem, gains):
    system, costs = problem.system, []
    for s, x in enumerate(problem.initial_states):
        total = 0.0
        for t in range(problem.horizon):
            phi = system.features.value(x)
            u = -gains @ np.concatenate([x, phi])
            stage = x @ problem.objective.state_cost @ x + u @ problem.objective.control_cost @ u
            total += problem.objective.discount**t * stage
            x = system.transition @ x + system.control @ u + system.nonlinear @ phi
            x = x if problem.noise is None else x + problem.noise[s, t]
        z = np.concatenate([x, system.features.value(x)])
        costs.append(total + problem.objective.discount**problem.horizon * z @ problem.terminal @ z)
    return np.array(costs)


@pytest.mark.parametrize("features", ["kernels", "tanh"])
def test_cost_is_that_of_a_loop(features):
    problem, gains = make(features=features)
    np.testing.assert_allclose(problem.path_costs(gains), by_loop(problem, gains), rtol=1e-12)
    silent = replace(problem, noise=None, terminal=np.eye(3))
    np.testing.assert_allclose(silent.path_costs(gains), by_loop(silent, gains), rtol=1e-12)
    assert problem.visit(gains).cost == pytest.approx(problem.cost(gains), rel=1e-13)


@pytest.mark.parametrize("features", ["kernels", "tanh"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_gradient_against_finite_differences(seed, features):
    weights = np.random.default_rng(seed).dirichlet(np.ones(7))
    problem, gains = make(seed, features=features, probabilities=weights)
    slope = problem.visit(gains).gradient
    h = 1e-5
    for i, j in np.ndindex(gains.shape):
        move = np.zeros_like(gains)
        move[i, j] = h
        expected = (problem.cost(gains + move) - problem.cost(gains - move)) / (2 * h)
        # h^2 times the third derivative, and rounding of the cost divided by h
        assert slope[i, j] == pytest.approx(expected, rel=1e-6, abs=1e-8)
    # variant that must fail: the pull-back through the features left out
    blind = replace(problem, system=replace(problem.system, features=_Constant(problem.system.features)))
    assert np.abs(blind.visit(gains).gradient - slope).max() > 1e-3


class _Constant:
    """The same values, but says that it does not depend on its inputs."""

    def __init__(self, inner):
        self.inner, self.n_inputs, self.n_features, self.lipschitz = inner, inner.n_inputs, inner.n_features, 0.0

    def value(self, inputs):
        return self.inner.value(inputs)

    def pull_back(self, inputs, gradients):
        return np.zeros_like(inputs)


def test_many_paths_are_the_average_of_their_parts():
    problem, gains = make(n_paths=1100)
    first, rest = np.arange(600), np.arange(600, 1100)
    parts = [problem.subset(first).visit(gains), problem.subset(rest).visit(gains)]
    whole = problem.visit(gains)
    for name in ("cost", "gram", "gradient"):
        mixed = (600 * getattr(parts[0], name) + 500 * getattr(parts[1], name)) / 1100
        np.testing.assert_allclose(getattr(whole, name), mixed, rtol=1e-10, atol=1e-12)


def test_second_moments_of_the_inputs():
    problem, gains = make(n_paths=1, horizon=1, noise=None)
    x = problem.initial_states[0]
    z = np.concatenate([x, problem.system.features.value(x)])
    np.testing.assert_allclose(problem.visit(gains).gram, np.outer(z, z), rtol=1e-13)


def test_unobserved_states_get_no_gradient():
    problem, gains = make(observed=(0, 2))
    slope = problem.visit(gains).gradient
    assert (slope[:, 1] == 0).all()
    assert (slope[:, [0, 2, 3, 4]] != 0).all()
    assert problem.active.tolist() == [0, 2, 3, 4]
    everything = replace(problem, observed=None)
    np.testing.assert_array_equal(everything.visit(gains).gradient[:, [0, 2, 3, 4]], slope[:, [0, 2, 3, 4]])


def test_explosions_are_infinite_costs():
    system = NearlyLinearSystem(
        transition=[[1e30]], control=[[1.0]], nonlinear=np.zeros((1, 0)), features=NoFeatures(n_inputs=1)
    )
    objective = QuadraticObjective(state_cost=[[1.0]], control_cost=[[1.0]])
    problem = ControlProblem(
        system=system, objective=objective, initial_states=[[1.0], [0.0]], horizon=20, terminal=[[1.0]]
    )
    assert problem.path_costs(np.zeros((1, 1))).tolist() == [np.inf, 0.0]
    with pytest.raises(DataError, match="the paths explode under these gains"):
        problem.visit(np.zeros((1, 1)))
    assert problem.radius(np.zeros((1, 1))) == 1e30


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"horizon": 0}, ConfigError, "horizon must be a positive number of controls"),
        ({"initial_states": np.zeros((7, 2))}, ShapeError, "initial_states"),
        ({"terminal": np.eye(4)}, ShapeError, "terminal"),
        ({"noise": np.zeros((7, 5, 3))}, ShapeError, "noise"),
        ({"probabilities": np.full(7, 0.2)}, DataError, "must be non-negative and sum to 1"),
        ({"observed": (0, 3)}, ConfigError, "observed must be different state variables from 0 to 2"),
        (
            {"objective": QuadraticObjective(state_cost=np.eye(2), control_cost=np.eye(2))},
            ShapeError,
            "state_cost of this system",
        ),
    ],
)
def test_unusable_problems(changes, error, message):
    with pytest.raises(error, match=message):
        make(**changes)
    problem, gains = make()
    with pytest.raises(ShapeError, match="gains"):
        problem.cost(gains[:, :3])


def test_unusable_systems():
    with pytest.raises(DataError, match="state_cost must be a symmetric matrix"):
        QuadraticObjective(state_cost=[[1.0, 1.0], [0.0, 1.0]], control_cost=[[1.0]])
    with pytest.raises(ShapeError, match="nonlinear"):
        NearlyLinearSystem(transition=[[1.0]], control=[[1.0]], nonlinear=[[1.0]], features=NoFeatures(n_inputs=1))
