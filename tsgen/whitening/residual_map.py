"""Monotone correction of the innovation law: every coordinate, then one common direction.

A mixture of a few Gaussians and a small network get the joint shape of innovations right and their far
quantiles wrong: value at risk sees what a denoising loss hardly does. The map sends quantiles of what the head
generates to quantiles of the residuals it was trained on (empirical core, generalised Pareto tails), coordinate
by coordinate and then along the loads of the equally weighted portfolio, whose tail no single coordinate decides.
It is invertible and reads one period only, so paths stay adapted, and the relative entropy of two laws that
share the map is unchanged.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class ResidualMap(NamedTuple):
    """Piecewise-linear maps with linear tails; rows of the tables are coordinates, the last row is the direction.

    Examples
    --------
    >>> knots = torch.tensor([[-1.0, 0.0, 1.0]] * 2)
    >>> doubled = ResidualMap(source=knots, target=2 * knots, direction=torch.zeros(1))
    >>> doubled(torch.tensor([[0.25], [3.0]]))
    tensor([[0.5000],
            [6.0000]])
    """

    source: Tensor
    """(asset + 1, knot): quantiles of generated innovations, increasing."""
    target: Tensor
    """(asset + 1, knot): the same quantiles of the training residuals, increasing."""
    direction: Tensor
    """(asset,): unit vector of the common direction, or zeros for none."""

    def __call__(self, innovations: Tensor) -> Tensor:
        """Map innovations of shape (path, asset); differentiable almost everywhere."""
        source, target, direction = self.source, self.target, self.direction
        mapped = _interpolate(innovations.T, source[:-1], target[:-1]).T
        if not bool(direction.any()):
            return mapped
        along = mapped @ direction
        moved = _interpolate(along[None], source[-1:], target[-1:])[0]
        return mapped + (moved - along)[:, None] * direction

    def pull_back(self, innovations: Tensor, gradient: Tensor) -> Tensor:
        """Gradient with respect to ``innovations`` from the one with respect to their image; all (path, asset)."""
        source, target, direction = self.source, self.target, self.direction
        if bool(direction.any()):
            mapped = _interpolate(innovations.T, source[:-1], target[:-1]).T
            along = _slopes((mapped @ direction)[None], source[-1:], target[-1:])[0]
            gradient = gradient + ((along - 1.0) * (gradient @ direction))[:, None] * direction
        return gradient * _slopes(innovations.T, source[:-1], target[:-1]).T

    def like(self, reference: Tensor) -> "ResidualMap":
        """The same map in the floating type and on the device of ``reference``."""
        return ResidualMap(*(x.to(reference) for x in self))


def _left_knots(values: Tensor, source: Tensor) -> Tensor:
    return torch.searchsorted(source[:, 1:-1].contiguous(), values.detach().contiguous())


def _slopes(values: Tensor, source: Tensor, target: Tensor) -> Tensor:
    left = _left_knots(values, source)
    rise = target.gather(1, left + 1) - target.gather(1, left)
    return rise / (source.gather(1, left + 1) - source.gather(1, left))


def _interpolate(values: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Row-wise piecewise-linear interpolation, continued by the outermost slopes; all of shape (row, ...)."""
    left = _left_knots(values, source)
    x0, x1 = source.gather(1, left), source.gather(1, left + 1)
    y0, y1 = target.gather(1, left), target.gather(1, left + 1)
    return y0 + (values - x0) * ((y1 - y0) / (x1 - x0))
