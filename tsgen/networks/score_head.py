r"""The velocity head: a closed-form anchor plus what the network learned beyond it.

    F(u, tau, h) = F_anchor(u, tau) + sin(tau) N(u, tau, h).

The factor ``sin(tau)`` makes the velocity vanish at ``tau = 0``, where it is zero exactly. The output layer
starts at zero, so training starts from the anchor. Activations are asymptotically linear and inputs are not
clamped: beyond the data the velocity extrapolates linearly (clamping it thins the tails).
"""

from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from tsgen.diffusion.mixture_velocity import (
    GaussianMixture,
    MixtureLevel,
    mixture_level,
    mixture_velocity,
    mixture_velocity_at,
)
from tsgen.networks.history_encoder import Activation, ContextKind, HistoryEncoder, Past, activation_of

_N_ANGLE_FEATURES = 8


class HeadShape(NamedTuple):
    """Everything that determines the tensors of a head."""

    n_assets: int
    n_features: int
    context: ContextKind
    lookback: int
    width: int
    n_blocks: int
    activation: Activation
    n_components: int
    """Components of the mixture anchor; 0 for the standard normal anchor (F = 0)."""
    learned: bool
    """Whether there is a network at all; ``False``: the anchor alone."""


class PreparedLevel(NamedTuple):
    """Constants of one noise angle, computed once per sampling run."""

    sine: float
    angle_term: Tensor | None
    mixture: MixtureLevel | None


def angle_features(tau: Tensor) -> Tensor:
    """Smooth features of the angle, shape (batch, 8) for ``tau`` of shape (batch, 1)."""
    multiples = torch.arange(1, _N_ANGLE_FEATURES // 2 + 1, dtype=tau.dtype, device=tau.device)
    return torch.cat([torch.cos(multiples * tau), torch.sin(multiples * tau)], dim=1)


@final
class ScoreHead(nn.Module):
    """Conditional velocity of one period's innovations, shared by all periods.

    Parameters
    ----------
    shape : HeadShape
    anchor : GaussianMixture, optional
        Required if ``shape.n_components`` is positive.
    """

    anchor_log_weights: Tensor
    anchor_means: Tensor
    anchor_covariances: Tensor

    def __init__(self, shape: HeadShape, anchor: GaussianMixture | None = None) -> None:
        super().__init__()
        self.shape = shape
        n, j = shape.n_assets, shape.n_components
        self.register_buffer("anchor_log_weights", torch.zeros(j) if anchor is None else anchor.log_weights.float())
        self.register_buffer("anchor_means", torch.zeros(j, n) if anchor is None else anchor.means.float())
        self.register_buffer(
            "anchor_covariances", torch.zeros(j, n, n) if anchor is None else anchor.covariances.float()
        )
        self.encoder = HistoryEncoder(
            kind=shape.context if shape.learned else "none",
            n_assets=n,
            n_features=shape.n_features,
            lookback=shape.lookback,
            width=shape.width,
            activation=shape.activation,
        )
        if not shape.learned:
            self.state_in = None
            return
        self.state_in = nn.Linear(n, shape.width)
        self.angle_in = nn.Linear(_N_ANGLE_FEATURES, shape.width, bias=False)
        size = self.encoder.context_size
        self.context_in = nn.Linear(size, shape.width, bias=False) if size else None
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(shape.width, shape.width), activation_of(shape.activation))
            for _ in range(shape.n_blocks)
        )
        self.first_activation = activation_of(shape.activation)
        self.out = nn.Linear(shape.width, n)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    @property
    def anchor(self) -> GaussianMixture | None:
        """The closed-form law inside the head, or ``None`` for the standard normal."""
        if self.shape.n_components == 0:
            return None
        return GaussianMixture(self.anchor_log_weights, self.anchor_means, self.anchor_covariances)

    def context(self, past: Past) -> Tensor | None:
        """Contribution of the past to the first layer: one evaluation per period, not per noise level."""
        if self.state_in is None or self.context_in is None:
            return None
        return self.context_in(self.encoder(past))

    def _body(self, noisy: Tensor, angle_term: Tensor, context: Tensor | None) -> Tensor:
        assert self.state_in is not None  # noqa: S101  (callers have checked ``learned``)
        hidden = self.state_in(noisy) + angle_term
        if context is not None:
            hidden = hidden + context
        hidden = self.first_activation(hidden)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return self.out(hidden)

    def forward(self, noisy: Tensor, tau: Tensor, past: Past) -> Tensor:
        """Velocity where every row has its own angle.

        Parameters
        ----------
        noisy : Tensor of shape (batch, asset)
        tau : Tensor of shape (batch, 1)
        past : Past

        Returns
        -------
        Tensor of shape (batch, asset)
        """
        law = self.anchor
        velocity = torch.zeros_like(noisy) if law is None else mixture_velocity(noisy, tau, law)
        if self.state_in is None:
            return velocity
        learned = self._body(noisy, self.angle_in(angle_features(tau)), self.context(past))
        return velocity + torch.sin(tau) * learned

    def prepare(self, tau: float) -> PreparedLevel:
        """Constants of the angle ``tau`` for `velocity_at`."""
        law = self.anchor
        level = None if law is None else mixture_level(law, tau)
        angle = torch.tensor([[tau]], dtype=self.anchor_means.dtype, device=self.anchor_means.device)
        term = None if self.state_in is None else self.angle_in(angle_features(angle))
        return PreparedLevel(float(torch.sin(angle)), term, level)

    def velocity_at(self, noisy: Tensor, level: PreparedLevel, context: Tensor | None) -> Tensor:
        """Velocity of a whole batch at one prepared angle (sampling)."""
        velocity = torch.zeros_like(noisy) if level.mixture is None else mixture_velocity_at(noisy, level.mixture)
        if level.angle_term is None:
            return velocity
        return velocity + level.sine * self._body(noisy, level.angle_term, context)
