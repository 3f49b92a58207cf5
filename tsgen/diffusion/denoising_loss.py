r"""Score matching for all periods at once, as regression on the velocity.

Every row (one period of one path) draws its own angle and its own noise, so one batch trains every
conditional score in parallel; there is no loop over trading time. The angle is stratified over the batch,
which lowers the variance of the loss at no cost.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.diffusion.forward_noising import noised, velocity_target

SMALLEST_TRAINING_ANGLE = 0.2
"""Below the smallest angle any sampling grid evaluates (arctan 0.25 = 0.245): nothing smaller is ever needed."""


class NoisedBatch(NamedTuple):
    """Inputs and regression targets of one training step."""

    noisy: Tensor
    """(batch, asset)."""
    tau: Tensor
    """(batch, 1)."""
    target: Tensor
    """(batch, asset): velocity of this draw."""


def stratified_angles(n: int, *, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
    """One angle in each of ``n`` equal cells of [0.2, pi/2], in random order; shape (n, 1)."""
    jitter = torch.rand(n, 1, generator=generator, dtype=dtype)
    cells = torch.randperm(n, generator=generator).to(dtype)[:, None]
    span = torch.pi / 2 - SMALLEST_TRAINING_ANGLE
    return SMALLEST_TRAINING_ANGLE + span * (cells + jitter) / n


def noised_batch(clean: Tensor, *, generator: torch.Generator) -> NoisedBatch:
    """Noise every row of ``clean`` (batch, asset) at its own angle; draws on the CPU, then moves."""
    tau = stratified_angles(len(clean), generator=generator, dtype=clean.dtype).to(clean.device)
    noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype).to(clean.device)
    return NoisedBatch(noised(clean, noise, tau), tau, velocity_target(clean, noise, tau))


def row_losses(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean squared error per coordinate, one number per row; shape (batch,)."""
    return (predicted - target).square().mean(dim=-1)
