"""From a `MeanRiskProblem` to the numbers of a `DirectForm`, or a refusal that says what does not fit.

The names of limits are those under which the cvxpy specification reports them. What is not linear or
quadratic here (cones, integers, unknown types) is refused: the specification takes it.
"""

import math

import numpy as np

from portfolio.asset_vector import asset_vector
from portfolio.constraints import Bounds, Budget, Constraint, GroupLimit, TurnoverLimit
from portfolio.costs import Cost, LinearCost, QuadraticCost, TotalCost
from portfolio.decision_model import DecisionModel
from portfolio.drawdown import AverageDrawdown, ConditionalDrawdownAtRisk, MaximumDrawdown, MaximumDrawdownCVaR
from portfolio.exposure_constraints import AssetTurnoverLimit, FactorExposure, GrossLeverage, NetLeverage
from portfolio.fast_solvers.direct_form import Array, DirectForm
from portfolio.fast_solvers.form_builder import Affine, FormBuilder
from portfolio.mean_risk_problem import MeanRiskProblem
from portfolio.risk_constraints import MinimumReturn, RiskBudget
from portfolio.risk_measures import ConditionalValueAtRisk, RiskMeasure, TrackingError, Variance, Volatility
from tsgen.errors import ConfigError

TAIL_MEASURES = (
    ConditionalValueAtRisk,
    AverageDrawdown,
    ConditionalDrawdownAtRisk,
    MaximumDrawdownCVaR,
    MaximumDrawdown,
)


class DirectRefusal(ConfigError):
    """The direct engines do not take this problem; the message says why and what to do."""


def _refuse(what: str) -> DirectRefusal:
    return DirectRefusal(
        f"the direct engine does not take {what}. Use engine='auto' or engine='cvxpy', which take every problem."
    )


def direct_form(problem: MeanRiskProblem) -> DirectForm:
    """The problem in numbers.

    Parameters
    ----------
    problem : MeanRiskProblem

    Returns
    -------
    DirectForm
        A volatility or tracking error without expected return is stated through half its square.

    Raises
    ------
    DirectRefusal
        If some part of it is neither linear, quadratic nor a tail risk.
    ConfigError, DataError
        If a limit does not fit the assets, with the message of that limit.

    Examples
    --------
    >>> from portfolio.mean_risk_problem import mean_risk_problem
    >>> from tsgen.scenario_set import ScenarioSet
    >>> s = ScenarioSet([[[0.1, 0.0]], [[-0.1, 0.01]]], assets=["A", "B"], kind="simple")
    >>> direct_form(mean_risk_problem(s, ConditionalValueAtRisk(0.5))).n_columns
    3
    """
    if problem.mean_ellipsoid is not None or problem.covariance_box is not None:
        raise _refuse("uncertain moments (robust=...)")
    builder = FormBuilder(len(problem.assets))
    for one in problem.constraints:
        if isinstance(one, (Bounds, AssetTurnoverLimit)):
            _limit_weights(builder, one, problem)
    for one in problem.constraints:
        if not isinstance(one, (Bounds, AssetTurnoverLimit)):
            _add_row(builder, one, problem)
    curvature, objective = _objective(builder, problem)
    moments = problem.outlook.moments
    deviation = math.sqrt(moments.covariance.diagonal().max())
    scale = 1.0 / max(deviation, 1e-150) ** 2 if squared(problem) else problem.scale()
    weight = scale * _weight_of_covariance(problem)
    quadratic = _quadratic(curvature, moments.covariance, scale, weight)
    root = moments.root if weight and not curvature.any() else None
    return builder.build(
        quadratic, objective, scale=scale, risk_unit=deviation or 1.0, root=root, root_weight=weight or 1.0
    )


def squared(problem: MeanRiskProblem) -> bool:
    """Whether the form states half the square of the risk instead of the risk."""
    return isinstance(problem.measure, (Volatility, TrackingError)) and problem.risk_weight > 0.0


def _limit_weights(builder: FormBuilder, one: Bounds | AssetTurnoverLimit, problem: MeanRiskProblem) -> None:
    if isinstance(one, Bounds):
        for side, word, values in zip((-1, 1), ("lower", "upper"), one.arrays(problem.assets), strict=True):
            own = getattr(one, word)
            name = f"Bounds {word} {own:g}" if isinstance(own, float) else f"Bounds {word}"
            index = np.isfinite(values).nonzero()[0]
            builder.limit_weights(name, side, index, values[index])
        return
    held = _held(one, problem)
    most = asset_vector(one.maximum, problem.assets, what="maximum trades", scalar=True, infinite=True)
    index = np.flatnonzero(np.isfinite(most))
    own = f" {one.maximum:g}" if isinstance(one.maximum, float) else ""
    for side, word in ((1, "buy"), (-1, "sell")):
        builder.limit_weights(f"AssetTurnoverLimit{own} {word}", side, index, held[index] + side * most[index])


def _held(one: Constraint, problem: MeanRiskProblem) -> Array:
    if problem.held is None:
        _let_it_refuse(one, problem)
    return _start(problem)


def _let_it_refuse(one: Constraint, problem: MeanRiskProblem) -> None:
    """Raise the constraint's own error about a problem that it does not fit."""
    one.named_limits(DecisionModel(problem.assets, problem.held))


def _start(problem: MeanRiskProblem) -> Array:
    return np.zeros(len(problem.assets)) if problem.held is None else problem.held


