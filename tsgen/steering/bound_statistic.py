r"""Statistics of a path that a multiplier acts on: bounded, standardised, with a forecast while the path is made.

With fat tails :math:`E_p \exp(\lambda g)` is infinite for an unbounded statistic: the tilt does not exist, although a
sample always returns some multiplier. Hence every statistic is winsorised, by default at its reference mean plus and
minus five standard deviations. The tilt acts on the winsorised statistic, and its target is set so that the *plain*
mean under the tilt is at the level: what was asked for holds, and the tilt exists.

``base`` is the log of the mean tilt as it can be foreseen at the clean estimate of the current period: under a normal
rest of the path for what depends on the final wealth, of the statistic as it stands for the others.
"""

import math
from dataclasses import dataclass, replace
from typing import Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tsgen.reweighting.relation import Relation
from tsgen.steering.clipped_normal import ClippedTilt, clipped_tilt

Floats = NDArray[np.float64]
_HALF = math.sqrt(0.5)


def normal_distribution(x: Tensor) -> Tensor:
    """Standard normal distribution function."""
    return 0.5 * torch.erfc(-x * _HALF)


def normal_density(x: Tensor) -> Tensor:
    """Standard normal density."""
    return torch.exp(-0.5 * x.square()) * (_HALF / math.sqrt(math.pi))


class BoundStatistic(Protocol):
    """What steering knows of one constraint."""

    @property
    def title(self) -> str:
        """Condition in words."""
        ...

    @property
    def relation(self) -> Relation | None:
        """Of the constraint; ``None`` for a reward."""
        ...

    @property
    def level(self) -> float:
        """Target in the unit of the functional (a reward: its reference mean)."""
        ...

    @property
    def unit(self) -> float:
        """What a bias is measured in."""
        ...

    @property
    def target(self) -> float:
        """Target of the mean of `standardised`."""
        ...

    @property
    def multiplier_unit(self) -> float:
        """A multiplier of the standardised statistic, divided by this, is one per unit of the functional."""
        ...

    def standardised(self, values: Floats) -> Floats:
        """Bounded statistic from the functional's values, shape (path,)."""
        ...

    def base(self, multiplier: float, location: Tensor, spread: Tensor) -> Tensor:
        """Log tilt foreseen from the look-ahead's location and spread, less the target's share."""
        ...

    def base_slopes(self, multiplier: float, location: Tensor, spread: Tensor) -> tuple[Tensor, Tensor | None]:
        """Derivatives of `base` with respect to location and spread; ``None``: zero."""
        ...

    def achieved(self, values: Floats, probabilities: Floats) -> float:
        """What the constraint is about, under probabilities, without bounds."""
        ...

    def corrected(self, values: Floats, probabilities: Floats) -> "BoundStatistic":
        """The same with a target at which the constraint holds *without* bounds, under these probabilities."""
        ...

    def achieved_error(self, values: Floats, probabilities: Floats) -> float:
        """Standard error of `achieved`."""
        ...


def mean_error(values: Floats, probabilities: Floats) -> float:
    """Standard error of a self-normalised weighted mean (delta method)."""
    mean = float(probabilities @ values)
    return float(np.sqrt((probabilities**2 * (values - mean) ** 2).sum()))


