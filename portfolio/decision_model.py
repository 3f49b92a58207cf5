"""The unknowns of one rebalancing decision: weights, and what is defined through them.

Constraints, costs and risk measures are written against this object, so that each knows the assets,
the previous weights, the outlook and the variables, and nothing else. Limits are affine; whatever is
curved is a definition of an auxiliary variable, stated as a cone, so that the optimality conditions
can be checked exactly. States problems; never solves them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray

from portfolio.outlook import Outlook
from tsgen.errors import ConfigError

if TYPE_CHECKING:
    from portfolio.costs import Cost
    from portfolio.risk_measures import RiskMeasure
    from portfolio.robust import CovarianceBox, MeanEllipsoid


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class NamedLimit:
    """One limit as the solver sees it, with the name under which errors and duals report it.

    Parameters
    ----------
    name : str
        For example ``"Bounds upper 0.2"``.
    constraint : cvxpy Equality or Inequality
        The whole limit, in terms of `DecisionModel` variables; convex and differentiable.
    rows : tuple of str
        Assets of the entries of ``constraint``, where it is one inequality per asset; used to say *whose* bound is
        at fault.
    default : bool
        Added because the caller gave none of this type.
    """

    name: str
    constraint: cp.Constraint
    rows: tuple[str, ...] = ()
    default: bool = False


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class DecisionContext:
    """What a decision knows besides its assets; every entry may be absent.

    Parameters
    ----------
    outlook : Outlook, optional
        Needed by expected returns and risk.
    costs : Cost, optional
        Taken off the expected return.
    mean_ellipsoid, covariance_box : optional
        Uncertainty sets of the moments.
    box : pair of ndarrays of shape (asset,), optional
        Lowest and highest weight of each asset according to all `Bounds`; needed by cardinality limits.
    conic : bool
        State squares as second-order cones, so that everything else is affine (mixed-integer problems).
    """

    outlook: Outlook | None = None
    costs: "Cost | None" = None
    mean_ellipsoid: "MeanEllipsoid | None" = None
    covariance_box: "CovarianceBox | None" = None
    box: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    conic: bool = False


@final
class DecisionModel:
    """Variables of one decision.

    Parameters
    ----------
    assets : sequence of str
        Names, in the order of the weights.
    previous : ndarray of shape (asset,), optional
        Weights held before the decision; ``None`` means cash only.
    context : DecisionContext, optional
        Outlook, costs and the like.

    Attributes
    ----------
    weights : cvxpy Variable of shape (asset,)
    definitions : list of cvxpy constraints
        What defines the auxiliary variables; every problem must contain them.
    indicators : cvxpy Variable of shape (asset,) or None
        One where an asset may be held; to be made binary by the solver. Present if a limit asked for it.
    reach : cvxpy Parameter
        Factor on the box within which ``indicators`` allow a weight; the search for conflicts widens it, so that
        the indicators do not do the work of the bounds.

    Examples
    --------
    >>> model = DecisionModel(["A", "B"], None)
    >>> model.weights.shape, model.start.tolist()
    ((2,), [0.0, 0.0])
    """

    def __init__(
        self, assets: Sequence[str], previous: NDArray[np.float64] | None, context: DecisionContext | None = None
    ) -> None:
        self.assets = tuple(assets)
        self.previous = previous
        self.start = np.zeros(len(self.assets)) if previous is None else previous
        self.context = DecisionContext() if context is None else context
        self.weights = cp.Variable(len(self.assets), name="weights")
        self.definitions: list[cp.Constraint] = []
        self.indicators: cp.Variable | None = None
        self.reach = cp.Parameter(nonneg=True, value=1.0, name="reach")
        self._sizes: dict[tuple[object, ...], cp.Variable] = {}
        self._risks: list[tuple[RiskMeasure, cp.Expression]] = []
        self._net_return: cp.Expression | None = None
        self._drawdowns: cp.Variable | None = None

    def outlook(self, purpose: str) -> Outlook:
        """The outlook; raises `ConfigError` naming ``purpose`` if there is none."""
        if self.context.outlook is None:
            raise ConfigError(f"{purpose} needs scenarios or moments, and this problem has none.")
        return self.context.outlook

    def trade_sizes(self, positions: Sequence[int] | None = None) -> cp.Variable:
        """Variable that is at least ``|weights - previous|`` for the assets at ``positions`` (default: all).

        Written with affine inequalities instead of an absolute value, so that the optimality
        conditions are those of a differentiable problem and can be checked exactly.
        """
        key = tuple(range(len(self.assets))) if positions is None else tuple(int(i) for i in positions)
        return self._absolute("trade_sizes", key, self.start)

    def position_sizes(self) -> cp.Variable:
        """Variable that is at least ``|weights|``."""
        return self._absolute("position_sizes", tuple(range(len(self.assets))), np.zeros(len(self.assets)))

    def _absolute(self, what: str, key: tuple[int, ...], origin: NDArray[np.float64]) -> cp.Variable:
        name = (what, *key)
        if name not in self._sizes:
            size = cp.Variable(len(key), name=f"{what}_{len(self._sizes)}")
            index = list(key)
            distance = self.weights[index] - origin[index]
            self.definitions += [distance <= size, -distance <= size]
            self._sizes[name] = size
        return self._sizes[name]

    def allowed(self) -> cp.Variable:
        """Indicators of shape (asset,): a weight can differ from zero only where its indicator is one."""
        if self.indicators is None:
            box = self.context.box
            if box is None or not np.isfinite(box).all():
                raise ConfigError(
                    "a limit on the number of assets needs finite Bounds on every asset. Give both sides."
                )
            self.indicators = cp.Variable(len(self.assets), name="indicators")
            reach_low = self.reach * np.minimum(box[0], 0.0)
            reach_high = self.reach * np.maximum(box[1], 0.0)
            self.definitions += [
                self.weights <= cp.multiply(reach_high, self.indicators),
                -self.weights <= cp.multiply(-reach_low, self.indicators),
                self.indicators <= 1.0,
                -self.indicators <= 0.0,
            ]
        return self.indicators

    def norm(self, vector: cp.Expression) -> cp.Variable:
        """Variable that is at least the Euclidean norm of an affine vector."""
        length = cp.Variable(name="norm")
        self.definitions.append(cp.SOC(length, vector))
        return length

    def sum_of_squares(self, vector: cp.Expression, size: float) -> cp.Expression:
        """Sum of squares of an affine vector, whose norm is of order ``size``; a cone in conic models."""
        if not self.context.conic:
            return cp.sum_squares(vector)
        square = cp.Variable(name="square")
        # |x|^2 <= q as |(2x, q/s - s)| <= q/s + s: both legs of order s, or digits are lost
        length = size if size > 0 else 1.0
        legs = cp.hstack([2.0 * vector, square / length - length])
        self.definitions.append(cp.SOC(square / length + length, legs))
        return square

    def risk(self, measure: "RiskMeasure") -> cp.Expression:
        """The measure in terms of the variables; stated once, however often it is used."""
        for known, expression in self._risks:
            if known == measure:
                return expression
        expression = measure.expression(self)
        self._risks.append((measure, expression))
        return expression

    def net_return(self) -> cp.Expression:
        """Expected return (the worst one, where the mean is uncertain) less costs, over the horizon; concave."""
        if self._net_return is None:
            moments = self.outlook("an expected return").moments
            earned: cp.Expression = moments.mean @ self.weights
            if self.context.mean_ellipsoid is not None:
                earned = earned - self.context.mean_ellipsoid.expression(self)
            if self.context.costs is not None:
                earned = earned - self.context.costs.expression(self)
            self._net_return = earned
        return self._net_return

    def drawdowns(self) -> cp.Variable:
        """Variable of shape (scenario * time,), scenarios one after the other, at least the drawdown on each path."""
        if self._drawdowns is None:
            wealth = self.outlook("a drawdown").scenario_wealth("a drawdown")
            n_scenarios, n_times, n_assets = wealth.gains.shape
            steps = np.diff(wealth.gains, axis=1, prepend=0.0).reshape(-1, n_assets)
            depth = cp.Variable(n_scenarios * n_times, name="drawdowns")
            first = np.arange(n_scenarios) * n_times
            later = np.setdiff1d(np.arange(n_scenarios * n_times), first)
            # D_t >= D_{t-1} - (W_t - W_{t-1}), D_0 = 0: every path starts at its own peak
            self.definitions += [-depth <= 0.0, -depth[first] - steps[first] @ self.weights <= 0.0]
            if len(later):
                self.definitions.append(depth[later - 1] - depth[later] - steps[later] @ self.weights <= 0.0)
            self._drawdowns = depth
        return self._drawdowns

    def definitions_of(self, expressions: Iterable[cp.Expression | cp.Constraint]) -> list[cp.Constraint]:
        """Definitions of the auxiliary variables in ``expressions``, and of those that these depend on."""
        shared = {self.weights.id} | ({self.indicators.id} if self.indicators is not None else set())
        wanted = {variable.id for expression in expressions for variable in expression.variables()}
        always = self.indicators is not None and self.indicators.id in wanted
        own = [{variable.id for variable in definition.variables()} - shared for definition in self.definitions]
        grown = True
        while grown:
            reached = set().union(*(names for names in own if names & wanted))
            grown = not reached <= wanted
            wanted |= reached
        return [
            definition
            for definition, names in zip(self.definitions, own, strict=True)
            if names & wanted or (always and not names)
        ]
