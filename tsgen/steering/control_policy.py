r"""The control: where the noise of every transition is moved, as a function of what is known then.

With the value :math:`V` (the log of the expected tilt), the mean of a transition with noise ``sigma`` moves by
``sigma v``. At level ``k >= 1`` the tangent of the transition mean along the control's own direction is known for free:
``r = <g_u, g_z> / |g_z|^2`` is the slope of the clean estimate, ``rho + kappa (r - cos)`` that of the mean, and

    v = sigma g_u / (rho + kappa (r - cos)),     v = sigma g_z  in the last step,     v = cos(tau_1) g_z  in the first,

where ``g_z``, ``g_u`` are the gradients of the value with respect to the clean estimate and to the noisy coordinate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple, final

import torch
from torch import Tensor

from tsgen.diffusion.stochastic_scheme import StochasticPlan
from tsgen.steering.bound_statistic import BoundStatistic
from tsgen.steering.look_ahead import Foreseen
from tsgen.steering.value_network import ValueNetwork

# cos^2 of the angle is the share of a Gaussian tilt's divergence that has been spent on the way there: the noisiest
# transitions, together below this share, keep the reference's noise. What they leave to the others adds to the gap of
# every period alike, so the share is small
_UNSTEERED_SHARE = 0.001
# Where the slope of the value is kept from an earlier transition. Far from the data a value hardly bends (a
# volatility's does not either), and the estimate moves with the noisy coordinate as under a Gaussian law, by the
# cosine; near the data a transition hardly moves the estimate, and two of three may go on with a slope found just
# before. In between every slope counts: kept longer, it is the few paths with a crash that are steered wrongly, and
# they get the largest weights
_NOISY, _NEARLY_CLEAN, _EVERY = 0.21, 0.9, 3
_SMALLEST_SLOPE, _LARGEST_SLOPE = 0.2, 5.0  # of the clean estimate, relative to its Gaussian value cos(tau)


class Transition(NamedTuple):
    """Coefficients of one transition; node 0 is the draw of pure noise."""

    position: int
    """Node 0, ..., K; node k is left by transition k."""
    cosine: float
    sine: float
    carry: float
    newest: float
    previous: float
    noise: float
    next_cosine: float
    evaluated: int | None
    """Level of the plan at which the velocity is evaluated; ``None``: no evaluation (pure noise)."""
    last: bool
    slot: int | None
    """Place among the steered transitions; ``None``: this one keeps the reference's noise."""
    fresh: bool = True
    """Whether the slope of the value is found anew, not kept from the transition before."""

    @property
    def tangent_factor(self) -> float:
        """kappa: how the slope of the clean estimate enters the slope of the mean."""
        return -self.newest / self.sine


def transitions_of(plan: StochasticPlan) -> list[Transition]:
    """All transitions of one period, the first included."""
    angles = [float(a) for a in plan.angles]
    cosines, sines = [math.cos(a) for a in angles], [math.sin(a) for a in angles]
    columns = list(
        zip(plan.carry.tolist(), plan.newest.tolist(), plan.previous.tolist(), plan.noise.tolist(), strict=True)
    )
    found: list[Transition] = []
    slots = count()
    if plan.starts_at_noise:
        found.append(Transition(0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, cosines[0], None, False, next(slots)))
    for k, row in enumerate(columns):
        following = cosines[k + 1] if k + 1 < len(cosines) else 1.0
        pure = not plan.starts_at_noise and k == 0
        c, s = (0.0, 1.0) if pure else (cosines[k], sines[k])
        last = k + 1 == len(columns)
        steered = pure or last or following**2 > _UNSTEERED_SHARE
        slot = next(slots) if steered else None
        fresh = pure or last or _finds_slope(c, len(columns) - 1 - k)
        found.append(Transition(len(found), c, s, *row, following, k, last, slot, fresh))
    return found


def _finds_slope(cosine: float, left: int) -> bool:
    return cosine >= _NOISY and (cosine < _NEARLY_CLEAN or left % _EVERY == 0)


def n_steered(plan: StochasticPlan) -> int:
    """Number of steered transitions per period."""
    return sum(at.slot is not None for at in transitions_of(plan))


class Gradients(NamedTuple):
    """Of the value, at one node."""

    clean: Tensor
    """(path, asset): with respect to the clean estimate."""
    noisy: Tensor | None
    """(path, asset): with respect to the noisy coordinate; ``None`` at pure noise."""


