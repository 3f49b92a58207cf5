"""Efficient frontiers: the best trade-off between any two measures, as numbers, weights and a figure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
import pandas as pd

from portfolio.allocation import Allocation
from portfolio.asset_vector import AssetValues
from portfolio.constraints import Constraint
from portfolio.costs import Cost
from portfolio.engines import EngineChoice
from portfolio.mean_risk import optimise
from portfolio.mean_risk_problem import MeanRiskProblem, mean_risk_problem
from portfolio.moments import HorizonMoments
from portfolio.risk_constraints import MinimumReturn, RiskBudget
from portfolio.risk_measures import RiskMeasure, Volatility
from portfolio.wealth import LinearConvention
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet

if TYPE_CHECKING:
    import plotly.graph_objects as go

_VOLATILITY = Volatility()
RETURN = "expected_return"
# the ends of the grid are optima of the other measure: reachable only up to the solver's accuracy
_END_SLACK = 1e-7


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class EfficientFrontier:
    """Portfolios between two ends, each the best in one measure for its value of the other.

    Parameters
    ----------
    points : DataFrame
        One row per portfolio; columns ``risk`` (the first measure) and ``expected_return`` (after costs) or
        ``against`` (the second measure), decimals over the horizon, recomputed from the weights.
    weights : DataFrame
        Same rows, one column per asset.
    allocations : tuple of Allocation
        Same order, with status and diagnostics.
    risk, against : str
        Names of the measures.

    Examples
    --------
    >>> m = HorizonMoments(mean=np.array([0.0, 0.1]), covariance=np.eye(2), assets=("A", "B"), horizon=1)
    >>> efficient_frontier(m, n_points=2).weights.round(4).to_numpy().tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """

    points: pd.DataFrame
    weights: pd.DataFrame
    allocations: tuple[Allocation, ...]
    risk: str
    against: str

    def plot(self) -> "go.Figure":
        """Figure (plotly) of the frontier; the weights show on hovering."""
        # loaded here: half a second that optimisers do not need
        import plotly.graph_objects as go

        labels = [
            "<br>".join(f"{asset} {value:.1%}" for asset, value in row.items() if abs(value) >= 5e-4)
            for _, row in self.weights.iterrows()
        ]
        against = self.points.columns[1]
        line = go.Scatter(
            x=self.points["risk"].to_numpy(),
            y=self.points[against].to_numpy(),
            mode="lines+markers",
            text=labels,
            name="efficient frontier",
            hovertemplate="risk %{x:.2%}<br>" + against + " %{y:.2%}<br>%{text}<extra></extra>",
        )
        figure = go.Figure(line)
        figure.update_layout(
            title="Efficient frontier",
            xaxis={"title": {"text": self.risk}, "tickformat": ".1%"},
            yaxis={"title": {"text": "expected return" if against == RETURN else self.against}, "tickformat": ".1%"},
            template="plotly_white",
        )
        return figure


def efficient_frontier(
    scenarios: ScenarioSet | HorizonMoments,
    *,
    risk: RiskMeasure = _VOLATILITY,
    against: RiskMeasure | None = None,
    n_points: int = 20,
    constraints: Iterable[Constraint] = (),
    costs: Cost | None = None,
    previous: AssetValues | None = None,
    wealth: LinearConvention = "buy_and_hold",
    engine: EngineChoice = "auto",
) -> EfficientFrontier:
    """Portfolios of least ``risk`` for evenly spaced values of another measure.

    Parameters
    ----------
    scenarios : ScenarioSet or HorizonMoments
        Moments alone are enough for `Variance`, `Volatility` and `TrackingError`.
    risk : RiskMeasure
    against : RiskMeasure, optional
        The other side of the trade-off; by default the expected return after costs.
    n_points : int
        At least 2; the first portfolio has the least ``risk``, the last the best other measure.
    constraints, costs, previous
        As in `mean_variance`.
    wealth : {"buy_and_hold", "rebalanced"}
        Convention of return and risk, see `portfolio.wealth`.
    engine : {"auto", "cvxpy", "direct"} or Engine
        As in `mean_variance`; solves every point.

    Returns
    -------
    EfficientFrontier

    Raises
    ------
    InfeasibleError
        If no weights satisfy the constraints; names a minimal conflicting set.
    UnboundedError, SolverError, ConfigError, DataError, ShapeError
        As in `mean_variance`.

    References
    ----------
    Markowitz (1952), "Portfolio selection".

    Examples
    --------
    >>> from portfolio.drawdown import MaximumDrawdown
    >>> s = ScenarioSet([[[0.1, 0.0]], [[-0.1, 0.01]]], assets=["A", "B"], kind="simple")
    >>> efficient_frontier(s, risk=MaximumDrawdown(), against=Volatility(), n_points=3).points.shape
    (3, 2)
    """
    if isinstance(n_points, bool) or not isinstance(n_points, (int, np.integer)) or n_points < 2:
        raise ConfigError(f"n_points must be an integer of at least 2: got {n_points!r}.")
    problem = mean_risk_problem(scenarios, risk, constraints=constraints, costs=costs, previous=previous, wealth=wealth)
    least_risk = replace(problem, return_weight=0.0)
    if against is None:
        best_other = replace(problem, risk_weight=0.0)
    else:
        best_other = replace(least_risk, measure=_checked_other(against, risk))
    ends = [_other(optimise(one, engine=engine), problem, against) for one in (least_risk, best_other)]
    allocations = [_between(least_risk, value, against, engine) for value in np.linspace(ends[0], ends[1], n_points)]
    return _frontier(allocations, problem, against)


def _checked_other(against: RiskMeasure, risk: RiskMeasure) -> RiskMeasure:
    if isinstance(against, type) or not isinstance(against, RiskMeasure) or against == risk:
        raise ConfigError(f"against must be another risk measure, or None for the expected return: got {against!r}.")
    return against


def _between(
    least_risk: MeanRiskProblem, value: float, against: RiskMeasure | None, engine: EngineChoice
) -> Allocation:
    """Least risk where the other measure is at least as good as ``value``."""
    slack = _END_SLACK * max(abs(value), 1e-3)
    limit = MinimumReturn(value - slack) if against is None else RiskBudget(against, value + slack)
    return optimise(replace(least_risk, given=(*least_risk.given, limit)), engine=engine)


def _other(allocation: Allocation, problem: MeanRiskProblem, against: RiskMeasure | None) -> float:
    facts = allocation.diagnostics
    if against is None:
        return facts["expected_return"] - facts["worst_case_loss"] - facts["cost"]
    return against.value(allocation.weights.to_numpy(), problem.outlook)


def _frontier(
    allocations: list[Allocation], problem: MeanRiskProblem, against: RiskMeasure | None
) -> EfficientFrontier:
    column = RETURN if against is None else "against"
    points = pd.DataFrame(
        {
            "risk": [allocation.diagnostics["risk"] for allocation in allocations],
            column: [_other(allocation, problem, against) for allocation in allocations],
        }
    )
    return EfficientFrontier(
        points=points.rename_axis("point"),
        weights=pd.DataFrame(
            [allocation.weights.to_numpy() for allocation in allocations], columns=list(problem.assets)
        )
        .rename_axis("point")
        .rename_axis("asset", axis=1),
        allocations=tuple(allocations),
        risk=repr(problem.measure),
        against=RETURN if against is None else repr(against),
    )
