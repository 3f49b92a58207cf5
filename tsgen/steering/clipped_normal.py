r"""Log of the mean tilt of a winsorised normal variable: the value of a bounded terminal statistic, in closed form.

For :math:`X \sim N(m, s^2)`, bounds ``lo < hi`` and a slope ``l``,

.. math::
    E e^{l\,\mathrm{clip}(X)} = e^{l\,lo} \Phi(a) + e^{l m + l^2 s^2 / 2} [\Phi(b - l s) - \Phi(a - l s)]
    + e^{l\,hi} \Phi(-b), \qquad a = (lo - m) / s,\; b = (hi - m) / s.

Its logarithm bends smoothly into the bounds; the tilt at the mean, ``l clip(m)``, has a kink there, and paths that are
near a bound would be pushed with all force or not at all.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

_SMALLEST_SPREAD = 1e-4
_FARTHEST = 40.0  # bounds beyond are put here: no path gets there, and their terms would underflow
_LARGEST_EXPONENT = 600.0  # beyond it the probability between the bounds is zero to double precision
_HALF, _DENSITY = math.sqrt(0.5), 1.0 / math.sqrt(2.0 * math.pi)


class ClippedTilt(NamedTuple):
    """Log of the mean tilt and its derivatives, each of the location's shape and dtype."""

    value: Tensor
    by_location: Tensor
    by_spread: Tensor


def clipped_tilt(slope: float, location: Tensor, spread: Tensor, lower: float, upper: float) -> ClippedTilt:
    """``log E exp(slope * clip(X, lower, upper))`` for ``X ~ N(location, spread^2)``.

    Parameters
    ----------
    slope : float
        Not zero.
    location, spread : Tensor
        Of one shape, in standard deviations of the statistic; a spread of zero gives the tilt at the location.
    lower, upper : float
        Finite: without bounds and with fat tails there is no mean tilt.

    Examples
    --------
    >>> tilt = clipped_tilt(-1.0, torch.tensor([0.5]), torch.tensor([2.0]), -99.0, 99.0)
    >>> float(tilt.value), float(tilt.by_location), float(tilt.by_spread)  # -m + s^2 / 2
    (1.5, -1.0, 2.0)
    """
    # double precision: the three terms differ by many orders of magnitude far beyond a bound
    m, s = location.double(), spread.double().clamp_min(_SMALLEST_SPREAD)
    low, high = max(lower, -_FARTHEST), min(upper, _FARTHEST)
    a, b, moved = (low - m) / s, (high - m) / s, slope * s
    top = max(slope * low, slope * high)
    at_low, at_high = math.exp(slope * low - top), math.exp(slope * high - top)
    exponent = (slope * m + 0.5 * moved.square() - top).clamp(max=_LARGEST_EXPONENT)
    inside = exponent.exp() * _between(a - moved, b - moved)
    total = inside + at_low * _below(a) + at_high * _below(-b)
    densities = at_low * torch.exp(-0.5 * a.square()) - at_high * torch.exp(-0.5 * b.square())
    by_spread = slope * (moved * inside + densities * _DENSITY) / total * (spread > _SMALLEST_SPREAD)
    found = (top + total.log(), slope * inside / total, by_spread)
    return ClippedTilt(*(x.to(location.dtype) for x in found))


def _below(x: Tensor) -> Tensor:
    return 0.5 * torch.erfc(x * -_HALF)


def _between(low: Tensor, high: Tensor) -> Tensor:
    """Probability of a standard normal between ``low < high``, accurate in both tails."""
    flipped = low > 0
    return _below(torch.where(flipped, -low, high)) - _below(torch.where(flipped, -high, low))
