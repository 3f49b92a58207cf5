"""From constraints, or a reward, to bounded statistics: what the reference itself does decides units and bounds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError
from tsgen.steering.bound_statistic import (
    BoundedMean,
    BoundStatistic,
    EventIndicator,
    TailExcess,
    weighted_quantile,
)
from tsgen.steering.errors import SteeringError
from tsgen.steering.risk_constraint import RiskConstraint
from tsgen.steering.risk_functionals import EventProbability, ExpectedShortfall, RiskFunctional

Floats = NDArray[np.float64]


def bind_constraints(
    constraints: Sequence[RiskConstraint], values: Sequence[Floats], *, bound: float | None
) -> tuple[BoundStatistic, ...]:
    """Statistics of constraints, from the functionals' values on reference paths.

    Parameters
    ----------
    constraints : sequence of RiskConstraint
    values : sequence of ndarray of shape (path,), float64
        Under the reference.
    bound : float or None
        Winsorise at mean plus and minus so many standard deviations.

    Raises
    ------
    SteeringError
        If a level cannot be reached: outside the bounds, or an event that never happens in the reference.
    """
    return tuple(_bound_to(c, v, bound) for c, v in zip(constraints, values, strict=True))


def _bound_to(constraint: RiskConstraint, values: Floats, bound: float | None) -> BoundStatistic:
    functional = constraint.functional
    if isinstance(functional, EventProbability):
        return _event(constraint, values)
    lower, upper = _bounds(values, bound, constraint.title)
    deviation = float(values.std())
    if isinstance(functional, ExpectedShortfall):
        return _shortfall(constraint, functional, values, (lower, upper))
    mean = float(np.clip(values, lower, upper).mean())
    _check_reachable(constraint, lower, upper, values)
    return BoundedMean(
        title=constraint.title,
        relation=constraint.relation,
        level=constraint.level,
        centre=mean,
        unit=deviation,
        lower=lower,
        upper=upper,
    )


def bind_reward(functional: RiskFunctional, values: Floats, *, bound: float | None) -> BoundedMean:
    """Statistic of a reward: centred at its reference mean, so that log Z starts at zero."""
    lower, upper = _bounds(values, bound, functional.label)
    mean = float(np.clip(values, lower, upper).mean())
    return BoundedMean(
        title=f"reward: {functional.label}",
        relation=None,
        level=mean,
        centre=mean,
        unit=float(values.std()),
        lower=lower,
        upper=upper,
    )


def _bounds(values: Floats, bound: float | None, title: str) -> tuple[float, float]:
    mean, deviation = float(values.mean()), float(values.std())
    if not deviation > 1e-12 * max(abs(mean), 1e-300):
        raise SteeringError(
            f"{title}: it is the same on every reference path ({mean:g}), so no change of probabilities moves it. "
            "Check weights and horizon."
        )
    if bound is None:
        return -np.inf, np.inf
    return mean - bound * deviation, mean + bound * deviation


def _check_reachable(constraint: RiskConstraint, lower: float, upper: float, values: Floats) -> None:
    mean, deviation = float(values.mean()), float(values.std())
    # a statistic with a floor (volatility, drawdown) has its floor where the reference has it
    lowest, highest = max(lower, float(values.min()) - deviation), upper
    binding_low = constraint.relation != ">=" and constraint.level <= lowest
    binding_high = constraint.relation != "<=" and constraint.level >= highest
    if binding_low or binding_high:
        raise SteeringError(
            f"{constraint.title} cannot be reached: the reference has mean {mean:.6g} and standard deviation "
            f"{deviation:.6g}, and levels between {lowest:.6g} and {highest:.6g} are supported (statistics are "
            "winsorised, because with fat tails the tilt of an unbounded one does not exist). Ask for less, take a "
            "longer horizon, or raise SteeringConfig.bound_deviations."
        )


def _event(constraint: RiskConstraint, values: Floats) -> EventIndicator:
    share = float(values.mean())
    if share in (0.0, 1.0):
        raise SteeringError(
            f"{constraint.title}: the event {'never' if share == 0 else 'always'} happens on {len(values)} reference "
            "paths, so its tilt cannot be learned. Choose a milder event first, or raise SteeringConfig.n_paths."
        )
    return EventIndicator(title=constraint.title, relation=constraint.relation, level=constraint.level)


def _shortfall(
    constraint: RiskConstraint, functional: ExpectedShortfall, values: Floats, bounds: tuple[float, float]
) -> TailExcess:
    lower, upper = bounds
    equal = np.full(len(values), 1.0 / len(values))
    statistic = TailExcess(
        title=constraint.title,
        relation=constraint.relation,
        level=constraint.level,
        confidence=functional.level,
        unit=float(values.std()),
        lower=lower,
        upper=upper,
        threshold=weighted_quantile(values, equal, functional.level),
        raising=True,
    )
    reference = statistic.achieved(statistic.bounded(values), equal)
    lowest = max(lower, float(values.min()))
    if not lowest < constraint.level < upper:
        raise SteeringError(
            f"{constraint.title} cannot be reached: the reference has {reference:.6g}, and levels between "
            f"{lowest:.6g} and {upper:.6g} are supported. Ask for less, or raise SteeringConfig.bound_deviations."
        )
    raising = constraint.relation == ">=" or (constraint.relation == "==" and constraint.level >= reference)
    return TailExcess(**{**{f: getattr(statistic, f) for f in statistic.__dataclass_fields__}, "raising": raising})


def check_reward(temperature: float | None) -> float:
    """Positive temperature of a reward; raises `ConfigError` otherwise."""
    if isinstance(temperature, bool) or not isinstance(temperature, (int, float)) or not 0 < temperature < np.inf:
        raise ConfigError(
            f"a reward needs a positive temperature, in the reward's unit: got {temperature!r}. High temperatures stay "
            "close to the reference."
        )
    return float(temperature)
