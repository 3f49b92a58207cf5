"""Removal of a linear bias of the velocity: ``F(u, tau) + kappa(tau) u``, with slopes tabulated by noise angle.

A velocity that is off by ``-kappa u`` over all angles multiplies the generated variance by ``exp(pi kappa)``, which
the training loss hardly sees. The slopes are measured in `tsgen.training.velocity_bias`.
"""

from typing import final

import torch
from torch import Tensor, nn

N_GUARD_LEVELS = 8


def guard_angles() -> Tensor:
    """Increasing angles of the table, float32, uniform in log tan over the range that samplers evaluate."""
    return torch.arctan(torch.logspace(-0.6, 1.5, N_GUARD_LEVELS))  # tan from 0.25 to 31


@final
class VelocityGuard(nn.Module):
    """Slopes per angle and coordinate.

    Parameters
    ----------
    slopes : Tensor of shape (N_GUARD_LEVELS, asset)
        ``kappa`` at `guard_angles`; linear in the angle in between, constant outside.
    """

    slopes: Tensor
    angles: Tensor

    def __init__(self, slopes: Tensor) -> None:
        super().__init__()
        self.register_buffer("slopes", slopes.float())
        self.register_buffer("angles", guard_angles(), persistent=False)

    def at(self, tau: Tensor) -> Tensor:
        """Slopes at angles (batch, 1), shape (batch, asset)."""
        upper = torch.searchsorted(self.angles, tau[:, 0].contiguous()).clamp(1, N_GUARD_LEVELS - 1)
        low, high = self.angles[upper - 1], self.angles[upper]
        share = ((tau[:, 0] - low) / (high - low)).clamp(0.0, 1.0)[:, None]
        return torch.lerp(self.slopes[upper - 1], self.slopes[upper], share)
