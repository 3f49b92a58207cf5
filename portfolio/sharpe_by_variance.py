r"""The highest Sharpe ratio through mean-variance problems, which the direct engines take.

Among portfolios that maximise :math:`e(w) - \tfrac{\gamma}{2} \sigma^2(w)`, with e the excess return after costs, the
one of highest :math:`e / \sigma` is where :math:`h(\gamma) = \gamma \sigma^2 - e` is zero: there the straight line
from the risk-free return touches the frontier. h never falls, and is linear as long as the same limits bind.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from portfolio.allocation import Allocation
from portfolio.engines import EngineChoice
from portfolio.errors import SolverError, UnboundedError
from portfolio.mean_risk import optimise
from portfolio.mean_risk_problem import MeanRiskProblem
from portfolio.risk_measures import Variance

MAX_STEPS = 100
# of h, relative to the excess return: the ratio then misses its maximum by the square of it
_TOLERANCE = 1e-9
# no zero above this many times the first guess: there is none
_SEARCH = 1e-6
# sides this close leave nothing between them
_ROUNDING = 1e-14


def highest_sharpe(
    problem: MeanRiskProblem, excess: Callable[[Allocation], float], start: float, engine: EngineChoice
) -> tuple[Allocation, int]:
    """The portfolio of highest excess return per volatility, and the number of problems solved.

    Parameters
    ----------
    problem : MeanRiskProblem
        Convex; its measure is not used.
    excess : callable
        Expected return after costs less the risk-free return, of an allocation.
    start : float
        First risk aversion, positive.
    engine : {"auto", "cvxpy", "direct"} or Engine

    Returns
    -------
    allocation : Allocation
        Of the last mean-variance problem: its ``diagnostics["risk"]`` is a variance.
    steps : int

    Raises
    ------
    SolverError
        If the search does not settle.
    UnboundedError
        If the highest ratio is a limit that no portfolio reaches.
    ConfigError, InfeasibleError
        As in `portfolio.mean_risk.optimise`.

    Notes
    -----
    Portfolios of no excess return, or of no risk, come back as they are.

    References
    ----------
    Sharpe (1966), "Mutual fund performance". Best and Grauer (1990), "The efficient set mathematics when
    mean-variance problems are subject to general linear constraints", section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from portfolio.mean_risk_problem import mean_risk_problem
    >>> from portfolio.moments import HorizonMoments
    >>> m = HorizonMoments(mean=np.array([0.1, 0.1]), covariance=np.diag([1.0, 3.0]), assets=("A", "B"), horizon=1)
    >>> earned = lambda allocation: allocation.diagnostics["expected_return"]
    >>> highest_sharpe(mean_risk_problem(m, Variance()), earned, 1.0, "direct")[0].weights.round(5).tolist()
    [0.75, 0.25]
    """
    gamma, low, high, previous = start, 0.0, math.inf, None
    for step in range(1, MAX_STEPS + 1):
        allocation = optimise(replace(problem, measure=Variance(), risk_weight=0.5 * gamma), engine=engine)
        earned, variance = excess(allocation), allocation.diagnostics["risk"]
        miss = gamma * variance - earned
        if variance <= 0.0 < earned or abs(miss) <= _TOLERANCE * earned or high - low <= _ROUNDING * low:
            return allocation, step
        low, high = (gamma, high) if miss < 0.0 else (low, gamma)
        if high < _SEARCH * start:
            if earned <= 0.0:
                return allocation, step
            raise UnboundedError(
                "the Sharpe ratio rises for ever as weights grow: the portfolio of least risk earns no more than the "
                "risk-free return, and nothing bounds the others. Give Bounds or GrossLeverage, or a lower risk_free."
            )
        gamma, previous = _next(gamma, miss, low, high, previous), (gamma, miss)
    raise SolverError(
        f"the risk aversion of the highest Sharpe ratio was not found in {MAX_STEPS} steps; the last was {gamma:.6g}. "
        "Use engine='cvxpy'.",
        status="not converged",
        solver="mean-variance search",
    )


def _next(gamma: float, miss: float, low: float, high: float, previous: tuple[float, float] | None) -> float:
    """The secant through the last two points if it stays between the sides, else a step towards the open one."""
    if previous is not None and previous[1] != miss:
        secant = gamma - miss * (gamma - previous[0]) / (miss - previous[1])
        if low < secant < high:
            return secant
    if math.isinf(high):
        return 4.0 * gamma
    return 0.25 * gamma if low <= 0.0 else math.sqrt(low * high)
