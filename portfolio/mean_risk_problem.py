"""One portfolio problem as data, before any solver: what every engine takes and may refuse.

``maximise return_weight * (expected return - costs) - risk_weight * risk`` subject to constraints.
The named optimisers fill this in; `portfolio.mean_risk` gives it to an engine and reports.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from portfolio.asset_vector import AssetValues, asset_vector
from portfolio.cardinality import Cardinality
from portfolio.constraints import Bounds, Constraint
from portfolio.costs import Cost, checked_costs
from portfolio.limit_statement import with_defaults
from portfolio.moments import HorizonMoments
from portfolio.outlook import Outlook, outlook_of
from portfolio.risk_measures import ConditionalValueAtRisk, RiskMeasure, TrackingError, Variance, Volatility
from portfolio.robust import CovarianceBox, MeanEllipsoid
from portfolio.wealth import LinearConvention
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet

Uncertainty = MeanEllipsoid | CovarianceBox
_COMMON = (Variance, Volatility, TrackingError, ConditionalValueAtRisk)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class MeanRiskProblem:
    """A checked problem; immutable, so that variants are made with ``dataclasses.replace``.

    Parameters
    ----------
    outlook : Outlook
    measure : RiskMeasure
    risk_weight, return_weight : float
        Not negative: the objective to maximise is ``return_weight * net return - risk_weight * risk``.
    given, defaults : tuple of Constraint
        The caller's constraints, and those that joined them.
    costs : Cost, optional
    held : ndarray of shape (asset,), optional
        Previous weights; ``None`` is cash.
    mean_ellipsoid, covariance_box : optional
        Uncertainty of the moments.
    """

    outlook: Outlook
    measure: RiskMeasure
    risk_weight: float
    return_weight: float
    given: tuple[Constraint, ...]
    defaults: tuple[Constraint, ...]
    costs: Cost | None = None
    held: NDArray[np.float64] | None = None
    mean_ellipsoid: MeanEllipsoid | None = None
    covariance_box: CovarianceBox | None = None

    @property
    def assets(self) -> tuple[str, ...]:
        """Names of the assets."""
        return self.outlook.assets

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """All constraints, defaults last."""
        return (*self.given, *self.defaults)

    @property
    def mixed_integer(self) -> bool:
        """Whether the number of assets is limited."""
        return any(isinstance(one, Cardinality) for one in self.constraints)

    def box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Highest lower and lowest upper bound of each asset, each of shape (asset,)."""
        sides = [one.arrays(self.assets) for one in self.constraints if isinstance(one, Bounds)]
        if len(sides) == 1:
            return sides[0]
        return np.max([low for low, _ in sides], axis=0), np.min([high for _, high in sides], axis=0)

    def scale(self) -> float:
        """Factor that brings the gradient of the objective to order one."""
        moments = self.outlook.moments
        # the largest entry of a positive semi-definite matrix is on its diagonal
        variance = float(moments.covariance.diagonal().max())
        risk = variance if self.measure.degree == 2 else float(np.sqrt(variance))
        # a variance enters with gradient 2 Sigma w
        factor = 2.0 if self.measure.degree == 2 else 1.0
        size = max(self.return_weight * float(np.abs(moments.mean).max()), factor * self.risk_weight * risk)
        return 1.0 / size if size > 0 else 1.0


def mean_risk_problem(
    scenarios: ScenarioSet | HorizonMoments,
    measure: RiskMeasure,
    *,
    constraints: Iterable[Constraint] = (),
    costs: Cost | None = None,
    previous: AssetValues | None = None,
    wealth: LinearConvention = "buy_and_hold",
    robust: Iterable[Uncertainty] = (),
    risk_weight: float = 1.0,
) -> MeanRiskProblem:
    """Check the arguments that all optimisers share; the objective is ``net return - risk_weight * risk``.

    Parameters
    ----------
    scenarios : ScenarioSet or HorizonMoments
    measure : RiskMeasure
    constraints, costs, previous
        As in `mean_variance`.
    wealth : {"buy_and_hold", "rebalanced"}
        Convention of return and risk, see `portfolio.wealth`; of no effect on moments.
    robust : iterable of MeanEllipsoid and CovarianceBox
        At most one of each.
    risk_weight : float
        Not negative; checked by the caller.

    Returns
    -------
    MeanRiskProblem

    Raises
    ------
    ConfigError, DataError, ShapeError
        If an argument is unusable; the message says which and what to do.

    Examples
    --------
    >>> from portfolio.risk_measures import Volatility
    >>> s = ScenarioSet([[[0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> mean_risk_problem(s, Volatility()).defaults
    (Bounds(lower=0.0, upper=1.0), Budget(total=1.0))
    """
    # the measures of the house first: the check of a protocol takes as long as a small solve
    if not isinstance(measure, _COMMON) and (isinstance(measure, type) or not isinstance(measure, RiskMeasure)):
        raise ConfigError(
            f"measure must be a risk measure such as Volatility() or ConditionalValueAtRisk(): got {measure!r}."
        )
    outlook = outlook_of(scenarios, wealth)
    held = None if previous is None else asset_vector(previous, outlook.assets, what="previous")
    given, defaults = with_defaults(constraints)
    ellipsoid, box = _by_kind(robust)
    return MeanRiskProblem(
        outlook=outlook,
        measure=measure,
        risk_weight=risk_weight,
        return_weight=1.0,
        given=given,
        defaults=defaults,
        costs=checked_costs(costs),
        held=held,
        mean_ellipsoid=ellipsoid,
        covariance_box=box,
    )


def _by_kind(robust: Iterable[Uncertainty]) -> tuple[MeanEllipsoid | None, CovarianceBox | None]:
    sets = tuple(robust) if isinstance(robust, Iterable) else (robust,)
    ellipsoids = [one for one in sets if isinstance(one, MeanEllipsoid)]
    boxes = [one for one in sets if isinstance(one, CovarianceBox)]
    if len(ellipsoids) + len(boxes) < len(sets) or max(len(ellipsoids), len(boxes)) > 1:
        raise ConfigError(f"robust must hold at most one MeanEllipsoid and one CovarianceBox: got {robust!r}.")
    return (ellipsoids or [None])[0], (boxes or [None])[0]


def checked_risk_aversion(value: float) -> float:
    """The value as float; raises `ConfigError` unless it is positive and finite."""
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or value <= 0:
        raise ConfigError(
            f"risk_aversion must be a positive finite number: got {value!r}. Usual values are 1 to 10; "
            "to ignore risk altogether use a very small one."
        )
    return float(value)
