"""The classical questions: least risk, least risk for a return, most return for a risk.

Each takes any risk measure; volatility is the default. Minimum variance and minimum tracking error
are the same functions under the names by which they are known.
"""

from collections.abc import Iterable
from dataclasses import replace

from portfolio.allocation import Allocation
from portfolio.asset_vector import AssetValues
from portfolio.constraints import Constraint
from portfolio.costs import Cost
from portfolio.engines import EngineChoice
from portfolio.mean_risk import optimise
from portfolio.mean_risk_problem import mean_risk_problem
from portfolio.moments import HorizonMoments
from portfolio.risk_constraints import MinimumReturn, RiskBudget
from portfolio.risk_measures import RiskMeasure, TrackingError, Variance, Volatility
from portfolio.wealth import LinearConvention
from tsgen.scenario_set import ScenarioSet

_VOLATILITY = Volatility()


def minimum_risk(
    scenarios: ScenarioSet | HorizonMoments,
    *,
    measure: RiskMeasure = _VOLATILITY,
    constraints: Iterable[Constraint] = (),
    previous: AssetValues | None = None,
    wealth: LinearConvention = "buy_and_hold",
    engine: EngineChoice = "auto",
) -> Allocation:
    """Weights of least risk, whatever they earn.

    Parameters
    ----------
    scenarios : ScenarioSet or HorizonMoments
        Moments alone are enough for `Variance`, `Volatility` and `TrackingError`.
    measure : RiskMeasure
    constraints, previous
        As in `mean_variance`.
    wealth : {"buy_and_hold", "rebalanced"}
        Convention of return and risk, see `portfolio.wealth`.
    engine : {"auto", "cvxpy", "direct"} or Engine
        As in `mean_variance`.

    Returns
    -------
    Allocation
        ``objective`` is minus the risk.

    Raises
    ------
    InfeasibleError, UnboundedError, SolverError, ConfigError, DataError, ShapeError
        As in `mean_variance`.

    Examples
    --------
    >>> from portfolio.risk_measures import ConditionalValueAtRisk
    >>> s = ScenarioSet([[[0.1, 0.0]], [[-0.1, 0.01]]], assets=["A", "B"], kind="simple")
    >>> minimum_risk(s, measure=ConditionalValueAtRisk(0.5)).weights.round(6).tolist()
    [0.047619, 0.952381]
    """
    problem = mean_risk_problem(scenarios, measure, constraints=constraints, previous=previous, wealth=wealth)
    return optimise(replace(problem, return_weight=0.0), engine=engine)


def minimum_variance(
    scenarios: ScenarioSet | HorizonMoments,
    *,
    constraints: Iterable[Constraint] = (),
    previous: AssetValues | None = None,
    wealth: LinearConvention = "buy_and_hold",
    engine: EngineChoice = "auto",
) -> Allocation:
    """Weights of least variance; `minimum_risk` with `Variance`.

    Parameters
    ----------
    scenarios, constraints, previous, wealth, engine
        As in `minimum_risk`.

    Returns
    -------
    Allocation
        ``objective`` is minus the variance.

    Raises
    ------
    InfeasibleError, UnboundedError, SolverError, ConfigError, DataError, ShapeError
        As in `mean_variance`.

    Examples
    --------
    >>> import numpy as np
    >>> m = HorizonMoments(mean=np.zeros(2), covariance=np.diag([1.0, 3.0]), assets=("A", "B"), horizon=1)
    >>> minimum_variance(m).weights.round(6).tolist()
    [0.75, 0.25]
    """
    return minimum_risk(
        scenarios, measure=Variance(), constraints=constraints, previous=previous, wealth=wealth, engine=engine
    )


