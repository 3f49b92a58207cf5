"""The best ratio of return to risk; the maximum Sharpe ratio is that of volatility."""

from collections.abc import Iterable
from dataclasses import replace

from portfolio.allocation import Allocation
from portfolio.asset_vector import AssetValues
from portfolio.constraints import Constraint, finite_number
from portfolio.costs import Cost
from portfolio.errors import SolverError, UnboundedError
from portfolio.mean_risk import optimise
from portfolio.mean_risk_problem import MeanRiskProblem, mean_risk_problem
from portfolio.moments import HorizonMoments
from portfolio.risk_constraints import RiskBudget
from portfolio.risk_measures import RiskMeasure, Volatility
from portfolio.wealth import LinearConvention
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet

_VOLATILITY = Volatility()
# Dinkelbach's steps converge faster than linearly: six is usual
_MAX_STEPS = 50
_RATIO_TOLERANCE = 1e-10


def maximum_ratio(
    scenarios: ScenarioSet | HorizonMoments,
    *,
    measure: RiskMeasure = _VOLATILITY,
    risk_free: float = 0.0,
    constraints: Iterable[Constraint] = (),
    costs: Cost | None = None,
    previous: AssetValues | None = None,
    wealth: LinearConvention = "buy_and_hold",
) -> Allocation:
    """Weights of the highest (expected return after costs less risk-free return) per unit of risk.

    Parameters
    ----------
    scenarios, measure, constraints, costs, previous, wealth
        As in `target_return`.
    risk_free : float
        Simple return over the horizon that could be earned without risk.

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
    they do not under the usual change of variables. Duals are those of the last of these problems.

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
    allocation = _start(problem)
    ratio, steps = _ratio(allocation, free), 1
    while steps < _MAX_STEPS:
        following = optimise(replace(problem, risk_weight=ratio))
        better = _ratio(following, free)
        steps += 1
        if better <= ratio * (1.0 + _RATIO_TOLERANCE):
            allocation, ratio = (following, better) if better > ratio else (allocation, ratio)
            break
        allocation, ratio = following, better
    facts = {**allocation.diagnostics, "risk_free": free, "steps": steps}
    return replace(allocation, objective=ratio, diagnostics=facts)


def maximum_sharpe(
    scenarios: ScenarioSet | HorizonMoments,
    *,
    risk_free: float = 0.0,
    constraints: Iterable[Constraint] = (),
    costs: Cost | None = None,
    previous: AssetValues | None = None,
    wealth: LinearConvention = "buy_and_hold",
) -> Allocation:
    """Weights of the highest Sharpe ratio over the horizon; `maximum_ratio` with `Volatility`.

    Parameters
    ----------
    scenarios, risk_free, constraints, costs, previous, wealth
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
    )


def _start(problem: MeanRiskProblem) -> Allocation:
    """Highest return; if that is unbounded, highest return at ten times the least risk."""
    try:
        return optimise(replace(problem, risk_weight=0.0))
    except (UnboundedError, SolverError):
        # without risk and without bounds the solver may also just not end
        least = optimise(replace(problem, return_weight=0.0)).diagnostics["risk"]
        if not least > 0.0:
            raise
        budget = RiskBudget(problem.measure, 10.0 * least)
        return optimise(replace(problem, risk_weight=0.0, given=(*problem.given, budget)))


def _ratio(allocation: Allocation, risk_free: float) -> float:
    facts = allocation.diagnostics
    excess = facts["expected_return"] - facts["worst_case_loss"] - facts["cost"] - risk_free
    if not excess > 0.0:
        raise ConfigError(
            f"no portfolio within the constraints earns more than the risk-free return {risk_free:g}: the best excess "
            f"is {excess:.3g}, and a ratio of losses means nothing. Use minimum_risk, or a lower risk_free."
        )
    if not facts["risk"] > 1e-12:
        raise ConfigError(
            f"a portfolio earns {excess:.3g} more than the risk-free return at no risk (risk {facts['risk']:.3g}): the "
            "ratio has no maximum. Use mean_variance or target_risk."
        )
    return excess / facts["risk"]
