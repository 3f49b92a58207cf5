"""The best ratio of return to risk; the maximum Sharpe ratio is that of volatility."""

import math
from collections.abc import Iterable
from dataclasses import replace

from portfolio.allocation import Allocation
from portfolio.asset_vector import AssetValues
from portfolio.constraints import Constraint, finite_number
from portfolio.costs import Cost
from portfolio.engines import EngineChoice
from portfolio.errors import SolverError, UnboundedError
from portfolio.fast_solvers import DirectEngine, DirectRefusal
from portfolio.mean_risk import optimise
from portfolio.mean_risk_problem import MeanRiskProblem, mean_risk_problem
from portfolio.moments import HorizonMoments
from portfolio.risk_constraints import RiskBudget
from portfolio.risk_measures import RiskMeasure, Volatility
from portfolio.sharpe_by_variance import highest_sharpe
from portfolio.wealth import LinearConvention
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet

_VOLATILITY = Volatility()
# Dinkelbach's steps converge faster than linearly: six is usual
_MAX_STEPS = 50
_RATIO_TOLERANCE = 1e-10
# of the largest volatility of an asset, and in decimals: what solvers and rounding leave of no risk at all
_RISKLESS, _ROUNDING = 1e-5, 1e-12


def maximum_ratio(
    scenarios: ScenarioSet | HorizonMoments,
    *,
    measure: RiskMeasure = _VOLATILITY,
    risk_free: float = 0.0,
    constraints: Iterable[Constraint] = (),
    costs: Cost | None = None,
    previous: AssetValues | None = None,
    wealth: LinearConvention = "buy_and_hold",
    engine: EngineChoice = "auto",
) -> Allocation:
    """Weights of the highest (expected return after costs less risk-free return) per unit of risk.

    Parameters
    ----------
    scenarios, measure, constraints, costs, previous, wealth
        As in `target_return`.
    risk_free : float
        Simple return over the horizon that could be earned without risk.
    engine : {"auto", "cvxpy", "direct"} or Engine
        As in `mean_variance`; solves every problem of the search.

    Returns
    -------
    Allocation
        ``objective`` is the ratio; ``diagnostics["steps"]`` the number of problems solved.

    Raises
    ------
    ConfigError
        If no portfolio within the constraints earns more than the risk-free return, or one does so without risk:
        the ratio then means nothing.
    InfeasibleError, UnboundedError, SolverError, DataError, ShapeError
        As in `mean_variance`.

    Notes
    -----
    The ratio of a concave and a convex function, maximised by Dinkelbach's method: maximise return less
    ``q`` times risk, set ``q`` to the ratio found, repeat. All constraints and costs keep their meaning, which
    they do not under the usual change of variables. Duals are those of the last of these problems. The direct engines
    do not take return less volatility: for them the search is over the risk aversion of mean-variance problems
    (`portfolio.sharpe_by_variance`), with the same result.

    References
    ----------
    Dinkelbach (1967), "On nonlinear fractional programming", section 3. Sharpe (1966), "Mutual fund performance".

    Examples
    --------
    >>> import numpy as np
    >>> m = HorizonMoments(mean=np.array([0.1, 0.1]), covariance=np.diag([1.0, 3.0]), assets=("A", "B"), horizon=1)
    >>> maximum_ratio(m).weights.round(5).tolist()
    [0.75, 0.25]
    """
    free = finite_number(risk_free, "risk_free")
    problem = mean_risk_problem(
        scenarios, measure, constraints=constraints, costs=costs, previous=previous, wealth=wealth
    )
    if problem.measure.degree != 1:
        raise ConfigError(f"a ratio needs a measure in units of return, such as Volatility(): got {measure!r}.")
    allocation, steps = _best(problem, free, engine)
    facts = {**allocation.diagnostics, "risk_free": free, "steps": steps}
    return replace(allocation, objective=_ratio(allocation, problem, free), diagnostics=facts)


