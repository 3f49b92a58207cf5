"""The record of simulated paths that policy evaluation learns from."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class PathTape(NamedTuple):
    """Paths under one policy; steered transitions in order of time, equally many per period."""

    returns: Tensor
    """(path, time, asset), float32."""
    log_ratio: Tensor
    """(path,), float64: log density of the reference over the steered law."""
    spent: Tensor
    """(path,), float64: sum of |v|^2 / 2 (with covariance correction: of the transitions' divergences)."""
    largest_shift: Tensor
    """(path,): largest norm of a noise shift."""
    clipped: Tensor
    """(path,): share of transitions whose shift was limited."""
    increments: Tensor
    """(path, transition), float32: the terms of ``log_ratio``; empty if not recorded."""
    shift_on_noise: Tensor
    """(path, transition): v.(v + W); empty if not recorded."""
    shift_square: Tensor
    """(path, transition): |v|^2; empty if not recorded."""
    features: Tensor
    """(path, transition, feature); empty if not recorded."""
    location: Tensor
    """(path, transition, constraint); empty if not recorded."""
    spread: Tensor
    """(path, transition, constraint); empty if not recorded."""


def joined(parts: Sequence[PathTape], n_paths: int) -> PathTape:
    """First ``n_paths`` paths of several blocks."""
    return PathTape(*(torch.cat(list(fields))[:n_paths] for fields in zip(*parts, strict=True)))