def _add_row(builder: FormBuilder, one: Constraint, problem: MeanRiskProblem) -> None:
    ones = np.ones(builder.n_assets)
    match one:
        case Budget():
            builder.equality(Affine(on_weights=ones), one.total, f"Budget total {one.total:g}")
        case NetLeverage():
            builder.two_sided(Affine(on_weights=ones), one.lower, one.upper, "NetLeverage")
        case GroupLimit():
            members = np.array([asset in one.members for asset in problem.assets], dtype=np.float64)
            if members.sum() < len(one.members):
                _let_it_refuse(one, problem)
            builder.two_sided(Affine(on_weights=members), one.lower, one.upper, f"GroupLimit {one.name!r}")
        case FactorExposure():
            loadings = asset_vector(one.loadings, problem.assets, what=f"loadings of {one.name!r}")
            builder.two_sided(Affine(on_weights=loadings), one.lower, one.upper, f"FactorExposure {one.name!r}")
        case GrossLeverage():
            gross = builder.total_size(ones, np.zeros(builder.n_assets))
            builder.at_most(gross, one.maximum, f"GrossLeverage {one.maximum:g}")
        case TurnoverLimit():
            traded = builder.total_size(ones, _held(one, problem))
            builder.at_most(traded, one.maximum, f"TurnoverLimit {one.maximum:g}")
        case MinimumReturn():
            loss = _net_loss(builder, problem)
            builder.at_most(loss, -one.minimum, f"MinimumReturn {one.minimum:g}")
        case RiskBudget(measure=measure) if isinstance(measure, TAIL_MEASURES):
            _require_paths(measure, problem)
            builder.at_most(builder.risk(measure), one.maximum, f"RiskBudget {measure!r} at most {one.maximum:g}")
        case _:
            raise _refuse(f"the constraint {one!r}")


def _require_paths(measure: RiskMeasure, problem: MeanRiskProblem) -> None:
    word = "CVaR" if isinstance(measure, ConditionalValueAtRisk) else "a drawdown"
    problem.outlook.scenario_wealth(word)


def _net_loss(builder: FormBuilder, problem: MeanRiskProblem) -> Affine:
    """Costs less expected return, for costs that are linear in the sizes of trades."""
    loss = Affine(on_weights=-problem.outlook.moments.mean)
    curvature = _add_costs(builder, loss, problem.costs, problem)
    if curvature.any():
        raise _refuse("MinimumReturn with quadratic costs")
    return loss


def _add_costs(builder: FormBuilder, loss: Affine, costs: Cost | None, problem: MeanRiskProblem) -> Array:
    """Add costs to ``loss``; the curvature of the quadratic ones comes back, shape (asset,)."""
    curvature = np.zeros(builder.n_assets)
    parts = costs.parts if isinstance(costs, TotalCost) else (costs,)
    for part in parts:
        match part:
            case None:
                pass
            case LinearCost():
                loss.add(builder.total_size(part.rates(problem.assets), _start(problem)))
            case QuadraticCost():
                rates = asset_vector(part.rate, problem.assets, what="cost rates", scalar=True)
                start = _start(problem)
                curvature += 2.0 * rates
                loss.add(Affine(on_weights=-2.0 * rates * start, constant=float(rates @ start**2)))
            case TotalCost():
                curvature += _add_costs(builder, loss, part, problem)
            case _:
                raise _refuse(f"the cost {part!r}")
    return curvature


def _objective(builder: FormBuilder, problem: MeanRiskProblem) -> tuple[Array, Affine]:
    """Curvature of the costs and all that is not quadratic of the objective to minimise."""
    curvature, objective = np.zeros(builder.n_assets), Affine(on_weights=np.zeros(builder.n_assets))
    if problem.return_weight:
        loss = Affine(on_weights=-problem.outlook.moments.mean)
        curvature += problem.return_weight * _add_costs(builder, loss, problem.costs, problem)
        objective.add(loss, problem.return_weight)
    if not problem.risk_weight:
        return curvature, objective
    match problem.measure:
        case Variance():
            pass
        case Volatility() | TrackingError() if problem.return_weight:
            raise _refuse(f"{problem.measure!r} together with the expected return (a second-order cone)")
        case Volatility():
            pass
        case TrackingError():
            active = problem.measure.active(np.zeros(builder.n_assets), problem.assets)
            objective.add(Affine(on_weights=problem.outlook.moments.covariance @ active))
        case measure if isinstance(measure, TAIL_MEASURES):
            _require_paths(measure, problem)
            objective.add(builder.risk(measure), problem.risk_weight)
        case measure:
            raise _refuse(f"the measure {measure!r}")
    return curvature, objective


def _weight_of_covariance(problem: MeanRiskProblem) -> float:
    """How often the covariance is in the second derivative of the objective that the form states."""
    if not problem.risk_weight or isinstance(problem.measure, TAIL_MEASURES):
        return 0.0
    return 2.0 * problem.risk_weight if isinstance(problem.measure, Variance) else 1.0


def _quadratic(curvature: Array, covariance: Array, scale: float, weight: float) -> Array:
    """Second derivative of the scaled objective with respect to the weights."""
    if not weight:
        return np.diag(scale * curvature)
    quadratic = covariance * weight
    quadratic.ravel()[:: len(curvature) + 1] += scale * curvature
    return quadratic
