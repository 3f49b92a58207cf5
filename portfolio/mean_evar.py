"""Mean-EVaR portfolios on scenarios with probabilities."""

from collections.abc import Iterable
from dataclasses import replace

from portfolio.allocation import Allocation
from portfolio.asset_vector import AssetValues
from portfolio.constraints import Constraint
from portfolio.costs import Cost
from portfolio.mean_risk import optimise
from portfolio.mean_risk_problem import checked_risk_aversion, mean_risk_problem
from portfolio.risk_measures import EntropicValueAtRisk
from portfolio.wealth import LinearConvention
from tsgen.scenario_set import ScenarioSet


def mean_evar(
    scenarios: ScenarioSet,
    *,
    risk_aversion: float,
    level: float = 0.95,
    constraints: Iterable[Constraint] = (),
    costs: Cost | None = None,
    previous: AssetValues | None = None,
    wealth: LinearConvention = "buy_and_hold",
) -> Allocation:
    r"""Weights that maximise expected return less entropic value at risk less costs.

    :math:`\mu'w - \lambda\,\mathrm{EVaR}_\beta(-x'w) - \mathrm{costs}(w - w_0)`, x the gain over the horizon.

    Parameters
    ----------
    scenarios : ScenarioSet
        Simple or log returns over the horizon of the decision; probabilities are used.
    risk_aversion : float
        :math:`\lambda > 0`, dimensionless: return given up per unit of risk.
    level : float
        :math:`\beta`, strictly between 0 and 1.
    constraints, costs, previous
        As in `mean_variance`: without `Bounds`, ``Bounds(0, 1)``; without `Budget` or `NetLeverage`, ``Budget(1)``;
        without previous weights trading starts from cash.
    wealth : {"buy_and_hold", "rebalanced"}
        Convention of return and risk, see `portfolio.wealth`. The compounded rebalanced one cannot be optimised.

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

    References
    ----------
    Ahmadi-Javid (2012), "Entropic value-at-risk: a new coherent risk measure". Cajas (2021), "Entropic portfolio
    optimization: a disciplined convex programming framework".

    Examples
    --------
    >>> s = ScenarioSet([[[0.1, 0.0]], [[-0.1, 0.01]]], assets=["A", "B"], kind="simple")
    >>> mean_evar(s, risk_aversion=1.0, level=0.5).weights.round(6).tolist()
    [0.047619, 0.952381]
    """
    aversion = checked_risk_aversion(risk_aversion)
    problem = mean_risk_problem(
        scenarios, EntropicValueAtRisk(level), constraints=constraints, costs=costs, previous=previous, wealth=wealth
    )
    return optimise(replace(problem, risk_weight=aversion), risk_aversion=aversion)
