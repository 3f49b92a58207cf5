"""A residual map by table look-up, for look-ahead only: the paths themselves go through the map as it is.

Look-ahead maps every clean estimate and needs the map's slope there, at every noise level. Cells of equal width make
both a multiplication and a gather instead of a search.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.whitening.residual_map import ResidualMap

_REACH, _CELLS_PER_UNIT = 12.0, 32


class Seen(NamedTuple):
    """Estimates in the map's image, and what a gradient needs on its way back."""

    mapped: Tensor
    """(path, asset)."""
    slopes: Tensor | None
    """(path, asset): of the maps by coordinate; ``None`` without a map."""
    along: Tensor | None
    """(path,): slope of the map along the common direction; ``None`` without a direction."""


class QuickMap(NamedTuple):
    """Tables of a `ResidualMap` on cells of equal width; the outermost cells continue its tails."""

    values: Tensor
    """(asset * cell,): image of the cell's left end."""
    slopes: Tensor
    """(asset * cell,)."""
    along_values: Tensor
    along_slopes: Tensor
    """(cell,): the same along the direction."""
    direction: Tensor | None
    """(asset,)."""

    @classmethod
    def of(cls, exact: ResidualMap) -> "QuickMap":
        """Tabulate a map, in its own precision."""
        n_assets = len(exact.direction)
        grid = torch.linspace(-_REACH, _REACH, int(2 * _REACH * _CELLS_PER_UNIT) + 1).to(exact.source)
        still = torch.zeros_like(exact.direction)
        by_asset = exact._replace(direction=still)(grid[:, None].expand(-1, n_assets)).T
        line = ResidualMap(exact.source[-1:].repeat(2, 1), exact.target[-1:].repeat(2, 1), still[:1])
        along = line(grid[:, None])[:, 0]
        return cls(
            values=by_asset[:, :-1].reshape(-1),
            slopes=((by_asset[:, 1:] - by_asset[:, :-1]) * _CELLS_PER_UNIT).reshape(-1),
            along_values=along[:-1].contiguous(),
            along_slopes=((along[1:] - along[:-1]) * _CELLS_PER_UNIT).contiguous(),
            direction=exact.direction if bool(exact.direction.any()) else None,
        )

    def see(self, clean: Tensor) -> Seen:
        """Map estimates of shape (path, asset)."""
        n_cells = len(self.along_values)
        cell, left = _cells(clean, n_cells)
        cell += torch.arange(0, clean.shape[1] * n_cells, n_cells, device=clean.device)
        slopes = self.slopes[cell]
        mapped = torch.addcmul(self.values[cell], slopes, left)
        if self.direction is None:
            return Seen(mapped, slopes, None)
        size = mapped @ self.direction
        cell, left = _cells(size, n_cells)
        along = self.along_slopes[cell]
        moved = self.along_values[cell] + along * left
        return Seen(mapped + (moved - size)[:, None] * self.direction, slopes, along)

    def pull_back(self, seen: Seen, gradient: Tensor) -> Tensor:
        """Gradient with respect to the estimates, from the one with respect to ``seen.mapped``."""
        if seen.slopes is None:
            return gradient
        if self.direction is not None and seen.along is not None:
            gradient = gradient + ((seen.along - 1.0) * (gradient @ self.direction))[:, None] * self.direction
        return gradient * seen.slopes


def _cells(values: Tensor, n_cells: int) -> tuple[Tensor, Tensor]:
    """Cell of every value, and its distance from the cell's left end."""
    scaled = (values + _REACH) * _CELLS_PER_UNIT
    cell = scaled.clamp(0, n_cells - 1).long()
    return cell, (scaled - cell) / _CELLS_PER_UNIT