@final
@dataclass(frozen=True, kw_only=True)
class BoundedMean:
    """Mean of a smooth functional, winsorised and standardised by reference mean and deviation."""

    title: str
    relation: Relation | None
    level: float
    centre: float
    unit: float
    lower: float
    upper: float
    cut: float = 0.0
    """What the bounds take from the mean under the tilt, in units."""

    @property
    def target(self) -> float:
        """Level in standard deviations from the reference mean, less what the bounds cut off."""
        return (self.level - self.centre) / self.unit - self.cut

    @property
    def multiplier_unit(self) -> float:
        """The standard deviation."""
        return self.unit

    def standardised(self, values: Floats) -> Floats:
        """Winsorised, in standard deviations from the reference mean."""
        return (np.clip(values, self.lower, self.upper) - self.centre) / self.unit

    def base(self, multiplier: float, location: Tensor, spread: Tensor) -> Tensor:
        """Log of the mean tilt if what is still to come is normal; without bounds that of the forecast itself."""
        return self._tilt(multiplier, location, spread).value - multiplier * self.target

    def base_slopes(self, multiplier: float, location: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
        """Of the log mean tilt."""
        tilt = self._tilt(multiplier, location, spread)
        return tilt.by_location / self.unit, tilt.by_spread / self.unit

    def _tilt(self, multiplier: float, location: Tensor, spread: Tensor) -> ClippedTilt:
        foreseen = (location - self.centre) / self.unit
        if not (math.isfinite(self.lower) and math.isfinite(self.upper)):
            # with fat tails there is no mean tilt, and the normal one would reward volatility without end
            return ClippedTilt(multiplier * foreseen, torch.full_like(foreseen, multiplier), torch.zeros_like(foreseen))
        lower, upper = ((bound - self.centre) / self.unit for bound in (self.lower, self.upper))
        return clipped_tilt(multiplier, foreseen, spread / self.unit, lower, upper)

    def achieved(self, values: Floats, probabilities: Floats) -> float:
        """Mean without bounds."""
        return float(probabilities @ values)

    def corrected(self, values: Floats, probabilities: Floats) -> "BoundedMean":
        """With the mean of what is beyond the bounds taken into the target."""
        beyond = values - np.clip(values, self.lower, self.upper)
        return replace(self, cut=float(probabilities @ beyond) / self.unit)

    def achieved_error(self, values: Floats, probabilities: Floats) -> float:
        """Of the mean."""
        return mean_error(values, probabilities)


@final
@dataclass(frozen=True, kw_only=True)
class EventIndicator:
    """Indicator of an event; bounded by itself."""

    title: str
    relation: Relation | None
    level: float

    @property
    def unit(self) -> float:
        """Standard deviation of the indicator at the target."""
        return math.sqrt(self.level * (1.0 - self.level))

    @property
    def target(self) -> float:
        """The probability."""
        return self.level

    @property
    def multiplier_unit(self) -> float:
        """One."""
        return 1.0

    def standardised(self, values: Floats) -> Floats:
        """The indicator."""
        return values

    def base(self, multiplier: float, location: Tensor, spread: Tensor) -> Tensor:
        r"""``log(1 + (e^lambda - 1) P)`` with ``P`` the foreseen probability, in ``location``; ``spread`` unused."""
        del spread
        return torch.log1p(math.expm1(multiplier) * location) - multiplier * self.level

    def base_slopes(self, multiplier: float, location: Tensor, spread: Tensor) -> tuple[Tensor, None]:
        """Relative change of the expected tilt."""
        del spread
        rise = math.expm1(multiplier)
        return rise / (1.0 + rise * location), None

    def achieved(self, values: Floats, probabilities: Floats) -> float:
        """Probability."""
        return float(probabilities @ values)

    def corrected(self, values: Floats, probabilities: Floats) -> "EventIndicator":
        """Itself: an indicator has no other bounds."""
        del values, probabilities
        return self

    def achieved_error(self, values: Floats, probabilities: Floats) -> float:
        """Of the probability."""
        return mean_error(values, probabilities)


@final
@dataclass(frozen=True, kw_only=True)
class TailExcess:
    r"""Excess of the loss over a threshold, :math:`(L - \zeta)^+ / (1 - a)`: one row of an expected shortfall."""

    title: str
    relation: Relation | None
    level: float
    confidence: float
    unit: float
    lower: float
    upper: float
    threshold: float
    raising: bool
    cut: float = 0.0
    """What the bounds take from the shortfall under the tilt, in units."""

    @property
    def target(self) -> float:
        """What the excess must be for the shortfall to be at its level, given the threshold."""
        return (self.level - self.threshold) / self.unit - self.cut

    @property
    def multiplier_unit(self) -> float:
        """Standard deviation of the loss."""
        return self.unit

    def at(self, threshold: float) -> "TailExcess":
        """The same with another threshold."""
        return replace(self, threshold=float(threshold))

    def bounded(self, values: Floats) -> Floats:
        """Winsorised losses."""
        return np.clip(values, self.lower, self.upper)

    def standardised(self, values: Floats) -> Floats:
        """Excess of the winsorised losses, in standard deviations of the loss."""
        return np.maximum(self.bounded(values) - self.threshold, 0.0) / (self.unit * (1.0 - self.confidence))

    def base(self, multiplier: float, location: Tensor, spread: Tensor) -> Tensor:
        """Multiplier times the expected excess under a normal rest of the path (Bachelier's formula)."""
        distance = (location - self.threshold) / spread
        excess = spread * (distance * normal_distribution(distance) + normal_density(distance))
        bounded = excess.clamp(max=max(self.upper - self.threshold, 0.0))
        return multiplier * (bounded / (self.unit * (1.0 - self.confidence)) - self.target)

    def base_slopes(self, multiplier: float, location: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
        """Probability and density at the threshold, below the bound."""
        distance = (location - self.threshold) / spread
        beyond, density = normal_distribution(distance), normal_density(distance)
        below = spread * (distance * beyond + density) < max(self.upper - self.threshold, 0.0)
        unit = below * (multiplier / (self.unit * (1.0 - self.confidence)))
        return beyond * unit, density * unit

    def achieved(self, values: Floats, probabilities: Floats) -> float:
        """Expected shortfall without bounds."""
        order = np.argsort(values)[::-1]
        return _tail_mean(values[order], probabilities[order], 1.0 - self.confidence)

    def corrected(self, values: Floats, probabilities: Floats) -> "TailExcess":
        """With what is beyond the bounds in the tail taken into the target."""
        plain, bounded = (self.achieved(x, probabilities) for x in (values, self.bounded(values)))
        return replace(self, cut=(plain - bounded) / self.unit)

    def achieved_error(self, values: Floats, probabilities: Floats) -> float:
        """Delta method at the quantile: error of the mean excess over it."""
        quantile = weighted_quantile(values, probabilities, self.confidence)
        return mean_error(np.maximum(values - quantile, 0.0), probabilities) / (1.0 - self.confidence)


def _tail_mean(falling: Floats, probabilities: Floats, share: float) -> float:
    before = np.concatenate([[0.0], np.cumsum(probabilities)[:-1]])
    taken = np.clip(share - before, 0.0, probabilities)
    return float(taken @ falling / taken.sum())


def weighted_quantile(values: Floats, probabilities: Floats, level: float) -> float:
    """Smallest value with cumulated probability of at least ``level``.

    Examples
    --------
    >>> weighted_quantile(np.array([3.0, 1.0, 2.0]), np.array([0.2, 0.5, 0.3]), 0.6)
    2.0
    """
    order = np.argsort(values)
    cumulated = np.cumsum(probabilities[order])
    return float(values[order][min(int(np.searchsorted(cumulated, level * cumulated[-1])), len(values) - 1)])
