"""Continuation: approach a low temperature from a high one, each control the start of the next."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from tsgen.errors import ConfigError
from tsgen.steering.linear_quadratic.linear_chain import LinearControl
from tsgen.steering.linear_quadratic.policy_iteration import PolicyIteration, iterate_policy, policy_iterates
from tsgen.steering.linear_quadratic.policy_update import PolicyUpdate
from tsgen.steering.linear_quadratic.steering_problem import SteeringProblem


def falling_temperatures(first: float, last: float, factor: float) -> tuple[float, ...]:
    """Temperatures ``first, first * factor, ...`` that end exactly at ``last``.

    Raises
    ------
    ConfigError
        If not ``first >= last > 0`` and ``0 < factor < 1``.

    Examples
    --------
    >>> falling_temperatures(1.0, 0.2, 0.5)
    (1.0, 0.5, 0.25, 0.2)
    """
    if not first >= last > 0 or not 0 < factor < 1:
        raise ConfigError(
            f"temperatures must fall from first to last, both above zero, by a factor below 1: "
            f"got {first!r}, {last!r}, {factor!r}."
        )
    falling: list[float] = []
    temperature = float(first)
    while temperature > last * (1.0 + 1e-12):
        falling.append(temperature)
        temperature *= factor
    return (*falling, float(last))


def continue_in_temperature(
    problem: SteeringProblem,
    update: PolicyUpdate,
    *,
    temperatures: Sequence[float],
    inner_iterations: int = 3,
    correct_covariance: bool = False,
    tolerance: float = 1e-13,
    max_iterations: int = 500,
) -> PolicyIteration:
    """A few iterations at each temperature, then iterations at the problem's own until it settles.

    Parameters
    ----------
    problem : SteeringProblem
        At the temperature wanted.
    update : ExplicitUpdate or ImplicitUpdate
    temperatures : sequence of float
        Falling, all at or above the problem's; see `falling_temperatures`.
    inner_iterations : int
        At each of them.
    correct_covariance, tolerance, max_iterations
        See `iterate_policy`.

    Returns
    -------
    PolicyIteration
        ``changes`` of all iterations, at all temperatures.

    Raises
    ------
    ConfigError
        If the temperatures rise, or are below the problem's.
    PolicyIterationError
        See `iterate_policy`. Continuation cannot help where the local rate itself is above one.

    Examples
    --------
    >>> from tsgen.steering.linear_quadratic import (
    ...     ExplicitUpdate, QuadraticReward, angle_chain, conditionals, uniform_angles)
    >>> chain = angle_chain(conditionals([0.0], [[1.0]]), uniform_angles(10))
    >>> problem = SteeringProblem(chain=chain, reward=QuadraticReward.near(1.0, direction=[1.0]), temperature=0.5)
    >>> found = continue_in_temperature(problem, ExplicitUpdate(), temperatures=falling_temperatures(2.0, 0.5, 0.5))
    >>> found.iterations > 9
    True
    """
    steps = np.asarray(temperatures, dtype=np.float64)
    if steps.ndim != 1 or not (np.diff(steps) < 0).all() or bool((steps < problem.temperature).any()):
        raise ConfigError(
            f"temperatures must fall and stay at or above the problem's {problem.temperature:.6g}: "
            f"got {list(temperatures)}."
        )
    if inner_iterations < 1:
        raise ConfigError(f"inner_iterations must be positive: got {inner_iterations!r}.")
    control: LinearControl | None = None
    changes: list[float] = []
    for temperature in steps:
        warm = problem.at(float(temperature))
        iterates = policy_iterates(warm, update, start=control, correct_covariance=correct_covariance)
        for iterate in islice(iterates, inner_iterations):
            control = iterate.control
            changes.append(iterate.change)
    settled = iterate_policy(
        problem,
        update,
        start=control,
        correct_covariance=correct_covariance,
        tolerance=tolerance,
        max_iterations=max_iterations,
    )
    return settled._replace(changes=(*changes, *settled.changes))
