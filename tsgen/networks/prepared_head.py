"""What a velocity head computes once so that sampling does not compute it at every step: per noise level, per period.

Below `score_head`.
"""

from typing import NamedTuple

from torch import Tensor, nn

from tsgen.diffusion.coordinate_mixture import CoordinateLevel
from tsgen.diffusion.mixture_velocity import MixtureLevel, SharedAxesLevel
from tsgen.diffusion.regime_velocity import RegimeLaw


class PreparedLevel(NamedTuple):
    """Constants of one noise angle, computed once per sampling run."""

    sine: float
    angle_term: Tensor | None
    """(1, width): what the angle adds to the first layer, its bias included; ``None`` without a network."""
    mixture: MixtureLevel | SharedAxesLevel | CoordinateLevel | None
    angle: tuple[Tensor, Tensor]
    """Cosine and sine, each (1, 1)."""
    slope: Tensor | None
    """(1, asset): linear bias to remove."""


class Layer(NamedTuple):
    """Transposed weight and bias of a linear map, looked up once: module attributes are slow to reach."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, linear: nn.Linear) -> "Layer":
        """Views of the map's parameters."""
        return cls(linear.weight.T, linear.bias)


class Workspace(NamedTuple):
    """Where the hidden layers of all noise levels of a period are computed."""

    hidden: Tensor
    """(batch, width), overwritten by every level; so is ``update``."""
    update: Tensor
    first: Tensor
    """(asset, width): transposed weight of the first layer."""
    blocks: tuple[Layer, ...]
    last: Layer


class PeriodContext(NamedTuple):
    """What the past contributes to one period, with the memory in which its noise levels are evaluated."""

    term: Tensor | None
    """(batch, width): contribution to the first layer; ``None`` if the network has no memory."""
    workspace: Workspace | None
    """``None`` where gradients are recorded."""
    law: RegimeLaw | None = None
    """Anchor of every row, where it depends on the past."""
