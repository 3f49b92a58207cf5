"""The contract between a sampler and whatever supplies the conditional velocity: a network, or an exact law."""

from typing import Any, Protocol

import torch
from torch import Tensor

from tsgen.networks.history_encoder import Past


class VelocityHead(Protocol):
    """Conditional velocity of one period's innovations, evaluated level by level."""

    def context(self, past: Past) -> Any:
        """What the past contributes; computed once per period, opaque to the sampler."""
        ...

    def prepare(self, tau: float) -> Any:
        """Constants of one noise angle; computed once per run."""
        ...

    def velocity_at(self, noisy: Tensor, level: Any, context: Any) -> Tensor:
        """Velocity of a batch (batch, asset) at a prepared level."""
        ...

    def to(self, device: str | torch.device, /) -> "VelocityHead":
        """Move to a device."""
        ...
