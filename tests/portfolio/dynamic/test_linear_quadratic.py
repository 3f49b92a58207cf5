"""The regulator against value iteration, and against scipy with the cross term."""

import numpy as np
import pytest

from portfolio.dynamic.linear_quadratic import bellman_step, solve_regulator
from tsgen.errors import DataError


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_value_iteration_ends_there(seed, discount):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(3, 3)), rng.normal(size=(3, 2))
    half = rng.normal(size=(5, 5))
    cost = half @ half.T + np.eye(5)
    q, r, s = cost[:3, :3], cost[3:, 3:], cost[:3, 3:]
    solution = solve_regulator(a, b, q, r, discount=discount, cross_cost=s)
    value = np.zeros((3, 3))
    for _ in range(2000):
        step = bellman_step(value, a, b, (q, r, s), discount)
        value = step.value
    np.testing.assert_allclose(solution.value, value, rtol=1e-9)
    np.testing.assert_allclose(solution.gain, step.gain, rtol=1e-8, atol=1e-9)
    # variant that must fail: without the cross term
    other = solve_regulator(a, b, q, r, discount=discount)
    assert np.abs(other.gain - solution.gain).max() > 1e-3


def test_no_solution_is_an_error():
    one = np.eye(1)
    with pytest.raises(DataError, match="no stabilising solution"):
        solve_regulator(2.0 * one, 0.0 * one, one, one, discount=1.0)
    # a cost without minimum: the more control, the better
    with pytest.raises(DataError, match="no stabilising solution"):
        solve_regulator(one, one, -one, 0.1 * one, discount=1.0)
    # a free walk that costs nothing is left alone: its radius is 1
    with pytest.raises(DataError, match="closed-loop radius 1"):
        solve_regulator(one, one, 0.0 * one, one, discount=1.0)
