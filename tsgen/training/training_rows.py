"""Training data as rows: one period of one path each, with what was known before it.

All periods of all paths become rows of one table, so one batch mixes periods and trains every conditional
score in parallel. Windows of the past are read from the padded innovations, never copies of the data set.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.errors import DataError
from tsgen.networks.history_encoder import Past

WINSOR = 10.0
"""Innovations beyond ten standard deviations enter training as ten: one price spike must not own the loss."""

_BLOCK = 20  # periods per block of a panel when a standard error is taken


class TrainingRows(NamedTuple):
    """Innovations of recorded paths, addressable by row."""

    innovations: Tensor
    """(path, time, asset), float32, winsorised: what is learned."""
    padded: Tensor
    """(path, lookback + time, asset): the past it is learned with, zeros before the start."""
    features: Tensor
    """(path, time, feature), float32."""
    lookback: int
    regime_shapes: Tensor | None = None
    """(regime, asset, asset): fixed part of the regime mixture that the features describe, where they do."""

    @property
    def n_rows(self) -> int:
        """Number of rows: paths times periods."""
        return self.innovations.shape[0] * self.innovations.shape[1]

    def clean(self, rows: Tensor) -> Tensor:
        """Innovations of the given rows, shape (batch, asset)."""
        return self.innovations.flatten(0, 1)[rows.to(self.innovations.device)]

    def past(self, rows: Tensor) -> Past:
        """What was known before the given rows."""
        rows, periods = rows.to(self.innovations.device), self.innovations.shape[1]
        path, t = rows // periods, rows % periods
        ahead = torch.arange(self.lookback, device=rows.device)
        first = path * self.padded.shape[1] + t
        # whole rows of a flat table: several times faster than indices of paths and periods
        window = self.padded.flatten(0, 1).index_select(0, (first[:, None] + ahead).flatten())
        window = window.view(len(rows), self.lookback, -1)
        known = (t[:, None] >= self.lookback - ahead).to(window.dtype)
        return Past(window, known, self.features[path, t])

    def centred(self, rows: Tensor) -> "TrainingRows":
        """The same table with the mean of the given rows taken from what is learned, not from the past it is seen with.

        A whitening may shrink the location of a panel; a law fitted to innovations as they are would give it back. The
        past stays as the whitening leaves it, because that is what a recorded history looks like when scenarios start.
        """
        return self._replace(innovations=self.innovations - self.clean(rows).mean(dim=0))

    def to(self, device: str | torch.device) -> "TrainingRows":
        """Rows on another device."""
        moved = self._replace(innovations=self.innovations.to(device), padded=self.padded.to(device))
        return moved._replace(features=self.features.to(device))


def make_rows(innovations: Tensor, features: Tensor, lookback: int) -> TrainingRows:
    """Table of rows from whitened paths; innovations are centred by nothing and winsorised at ten."""
    clipped = innovations.float().clamp(-WINSOR, WINSOR)
    padded = torch.cat([clipped.new_zeros(clipped.shape[0], lookback, clipped.shape[2]), clipped], dim=1)
    return TrainingRows(clipped, padded, features.float(), lookback)


class RowSplit(NamedTuple):
    """Row numbers for training and validation, and the independent unit each validation row belongs to."""

    train: Tensor
    validation: Tensor
    validation_block: Tensor


def split_rows(n_paths: int, n_periods: int, *, fraction: float, purge: int, skip: int = 0) -> RowSplit:
    """Time-ordered split of one panel, or the last paths of many.

    Parameters
    ----------
    n_paths, n_periods : int
        Shape of the whitened paths.
    fraction : float
        Share of validation rows.
    purge : int
        Periods dropped between the two parts (panel only).
    skip : int
        First periods left out of training (panel only): the filters have not yet forgotten their start.

    Raises
    ------
    DataError
        If either part would hold fewer than 10 units (paths or periods).
    """
    if n_paths > 1:
        held = max(1, round(fraction * n_paths))
        train = torch.arange((n_paths - held) * n_periods)
        validation = torch.arange((n_paths - held) * n_periods, n_paths * n_periods)
        block = validation // n_periods
        sizes = (n_paths - held, held)
    else:
        first = n_periods - round(fraction * n_periods)
        train, validation = torch.arange(skip, max(skip, first - purge)), torch.arange(first, n_periods)
        block = validation // _BLOCK
        sizes = (len(train), len(validation))
    if min(sizes) < 10 or int(block.max() - block.min()) < 1:
        raise DataError(
            f"too little data to hold out a validation part: {sizes[0]} units to train and {sizes[1]} to validate, "
            f"at least 10 each are needed, and 2 blocks of {_BLOCK} periods of a panel to validate. Use a longer "
            "history, more paths, or a larger validation_fraction."
        )
    return RowSplit(train, validation, block - block.min())