def maximum_sharpe(
    scenarios: ScenarioSet | HorizonMoments,
    *,
    risk_free: float = 0.0,
    constraints: Iterable[Constraint] = (),
    costs: Cost | None = None,
    previous: AssetValues | None = None,
    wealth: LinearConvention = "buy_and_hold",
    engine: EngineChoice = "auto",
) -> Allocation:
    """Weights of the highest Sharpe ratio over the horizon; `maximum_ratio` with `Volatility`.

    Parameters
    ----------
    scenarios, risk_free, constraints, costs, previous, wealth, engine
        As in `maximum_ratio`.

    Returns
    -------
    Allocation
        ``objective`` is the Sharpe ratio over the horizon, not annualised.

    Raises
    ------
    ConfigError, InfeasibleError, UnboundedError, SolverError, DataError, ShapeError
        As in `maximum_ratio`.

    Examples
    --------
    >>> import numpy as np
    >>> m = HorizonMoments(mean=np.array([0.2, 0.1]), covariance=np.eye(2), assets=("A", "B"), horizon=1)
    >>> maximum_sharpe(m).weights.round(5).tolist()
    [0.66667, 0.33333]
    """
    return maximum_ratio(
        scenarios,
        measure=_VOLATILITY,
        risk_free=risk_free,
        constraints=constraints,
        costs=costs,
        previous=previous,
        wealth=wealth,
        engine=engine,
    )


def _best(problem: MeanRiskProblem, risk_free: float, engine: EngineChoice) -> tuple[Allocation, int]:
    """The allocation of highest ratio, and the number of problems solved."""
    direct = engine == "direct" or isinstance(engine, DirectEngine)
    if not isinstance(problem.measure, Volatility) or not (direct or engine == "auto"):
        return _dinkelbach(problem, risk_free, engine)
    try:
        return _by_variance(problem, risk_free, engine if direct else "direct")
    except (DirectRefusal, SolverError):
        if direct:
            raise
    return _dinkelbach(problem, risk_free, engine)


def _dinkelbach(problem: MeanRiskProblem, risk_free: float, engine: EngineChoice) -> tuple[Allocation, int]:
    allocation = _start(problem, engine)
    ratio, steps = _ratio(allocation, problem, risk_free), 1
    while steps < _MAX_STEPS:
        following = optimise(replace(problem, risk_weight=ratio), engine=engine)
        better = _ratio(following, problem, risk_free)
        steps += 1
        if better > ratio:
            allocation = following
        if better <= ratio * (1.0 + _RATIO_TOLERANCE):
            break
        ratio = better
    return allocation, steps


def _by_variance(problem: MeanRiskProblem, risk_free: float, engine: EngineChoice) -> tuple[Allocation, int]:
    """As `_dinkelbach`, for volatility."""
    moments = problem.outlook.moments
    start, steps = 1.0 / max(float(moments.covariance.diagonal().max()), 1e-300), 1
    try:
        highest = optimise(replace(problem, risk_weight=0.0), engine=engine)
        # refuses if nothing is earned
        start = _ratio(highest, problem, risk_free) / highest.diagnostics["risk"]
    except UnboundedError:
        start *= float(abs(moments.mean).max()) or 1.0
    found, more = highest_sharpe(problem, lambda one: _excess(one, risk_free), start, engine)
    facts = {"risk": found.diagnostics["volatility"], "risk_measure": repr(problem.measure)}
    return replace(found, diagnostics={**found.diagnostics, **facts}), steps + more


def _start(problem: MeanRiskProblem, engine: EngineChoice) -> Allocation:
    """Highest return; if that is unbounded, highest return at ten times the least risk."""
    try:
        return optimise(replace(problem, risk_weight=0.0), engine=engine)
    except (UnboundedError, SolverError):
        # without risk and without bounds the solver may also just not end
        least = optimise(replace(problem, return_weight=0.0), engine=engine).diagnostics["risk"]
        if not least > 0.0:
            raise
        budget = RiskBudget(problem.measure, 10.0 * least)
        return optimise(replace(problem, risk_weight=0.0, given=(*problem.given, budget)), engine=engine)


def _excess(allocation: Allocation, risk_free: float) -> float:
    facts = allocation.diagnostics
    return facts["expected_return"] - facts["worst_case_loss"] - facts["cost"] - risk_free


def _ratio(allocation: Allocation, problem: MeanRiskProblem, risk_free: float) -> float:
    largest = math.sqrt(float(problem.outlook.moments.covariance.diagonal().max()))
    facts, excess = allocation.diagnostics, _excess(allocation, risk_free)
    if not excess > 0.0:
        raise ConfigError(
            f"no portfolio within the constraints earns more than the risk-free return {risk_free:g}: the best excess "
            f"is {excess:.3g}, and a ratio of losses means nothing. Use minimum_risk, or a lower risk_free."
        )
    if not facts["risk"] > max(_RISKLESS * largest, _ROUNDING):
        raise ConfigError(
            f"a portfolio earns {excess:.3g} more than the risk-free return at no risk (risk {facts['risk']:.3g}): the "
            "ratio has no maximum. Use mean_variance or target_risk."
        )
    return excess / facts["risk"]
