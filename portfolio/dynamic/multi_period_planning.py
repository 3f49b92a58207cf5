r"""Multi-period planning: the best trades for a sequence of expected returns, with or without limits.

Certainty equivalence: expected returns of the coming periods stand for the scenarios, the first trade is made, and
next period one plans anew. Without limits the first trade is that of `garleanu_pedersen`, as the horizon grows.
Limits are the objects of `portfolio.constraints`, stated for every period and solved through `portfolio.convex_solver`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, final

import cvxpy as cp
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from portfolio.asset_vector import AssetValues, asset_vector
from portfolio.cardinality import Cardinality
from portfolio.constraints import Constraint
from portfolio.convex_solver import solve
from portfolio.decision_model import DecisionModel, NamedLimit
from portfolio.dynamic.checked_arrays import checked_discount, cost_matrix, finite_array, positive_definite
from portfolio.limit_statement import named_limits_of, with_defaults
from portfolio.mean_risk_problem import checked_risk_aversion
from tsgen.errors import ConfigError, DataError
from tsgen.scenario_set import ScenarioSet

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class TradePlan:
    """Planned positions; only the first trade is meant to be made.

    Parameters
    ----------
    positions : DataFrame, index period (from 0), columns asset
        Held after the trade of each period.
    trades : DataFrame, index period, columns asset
    objective : float
        Discounted utility of the plan.
    status : {"exact", "optimal", "optimal_inaccurate"}
        ``"exact"``: no limits, solved by recursion.
    """

    positions: pd.DataFrame
    trades: pd.DataFrame
    objective: float
    status: Literal["exact", "optimal", "optimal_inaccurate"]

    @property
    def first_trade(self) -> pd.Series:
        """The trade of now, index asset."""
        return self.trades.iloc[0].rename("trade")


def plan_trades(
    expected_returns: ArrayLike | ScenarioSet,
    *,
    covariance: ArrayLike,
    costs: Any,
    risk_aversion: float,
    discount: float,
    position: AssetValues | None = None,
    constraints: Iterable[Constraint] = (),
) -> TradePlan:
    r"""Plan trades for a sequence of expected returns.

    Maximises :math:`\sum_k [\delta^{k+1}(x_k'm_k - \tfrac{\gamma}{2}x_k'\Sigma x_k) - \tfrac12\delta^k
    \Delta x_k'\Lambda\Delta x_k]` over the positions :math:`x_0, x_1, \dots` of all periods.

    Parameters
    ----------
    expected_returns : array of shape (period, asset) or ScenarioSet
        :math:`m_k`, earned by the position after the trade of period k. Of scenarios, the probability-weighted mean of
        simple returns, period by period.
    covariance, costs, risk_aversion, discount
        As in `garleanu_pedersen`.
    position : float per asset, optional
        Held now; by default nothing.
    constraints : iterable of Constraint
        Hold in every period. **None is added: without any, positions may be long and short, of any sum.**

    Returns
    -------
    TradePlan

    Raises
    ------
    InfeasibleError
        If no positions satisfy the constraints; names the conflict and the period.
    ConfigError, DataError, ShapeError
        If an input is unusable.

    References
    ----------
    Boyd et al. (2017), "Multi-period trading via convex optimization", section 5.

    Examples
    --------
    >>> plan = plan_trades([[0.01], [0.01]], covariance=[[0.04]], costs=[[0.1]], risk_aversion=5.0, discount=0.98)
    >>> plan.positions[0].round(4).tolist(), plan.status
    ([0.0361, 0.0453], 'exact')
    """
    if isinstance(expected_returns, ScenarioSet):
        assets = expected_returns.assets
        simple = expected_returns.to_kind("simple").returns
        means = np.einsum("s,sta->ta", expected_returns.weights, simple)
    else:
        means = finite_array(expected_returns, (None, None), "expected_returns (period, asset)")
        assets = tuple(str(i) for i in range(means.shape[1]))
    if not means.size:
        raise DataError("a plan needs at least one period and one asset. Give expected returns (period, asset).")
    sigma = positive_definite(covariance, len(assets), "covariance")
    charged = cost_matrix(costs, len(assets), assets)
    start = np.zeros(len(assets)) if position is None else asset_vector(position, assets, what="position")
    data = _PlanData(
        means=means,
        risk=checked_risk_aversion(risk_aversion) * sigma,
        charged=charged,
        discount=checked_discount(discount),
        start=start,
        assets=assets,
    )
    given, _ = with_defaults(constraints)
    return _limited(data, given) if given else _free(data)


@dataclass(frozen=True, eq=False, kw_only=True)
class _PlanData:
    means: Array
    risk: Array
    charged: Array
    discount: float
    start: Array
    assets: tuple[str, ...]

    def plan(self, positions: Array, status: Literal["exact", "optimal", "optimal_inaccurate"]) -> TradePlan:
        trades = np.diff(positions, axis=0, prepend=self.start[None])
        weights = self.discount ** np.arange(len(positions))
        earned = (positions * (self.means - 0.5 * positions @ self.risk)).sum(axis=1)
        paid = 0.5 * (trades * (trades @ self.charged)).sum(axis=1)
        index, names = pd.RangeIndex(len(positions), name="period"), pd.Index(self.assets, name="asset")
        if self.assets == tuple(str(i) for i in range(len(self.assets))):
            names = pd.RangeIndex(len(self.assets), name="asset")
        return TradePlan(
            positions=pd.DataFrame(positions, index=index, columns=names),
            trades=pd.DataFrame(trades, index=index, columns=names),
            objective=float(weights @ (self.discount * earned - paid)),
            status=status,
        )


def _free(data: _PlanData) -> TradePlan:
    """Dynamic programming backwards (value ``-x'Ax/2 + h'x``), then forwards."""
    delta, spread = data.discount, data.charged / data.discount
    value, slope = np.zeros_like(data.risk), np.zeros(len(data.assets))
    steps = []
    for mean in data.means[::-1]:
        curvature = data.risk + spread + value
        answer = np.linalg.solve(curvature, np.column_stack([spread, mean + slope]))
        steps.append(answer)
        value, slope = delta * (spread - spread @ answer[:, :-1]), delta * spread @ answer[:, -1]
    positions, held = [], data.start
    for answer in reversed(steps):
        held = answer[:, :-1] @ held + answer[:, -1]
        positions.append(held)
    return data.plan(np.array(positions), "exact")


def _limited(data: _PlanData, given: Sequence[Constraint]) -> TradePlan:
    if any(isinstance(one, Cardinality) for one in given):
        raise ConfigError(
            "a plan cannot limit the number of assets. Plan without Cardinality, and limit the first trade."
        )
    models: list[DecisionModel] = []
    limits: list[NamedLimit] = []
    loss: cp.Expression = cp.Constant(0.0)
    root_risk, root_cost = np.linalg.cholesky(data.risk).T, np.linalg.cholesky(data.charged).T
    for k, mean in enumerate(data.means):
        # the position held before is itself unknown, except for the first
        before: Any = models[-1].weights if models else data.start
        model = DecisionModel(data.assets, before)
        weight = data.discount**k
        held = model.weights
        earned = mean @ held - 0.5 * cp.sum_squares(root_risk @ held)
        loss = loss - weight * data.discount * earned + 0.5 * weight * cp.sum_squares(root_cost @ (held - before))
        models.append(model)
        stated = named_limits_of(given, (), model)
        limits += [replace(one, name=f"{one.name} in period {k}") for one in stated] if k else list(stated)
    first = models[0]
    first.definitions = [definition for model in models for definition in model.definitions]
    size = float(np.abs(data.means).max()) + float(np.abs(data.risk).max())
    solution = solve(first, loss, limits, scale=1.0 / size)
    positions = np.array([model.weights.value for model in models], dtype=np.float64)
    return data.plan(positions, solution.status)
