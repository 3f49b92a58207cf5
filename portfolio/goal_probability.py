"""Probability of reaching a goal, and of falling through a floor: a report, not an objective.

Probabilities are not concave in the weights, so they are evaluated and not optimised.
"""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from portfolio.asset_vector import AssetValues
from portfolio.constraints import finite_number
from portfolio.wealth import WealthConvention, wealth_paths
from tsgen.scenario_set import ScenarioSet


@final
@dataclass(frozen=True, kw_only=True)
class GoalReport:
    """Probabilities with standard errors of the scenario sample.

    Parameters
    ----------
    goal : float
        Wealth wished for, in multiples of initial wealth.
    floor : float or None
        Wealth not to fall below.
    at_end, at_any_time : float
        Probability that wealth is at least the goal at the horizon; at some time up to it.
    below_floor : float or None
        Probability that wealth is below the floor at some time.
    at_end_error, at_any_time_error, below_floor_error : float or None
        Standard errors for independent scenarios.

    Examples
    --------
    >>> GoalReport(goal=1.1, at_end=0.5, at_any_time=0.6, at_end_error=0.1, at_any_time_error=0.1).floor
    """

    goal: float
    at_end: float
    at_any_time: float
    at_end_error: float
    at_any_time_error: float
    floor: float | None = None
    below_floor: float | None = None
    below_floor_error: float | None = None


def goal_probability(
    weights: AssetValues,
    scenarios: ScenarioSet,
    *,
    goal: float,
    floor: float | None = None,
    wealth: WealthConvention = "buy_and_hold",
) -> GoalReport:
    """How likely the weights reach a goal, and how likely they fall through a floor on the way.

    Parameters
    ----------
    weights : Series, mapping or array of shape (asset,)
        Matched by name; what is missing to 1 is cash.
    scenarios : ScenarioSet
        Probabilities are used.
    goal, floor : float
        Multiples of initial wealth: 1.1 is a gain of 10 %. The start, 1, counts as a time on the way.
    wealth : {"buy_and_hold", "rebalanced", "rebalanced_compounded"}
        See `portfolio.wealth`.

    Returns
    -------
    GoalReport

    Raises
    ------
    ConfigError, DataError, ShapeError
        If the goal, the floor, the convention or the weights are unusable.

    Examples
    --------
    >>> s = ScenarioSet([[[0.2], [-0.1]], [[-0.1], [0.0]]], assets=["A"], kind="simple", probabilities=[0.4, 0.6])
    >>> report = goal_probability([1.0], s, goal=1.1, floor=0.95)
    >>> report.at_end, report.at_any_time, report.below_floor
    (0.0, 0.4, 0.6)
    """
    aim = finite_number(goal, "goal")
    paths = wealth_paths(weights, scenarios, wealth=wealth)
    p = scenarios.weights
    at_end, end_error = _probability(paths[:, -1] >= aim, p)
    any_time, any_error = _probability(np.maximum(paths.max(axis=1), 1.0) >= aim, p)
    report = GoalReport(
        goal=aim, at_end=at_end, at_end_error=end_error, at_any_time=any_time, at_any_time_error=any_error
    )
    if floor is None:
        return report
    least = finite_number(floor, "floor")
    below, below_error = _probability(np.minimum(paths.min(axis=1), 1.0) < least, p)
    return replace(report, floor=least, below_floor=below, below_floor_error=below_error)


def _probability(event: NDArray[np.bool_], p: NDArray[np.float64]) -> tuple[float, float]:
    probability = float(p @ event)
    # self-normalised importance weights; equal ones give sqrt(P (1 - P) / S)
    return probability, float(np.sqrt((p**2) @ (event - probability) ** 2))
