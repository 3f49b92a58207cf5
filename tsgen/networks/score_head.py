r"""The velocity head: a closed-form anchor plus what the network learned beyond it.

    F(u, tau, h) = F_anchor(u, tau) + sin(tau) N(u, tau, h).

The factor ``sin(tau)`` makes the velocity vanish at ``tau = 0``, where it is zero exactly. The output layer
starts at zero, so training starts from the anchor. Activations are asymptotically linear and inputs are not
clamped: beyond the data the velocity extrapolates linearly (clamping it thins the tails).
"""

from collections.abc import Iterable
from typing import cast, final

import torch
from torch import Tensor, nn

from tsgen.diffusion.coordinate_mixture import (
    CoordinateLevel,
    CoordinateMixture,
    coordinate_level,
    coordinate_velocity,
    standard_coordinates,
)
from tsgen.diffusion.mixture_velocity import (
    GaussianMixture,
    MixtureLevel,
    SharedAxesLevel,
    mixture_level,
    mixture_velocity,
    mixture_velocity_at,
)
from tsgen.diffusion.regime_velocity import RegimeAxes, regime_axes, regime_velocity, unpack_regimes
from tsgen.networks.head_shape import HeadShape
from tsgen.networks.history_encoder import HistoryEncoder, Past, activation_of
from tsgen.networks.prepared_head import Layer, PeriodContext, PreparedLevel, Workspace
from tsgen.networks.velocity_guard import N_GUARD_LEVELS, VelocityGuard

_N_ANGLE_FEATURES = 8


