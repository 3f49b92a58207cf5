"""Mean-drawdown portfolios: drawdown is measured on each scenario path, never on joined paths."""

from collections.abc import Iterable
from dataclasses import replace

from portfolio.allocation import Allocation
from portfolio.asset_vector import AssetValues
from portfolio.constraints import Constraint
from portfolio.costs import Cost
from portfolio.drawdown import AverageDrawdown, ConditionalDrawdownAtRisk, MaximumDrawdown, MaximumDrawdownCVaR
from portfolio.engines import EngineChoice
from portfolio.mean_risk import optimise
from portfolio.mean_risk_problem import checked_risk_aversion, mean_risk_problem
from portfolio.wealth import LinearConvention
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet

DrawdownMeasure = AverageDrawdown | ConditionalDrawdownAtRisk | MaximumDrawdownCVaR | MaximumDrawdown
_CDAR = ConditionalDrawdownAtRisk(0.95)


def mean_drawdown(
    scenarios: ScenarioSet,
    *,
    risk_aversion: float,
    measure: DrawdownMeasure = _CDAR,
    constraints: Iterable[Constraint] = (),
    costs: Cost | None = None,
    previous: AssetValues | None = None,
    wealth: LinearConvention = "buy_and_hold",
    engine: EngineChoice = "auto",
) -> Allocation:
    r"""Weights that maximise expected return less a drawdown measure less costs.

    :math:`\mu'w - \lambda\,D(w) - \mathrm{costs}(w - w_0)`.

    Parameters
    ----------
    scenarios : ScenarioSet
        Simple or log returns over the horizon of the decision; probabilities are used.
    risk_aversion : float
        :math:`\lambda > 0`, dimensionless: return given up per unit of risk.
    measure : AverageDrawdown, ConditionalDrawdownAtRisk, MaximumDrawdownCVaR or MaximumDrawdown
        By default CDaR at 95 %.
    constraints, costs, previous
        As in `mean_variance`: without `Bounds`, ``Bounds(0, 1)``; without `Budget` or `NetLeverage`, ``Budget(1)``;
        without previous weights trading starts from cash.
    wealth : {"buy_and_hold", "rebalanced"}
        Convention of return and risk, see `portfolio.wealth`. The compounded rebalanced one cannot be optimised.
    engine : {"auto", "cvxpy", "direct"} or Engine
        Who solves it, see `portfolio.engines.solve_with`. By default the direct solvers where they fit; only speed
        depends on it, and ``diagnostics["engine"]`` says which it was.

    Returns
    -------
    Allocation
        ``objective`` as above, decimals over the horizon; ``diagnostics`` as in `portfolio.mean_risk.optimise`,
        ``risk`` being the measure recomputed from the weights.

    Raises
    ------
    InfeasibleError
        If no weights satisfy the constraints; names a minimal conflicting set.
    UnboundedError, SolverError
        If a limit is missing, or the solver fails.
    ConfigError, DataError, ShapeError
        If an argument is unusable; the message says which and what to do.

    Warns
    -----
    InaccurateSolutionWarning
        If only reduced accuracy was reached.

    Notes
    -----
    Costs are certain and charged against the expected return; risk is that of the positions, before costs.
    Drawdowns are absolute (decimals of initial wealth), the start counts as a peak; a limit relative to the running
    peak is `RelativeDrawdownLimit`.

    References
    ----------
    Chekhlov, Uryasev and Zabarankin (2005), "Drawdown measure in portfolio optimization", section 5.

    Examples
    --------
    >>> s = ScenarioSet([[[0.1, 0.0]], [[-0.1, 0.01]]], assets=["A", "B"], kind="simple")
    >>> mean_drawdown(s, risk_aversion=1.0, measure=MaximumDrawdown()).weights.round(6).tolist()
    [0.0, 1.0]
    """
    aversion = checked_risk_aversion(risk_aversion)
    problem = mean_risk_problem(
        scenarios, _checked(measure), constraints=constraints, costs=costs, previous=previous, wealth=wealth
    )
    return optimise(replace(problem, risk_weight=aversion), engine=engine, risk_aversion=aversion)


def _checked(measure: DrawdownMeasure) -> DrawdownMeasure:
    if not isinstance(measure, DrawdownMeasure):
        raise ConfigError(
            "measure must be AverageDrawdown(), ConditionalDrawdownAtRisk(level), MaximumDrawdownCVaR(level) or "
            f"MaximumDrawdown(): got {measure!r}."
        )
    return measure
