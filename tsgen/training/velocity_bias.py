r"""The linear bias of a velocity, level by level, and its removal.

Regressed on ``u``, the error ``v - F`` of an exact velocity has slope zero. Given the clean value, the mean of ``v
u`` is known, ``sin cos (1 - z^2)``, so only ``F`` has to be sampled:

    kappa(tau) = (sin cos (1 - mean z^2) - mean F u) / mean u^2.

A slope ``kappa`` at all levels changes the generated variance by the factor ``exp(-pi kappa)``, for both schemes.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from tsgen.diffusion.forward_noising import noised
from tsgen.networks.score_head import ScoreHead
from tsgen.networks.velocity_guard import VelocityGuard, guard_angles
from tsgen.torch_streams import torch_stream
from tsgen.training.training_rows import TrainingRows

_MOST_ROWS = 60_000
_BATCH = 8192
TOLERANCE = 0.01
"""Relative error of the variance that is left alone."""
STANDARD_ERRORS = 3.0
"""A slope is removed only if it is this much larger than its own error."""


class VelocityBias(NamedTuple):
    """Slopes of ``v - F`` on ``u``."""

    slopes: Tensor
    """(level, asset), at `guard_angles`."""
    errors: Tensor
    """(level, asset): standard errors."""

    def significant(self) -> Tensor:
        """Where the slope matters (pi kappa above one percent) and is not an accident of the sample."""
        size = self.slopes.abs()
        return (math.pi * size > TOLERANCE) & (size > STANDARD_ERRORS * self.errors)


@torch.no_grad()
def velocity_bias(head: ScoreHead, data: TrainingRows, rows: Tensor, *, seed: int) -> VelocityBias:
    """Measure the linear bias of a head.

    Parameters
    ----------
    head : ScoreHead
    data : TrainingRows
    rows : Tensor of int
        Rows to measure on; at most 60,000 are used.
    seed : int

    Returns
    -------
    VelocityBias
        On the CPU.
    """
    generator = torch_stream(seed, "velocity bias")
    chosen = rows[torch.randperm(len(rows), generator=generator)[:_MOST_ROWS]]
    slopes, errors = [], []
    for tau in guard_angles().tolist():
        products, squares = [], []
        for part in chosen.split(_BATCH):
            clean, past = data.clean(part), data.past(part)
            noise = torch.randn(clean.shape, generator=generator).to(clean.device)
            angle = torch.full((len(clean), 1), tau, device=clean.device)
            noisy = noised(clean, noise, angle)
            known = math.sin(tau) * math.cos(tau) * (1.0 - clean.square())
            products.append((known - head(noisy, angle, past) * noisy).double().cpu())
            squares.append(noisy.square().double().cpu())
        product, size = torch.cat(products), torch.cat(squares).mean(dim=0)
        slopes.append(product.mean(dim=0) / size)
        errors.append(product.std(dim=0) / size / math.sqrt(len(product)))
    return VelocityBias(torch.stack(slopes), torch.stack(errors))


def guard_head(head: ScoreHead, data: TrainingRows, rows: Tensor, *, seed: int) -> ScoreHead:
    """Remove significant slopes from a head, in place, and return it.

    Parameters
    ----------
    head : ScoreHead
        Trained, without a guard.
    data, rows, seed
        As `velocity_bias`.
    """
    bias = velocity_bias(head, data, rows, seed=seed)
    wrong = bias.significant()
    if bool(wrong.any()):
        table = torch.where(wrong, bias.slopes, torch.zeros_like(bias.slopes))
        head.guard = VelocityGuard(table).to(data.innovations.device)
        head.shape = head.shape._replace(guarded=True)
    return head