def angle_features(tau: Tensor) -> Tensor:
    """Smooth features of the angle, shape (batch, 8) for ``tau`` of shape (batch, 1)."""
    multiples = torch.arange(1, _N_ANGLE_FEATURES // 2 + 1, dtype=tau.dtype, device=tau.device)
    return torch.cat([torch.cos(multiples * tau), torch.sin(multiples * tau)], dim=1)


def _closed_form(noisy: Tensor, level: MixtureLevel | SharedAxesLevel | CoordinateLevel | None) -> Tensor:
    """Velocity of the anchor at a prepared level."""
    if level is None:
        return torch.zeros_like(noisy)
    return (
        coordinate_velocity(noisy, level) if isinstance(level, CoordinateLevel) else mixture_velocity_at(noisy, level)
    )


def _silu_(values: Tensor) -> Tensor:
    """SiLU in place."""
    return nn.functional.silu(values, inplace=True)


@final
class ScoreHead(nn.Module):
    """Conditional velocity of one period's innovations, shared by all periods.

    Parameters
    ----------
    shape : HeadShape
    anchor : GaussianMixture or CoordinateMixture, optional
        Required if ``shape.n_components`` is positive.
    regime_shapes : Tensor of shape (regime, asset, asset), optional
        Required if ``shape.n_regimes`` is positive.
    """

    anchor_log_weights: Tensor
    anchor_means: Tensor
    anchor_covariances: Tensor
    coordinate_log_common: Tensor
    coordinate_log_own: Tensor
    coordinate_variances: Tensor
    regime_values: Tensor
    regime_vectors: Tensor

    def __init__(
        self,
        shape: HeadShape,
        anchor: GaussianMixture | CoordinateMixture | None = None,
        regime_shapes: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.shape = shape
        self._store_anchor(anchor)
        n = shape.n_assets
        self.guard = VelocityGuard(torch.zeros(N_GUARD_LEVELS, n)) if shape.guarded else None
        if shape.n_regimes:  # placeholders of the right shape until stored numbers are loaded
            shapes = torch.eye(n).expand(shape.n_regimes, n, n) if regime_shapes is None else regime_shapes
            axes = regime_axes(shapes.double())
            self.register_buffer("regime_values", axes.values.float())
            self.register_buffer("regime_vectors", axes.vectors.float())
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

    def _store_anchor(self, anchor: GaussianMixture | CoordinateMixture | None) -> None:
        """Keep the numbers of the anchor as buffers; without them, placeholders until stored ones are loaded."""
        wide = self.shape.residual == "coordinates"
        n, j = self.shape.n_assets, 0 if wide else self.shape.n_components
        law = anchor if isinstance(anchor, GaussianMixture) else None
        self.register_buffer("anchor_log_weights", torch.zeros(j) if law is None else law.log_weights.float())
        self.register_buffer("anchor_means", torch.zeros(j, n) if law is None else law.means.float())
        self.register_buffer("anchor_covariances", torch.zeros(j, n, n) if law is None else law.covariances.float())
        if wide:
            own = anchor if isinstance(anchor, CoordinateMixture) else standard_coordinates(self.shape.n_components)
            for name, value in own._asdict().items():
                self.register_buffer(f"coordinate_{name}", value.float())

    @property
    def anchor(self) -> GaussianMixture | CoordinateMixture | None:
        """The closed-form law inside the head, or ``None`` for the standard normal."""
        if self.shape.n_components == 0:
            return None
        if self.shape.residual == "coordinates":
            return CoordinateMixture(self.coordinate_log_common, self.coordinate_log_own, self.coordinate_variances)
        return GaussianMixture(self.anchor_log_weights, self.anchor_means, self.anchor_covariances)

    def context(self, past: Past) -> PeriodContext | None:
        """Contribution of the past: one evaluation per period, not per noise level; ``None`` without a network."""
        law = unpack_regimes(past.features, self.shape.n_regimes) if self.shape.n_regimes else None
        if self.state_in is None:
            return None if law is None else PeriodContext(None, None, law)
        term = self._past_term(past)
        return PeriodContext(term, None if torch.is_grad_enabled() else self._workspace(len(past.window)), law)

    def _workspace(self, batch: int) -> Workspace:
        # fresh memory for every layer of every level costs as much as the products: two buffers serve them all
        width, like = self.shape.width, self.out.weight
        return Workspace(
            hidden=torch.empty(batch, width, dtype=like.dtype, device=like.device),
            update=torch.empty(batch, width, dtype=like.dtype, device=like.device),
            first=self._entrance.weight.T,
            blocks=tuple(Layer.of(cast("nn.Linear", b[0])) for b in cast("Iterable[nn.Sequential]", self.blocks)),
            last=Layer.of(self.out),
        )

    @property
    def _entrance(self) -> nn.Linear:
        assert self.state_in is not None  # noqa: S101  (callers have checked ``learned``)
        return self.state_in

    def _past_term(self, past: Past) -> Tensor | None:
        if self.context_in is None or self.encoder.layers is None:
            return None
        first, bend, last = (cast("nn.Linear", layer) for layer in self.encoder.layers)
        hidden = first(self.encoder.inputs(past))
        hidden = bend(hidden) if torch.is_grad_enabled() else self._activate(hidden)
        # two linear maps without anything between them are one: a product per weight instead of one per path
        both = self.context_in.weight @ last.weight
        return torch.addmm(self.context_in.weight @ last.bias, hidden, both.T)

    def _activate(self, values: Tensor) -> Tensor:
        """The activation, in place."""
        return torch.relu_(values) if self.shape.activation == "relu" else _silu_(values)

    def _body(self, noisy: Tensor, angle_term: Tensor, past_term: Tensor | None) -> Tensor:
        term = angle_term if past_term is None else angle_term + past_term
        hidden = self.first_activation(torch.addmm(term, noisy, self._entrance.weight.T))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return self.out(hidden)

    def _body_in_place(self, noisy: Tensor, angle_term: Tensor, past_term: Tensor | None, space: Workspace) -> Tensor:
        """`_body` on two buffers; equal to it up to rounding, unusable where gradients are recorded."""
        hidden, update = space.hidden, space.update
        if past_term is None:
            torch.addmm(angle_term, noisy, space.first, out=hidden)
        else:
            torch.add(past_term, angle_term, out=hidden).addmm_(noisy, space.first)
        self._activate(hidden)
        for weight, bias in space.blocks:
            torch.addmm(bias, hidden, weight, out=update)
            hidden.add_(self._activate(update))
        return torch.addmm(space.last.bias, hidden, space.last.weight)

    def _angle_term(self, tau: Tensor) -> Tensor:
        return torch.addmm(self._entrance.bias, angle_features(tau), self.angle_in.weight.T)

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
        velocity = self._anchor_velocity(noisy, tau, past)
        velocity = velocity if self.guard is None else velocity + self.guard.at(tau) * noisy
        if self.state_in is None:
            return velocity
        learned = self._body(noisy, self._angle_term(tau), self._past_term(past))
        return velocity + torch.sin(tau) * learned

    @property
    def _axes(self) -> RegimeAxes:
        return RegimeAxes(self.regime_values, self.regime_vectors)

    def _anchor_velocity(self, noisy: Tensor, tau: Tensor, past: Past) -> Tensor:
        if self.shape.n_regimes:
            regimes = unpack_regimes(past.features, self.shape.n_regimes)
            return regime_velocity(noisy, torch.cos(tau), torch.sin(tau), regimes, self._axes)
        law = self.anchor
        if isinstance(law, CoordinateMixture):
            return coordinate_velocity(noisy, coordinate_level(law, tau))
        return torch.zeros_like(noisy) if law is None else mixture_velocity(noisy, tau, law)

    def prepare(self, tau: float) -> PreparedLevel:
        """Constants of the angle ``tau`` for `velocity_at`."""
        law = self.anchor
        angle = torch.tensor([[tau]], dtype=self.anchor_means.dtype, device=self.anchor_means.device)
        if isinstance(law, CoordinateMixture):
            level = coordinate_level(law, angle)
        else:
            level = None if law is None else mixture_level(law, tau)
        term = None if self.state_in is None else self._angle_term(angle)
        slope = None if self.guard is None else self.guard.at(angle)
        return PreparedLevel(float(torch.sin(angle)), term, level, (torch.cos(angle), torch.sin(angle)), slope)

    def velocity_at(self, noisy: Tensor, level: PreparedLevel, context: PeriodContext | None) -> Tensor:
        """Velocity of a whole batch at one prepared angle (sampling).

        Where no gradients are recorded, the hidden layers live in the buffers of ``context``.
        """
        if context is not None and context.law is not None:
            velocity = regime_velocity(noisy, *level.angle, context.law, self._axes)
        else:
            velocity = _closed_form(noisy, level.mixture)
        velocity = velocity if level.slope is None else velocity + level.slope * noisy
        if level.angle_term is None:
            return velocity
        term, space = (None, None) if context is None else (context.term, context.workspace)
        if space is None or torch.is_grad_enabled() or space.hidden.shape[0] != noisy.shape[0]:
            return velocity + level.sine * self._body(noisy, level.angle_term, term)
        return velocity.add_(self._body_in_place(noisy, level.angle_term, term, space), alpha=level.sine)