class KeptSlope(NamedTuple):
    """What a later transition may use instead of finding the slope of the value itself."""

    clean: Tensor
    """(path, asset): slope with respect to the clean estimate."""
    stretch: Tensor | float
    """(path, 1): slope of the clean estimate along it, relative to its Gaussian value, the cosine."""

    @classmethod
    def of(cls, gradients: Gradients, at: Transition) -> "KeptSlope":
        """From the gradients of one transition."""
        if gradients.noisy is None:
            return cls(gradients.clean, 1.0)
        return cls(gradients.clean, _slope_along(gradients.clean, gradients.noisy) / at.cosine)

    def at(self, at: Transition) -> Gradients:
        """Gradients that it stands for at a later transition."""
        return Gradients(self.clean, self.clean * (at.cosine * self.stretch))


def _slope_along(clean: Tensor, noisy: Tensor) -> Tensor:
    return (noisy * clean).sum(dim=1, keepdim=True) / clean.square().sum(dim=1, keepdim=True).clamp_min(1e-20)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ControlPolicy:
    """Value function and gains: everything that determines the control.

    Parameters
    ----------
    statistics : tuple of BoundStatistic
    multipliers : tuple of float
        Per standardised statistic.
    network : ValueNetwork
    level_gains : Tensor of shape (slot,)
        One factor per steered transition of a period.
    gains : tuple of float
        One factor per statistic on its part of the control; the learned part moves by their mean.
    limit : float
        Largest norm of the noise shift of one transition.
    curved : bool
        Whether the noise along the control is widened or narrowed by the curvature of the value.
    """

    statistics: tuple[BoundStatistic, ...]
    multipliers: tuple[float, ...]
    network: ValueNetwork
    level_gains: Tensor
    gains: tuple[float, ...]
    limit: float = 3.0
    curved: bool = False

    @property
    def gain(self) -> float:
        """Mean gain of the statistics that have a multiplier; 1 without any."""
        used = [g for g, m in zip(self.gains, self.multipliers, strict=True) if m != 0.0]
        return sum(used) / len(used) if used else 1.0

    @property
    def aimed(self) -> tuple[float, ...]:
        """Multipliers that the control follows: each with its own gain, relative to the mean one."""
        mean = self.gain
        return tuple(m * g / mean for m, g in zip(self.multipliers, self.gains, strict=True))

    def value(self, foreseen: Foreseen) -> Tensor:
        """Log of the expected tilt, up to a constant, shape (path,)."""
        return base_value(self.statistics, self.multipliers, foreseen.location, foreseen.spread) + self.network(
            foreseen.features
        )

    def shift(self, gradients: Gradients, at: Transition) -> Tensor:
        """Noise shift v of shape (path, asset), in standard deviations of the transition's noise."""
        raw = _raw_shift(gradients, at)
        raw = raw * (self.gain * float(self.level_gains[0 if at.slot is None else at.slot]))
        size = raw.square().sum(dim=1, keepdim=True).sqrt()
        return raw * (self.limit / size.clamp_min(self.limit))


def _raw_shift(gradients: Gradients, at: Transition) -> Tensor:
    clean, noisy = gradients
    if noisy is None or at.cosine == 0.0:
        return at.noise * at.next_cosine * clean
    if at.last:
        return at.noise * clean
    slope = _slope_along(clean, noisy).clamp(_SMALLEST_SLOPE * at.cosine, _LARGEST_SLOPE * at.cosine)
    return at.noise * noisy / mean_slope(slope, at)


def mean_slope(slope: Tensor, at: Transition) -> Tensor:
    """Slope of the transition's mean from the slope of the clean estimate; positive."""
    return (at.carry + at.tangent_factor * (slope - at.cosine)).clamp_min(0.05)


def base_value(
    statistics: Sequence[BoundStatistic], multipliers: Sequence[float], location: Tensor, spread: Tensor
) -> Tensor:
    """Sum of the constraints' foreseen log tilts, shape (row,)."""
    total = torch.zeros(len(location), dtype=location.dtype, device=location.device)
    for j, (statistic, multiplier) in enumerate(zip(statistics, multipliers, strict=True)):
        if multiplier != 0.0:
            total = total + statistic.base(multiplier, location[:, j], spread[:, j])
    return total