def minimum_tracking_error(
    scenarios: ScenarioSet | HorizonMoments,
    *,
    benchmark: dict[str, float],
    constraints: Iterable[Constraint] = (),
    previous: AssetValues | None = None,
    wealth: LinearConvention = "buy_and_hold",
    engine: EngineChoice = "auto",
) -> Allocation:
    """Weights that follow a benchmark portfolio as closely as the constraints allow.

    Parameters
    ----------
    scenarios, constraints, previous, wealth, engine
        As in `minimum_risk`.
    benchmark : mapping or Series of asset to float
        Weights of the benchmark; must name every asset.

    Returns
    -------
    Allocation
        ``objective`` is minus the tracking error over the horizon.

    Raises
    ------
    InfeasibleError, UnboundedError, SolverError, ConfigError, DataError, ShapeError
        As in `mean_variance`.

    Examples
    --------
    >>> from portfolio.constraints import Bounds
    >>> import numpy as np
    >>> m = HorizonMoments(mean=np.zeros(2), covariance=np.eye(2), assets=("A", "B"), horizon=1)
    >>> a = minimum_tracking_error(m, benchmark={"A": 0.7, "B": 0.3}, constraints=[Bounds(0, 0.6)])
    >>> a.weights.round(6).tolist()
    [0.6, 0.4]
    """
    return minimum_risk(
        scenarios,
        measure=TrackingError(benchmark),
        constraints=constraints,
        previous=previous,
        wealth=wealth,
        engine=engine,
    )


def target_return(
    scenarios: ScenarioSet | HorizonMoments,
    *,
    minimum: float,
    measure: RiskMeasure = _VOLATILITY,
    constraints: Iterable[Constraint] = (),
    costs: Cost | None = None,
    previous: AssetValues | None = None,
    wealth: LinearConvention = "buy_and_hold",
    engine: EngineChoice = "auto",
) -> Allocation:
    """Weights of least risk among those whose expected return after costs is at least ``minimum``.

    Parameters
    ----------
    scenarios, constraints, previous, wealth, engine
        As in `minimum_risk`.
    minimum : float
        Decimals over the horizon.
    measure : RiskMeasure
    costs : Cost, optional
        Taken off the expected return.

    Returns
    -------
    Allocation
        ``objective`` is minus the risk.

    Raises
    ------
    InfeasibleError
        If no weights earn that much within the constraints; names a minimal conflicting set.
    UnboundedError, SolverError, ConfigError, DataError, ShapeError
        As in `mean_variance`.

    Examples
    --------
    >>> import numpy as np
    >>> m = HorizonMoments(mean=np.array([0.0, 0.1]), covariance=np.eye(2), assets=("A", "B"), horizon=1)
    >>> target_return(m, minimum=0.08).weights.round(6).tolist()
    [0.2, 0.8]
    """
    limits = _with_limit(constraints, MinimumReturn(minimum))
    problem = mean_risk_problem(scenarios, measure, constraints=limits, costs=costs, previous=previous, wealth=wealth)
    return optimise(replace(problem, return_weight=0.0), engine=engine)


def target_risk(
    scenarios: ScenarioSet | HorizonMoments,
    *,
    maximum: float,
    measure: RiskMeasure = _VOLATILITY,
    constraints: Iterable[Constraint] = (),
    costs: Cost | None = None,
    previous: AssetValues | None = None,
    wealth: LinearConvention = "buy_and_hold",
    engine: EngineChoice = "auto",
) -> Allocation:
    """Weights of highest expected return after costs among those whose risk is at most ``maximum``.

    Parameters
    ----------
    scenarios, measure, constraints, costs, previous, wealth, engine
        As in `target_return`.
    maximum : float
        Decimals over the horizon, not annualised.

    Returns
    -------
    Allocation
        ``objective`` is the expected return after costs.

    Raises
    ------
    InfeasibleError
        If no weights are that safe within the constraints; names a minimal conflicting set.
    UnboundedError, SolverError, ConfigError, DataError, ShapeError
        As in `mean_variance`.

    Examples
    --------
    >>> import numpy as np
    >>> m = HorizonMoments(mean=np.array([0.0, 0.1]), covariance=np.diag([0.0, 0.04]), assets=("A", "B"), horizon=1)
    >>> target_risk(m, maximum=0.1).weights.round(6).tolist()
    [0.5, 0.5]
    """
    limits = _with_limit(constraints, RiskBudget(measure, maximum))
    problem = mean_risk_problem(scenarios, measure, constraints=limits, costs=costs, previous=previous, wealth=wealth)
    return optimise(replace(problem, risk_weight=0.0), engine=engine)


def _with_limit(constraints: Iterable[Constraint], limit: Constraint) -> Iterable[Constraint]:
    # anything but a sequence of constraints is left for the usual check and its message
    return (
        constraints
        if isinstance(constraints, Constraint) or not isinstance(constraints, Iterable)
        else (*constraints, limit)
    )
