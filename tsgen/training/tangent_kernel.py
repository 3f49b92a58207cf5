r"""The tangent kernel of a score head: which functions gradient descent learns first.

Descent on the weights moves the velocity along ``K(x, x') = (1/d) sum_a grad F_a(x) . grad F_a(x')``. For any head the
gradients come from `torch.func`; for a two-layer ReLU head (no blocks, no context) the limit of infinite width
is known exactly, once its start is the one of the theory (`gaussian_start`). Other heads start with an output layer of
zero, so at their start only that layer has a gradient.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from tsgen.errors import ConfigError
from tsgen.networks.history_encoder import Past
from tsgen.networks.score_head import HeadShape, ScoreHead, angle_features
from tsgen.torch_streams import torch_stream
from tsgen.training.two_layer_relu import arc_cosine_kernel, two_layer_relu_kernel

_ROWS_AT_ONCE = 512


class HeadInputs(NamedTuple):
    """Inputs of a head, row by row."""

    noisy: Tensor
    """(row, asset)."""
    tau: Tensor
    """(row, 1)."""
    past: Past

    def take(self, rows: Tensor) -> "HeadInputs":
        """The given rows."""
        return HeadInputs(self.noisy[rows], self.tau[rows], Past(*(part[rows] for part in self.past)))


FeatureMap = Callable[[HeadInputs], Tensor]


def output_signs(n_outputs: int, *, seed: int) -> Tensor:
    """Random signs that stand for all outputs at once; ``[1.]`` for a single one."""
    if n_outputs == 1:
        return torch.ones(1)
    return torch.randint(2, (n_outputs,), generator=torch_stream(seed, "output signs")).float() * 2.0 - 1.0


def weights_with_gradient(head: nn.Module, inputs: HeadInputs, *, signs: Tensor) -> tuple[str, ...]:
    """Names of the weights that move the outputs at some of the inputs; at the usual start the output layer only."""
    weights = {name: value.detach() for name, value in head.named_parameters()}
    if not weights:
        return ()
    scaled = signs.to(inputs.noisy)
    weighting = torch.linspace(1.0, 2.0, len(inputs.noisy), device=inputs.noisy.device)  # so that rows do not cancel

    def combined(values: dict[str, Tensor]) -> Tensor:
        return weighting @ (functional_call(head, values, tuple(inputs)) @ scaled)

    found = grad(combined)(weights)
    return tuple(name for name, value in found.items() if bool(value.any()))


def tangent_gradients(
    head: nn.Module, inputs: HeadInputs, *, signs: Tensor, names: tuple[str, ...] | None = None
) -> Tensor:
    """Gradient of the signed mean output with respect to the weights, one row per input.

    Parameters
    ----------
    head : Module
        Called as ``head(noisy, tau, past)``.
    inputs : HeadInputs
    signs : Tensor of shape (asset,)
        From `output_signs`. The products of these gradients are the tangent kernel averaged over outputs: exactly while
        outputs share no weights that have a gradient (the usual start), on average over signs otherwise.
    names : tuple of str, optional
        Weights to differentiate, from `weights_with_gradient`; default: all.

    Returns
    -------
    Tensor of shape (row, weight), float32
    """
    fixed = {name: value.detach() for name, value in head.named_parameters()}
    chosen = {name: fixed.pop(name) for name in list(fixed) if names is None or name in names}
    scaled = signs.to(inputs.noisy) / math.sqrt(len(signs))

    def signed(values: dict[str, Tensor], noisy: Tensor, tau: Tensor, past: tuple[Tensor, ...]) -> Tensor:
        row = (noisy[None], tau[None], Past(*(part[None] for part in past)))
        return functional_call(head, {**fixed, **values}, row)[0] @ scaled

    per_row = vmap(grad(signed), in_dims=(None, 0, 0, 0))
    parts = []
    for rows in torch.arange(len(inputs.noisy), device=inputs.noisy.device).split(_ROWS_AT_ONCE):
        part = inputs.take(rows)
        found = per_row(chosen, part.noisy, part.tau, tuple(part.past))
        parts.append(torch.cat([value.flatten(1) for value in found.values()], dim=1))
    return torch.cat(parts)


def is_two_layer_relu(shape: HeadShape) -> bool:
    """Whether the infinite-width kernel of a head of this shape is known in closed form (its units come in pairs)."""
    two_layers = shape.learned and shape.n_blocks == 0 and shape.context == "none"
    return two_layers and shape.activation == "relu" and shape.width % 2 == 0


def _require_two_layer(shape: HeadShape) -> None:
    if not is_two_layer_relu(shape):
        raise ConfigError(
            "the infinite-width kernel is known for two-layer ReLU heads only (a network of even width, n_blocks=0, "
            f"activation='relu', context 'none'): got width={shape.width}, n_blocks={shape.n_blocks}, "
            f"activation={shape.activation!r}, context {shape.context!r}, learned={shape.learned}. Use the empirical "
            "tangent kernel."
        )


def _output_variance(shape: HeadShape) -> float:
    """Square of the output weights at `gaussian_start`: that of the first layer's weights."""
    return 1.0 / (3.0 * shape.n_assets)


def gaussian_start(head: ScoreHead, *, seed: int) -> None:
    """Redraw the weights of a two-layer ReLU head, in place: the start of the theory.

    First layer Gaussian (of the usual size); output weights of one size and random sign. Units come in pairs that
    cancel, so the network is zero, like its usual start, but both layers have gradients.

    Parameters
    ----------
    head : ScoreHead
    seed : int

    Raises
    ------
    ConfigError
        If the head is not a two-layer ReLU head of even width.

    References
    ----------
    Chizat, Oyallon, Bach (2019), "On lazy training in differentiable programming", arXiv 1812.07956 (pairs of units).
    """
    shape = head.shape
    _require_two_layer(shape)
    assert head.state_in is not None  # noqa: S101  (a learned head has it)
    generator, half = torch_stream(seed, "two-layer start"), shape.width // 2
    with torch.no_grad():
        for values, fan_in in (
            (head.state_in.weight, shape.n_assets),
            (head.state_in.bias, shape.n_assets),
            (head.angle_in.weight, head.angle_in.in_features),
        ):
            drawn = torch.randn((half, *values.shape[1:]), generator=generator) / math.sqrt(3.0 * fan_in)
            values.copy_(torch.cat([drawn, drawn]))
        signs = torch.randint(2, (shape.n_assets, half), generator=generator).float() * 2.0 - 1.0
        head.out.weight.copy_(torch.cat([signs, -signs], dim=1) * math.sqrt(_output_variance(shape)))
        head.out.bias.zero_()


def infinite_width_kernel(shape: HeadShape) -> Callable[[HeadInputs, HeadInputs], Tensor]:
    """Tangent kernel of a two-layer ReLU head at `gaussian_start`, in the limit of many units.

    ``sin sin' (m E[relu(a) relu(a')] + m s^2 (x . x') P(a > 0, a' > 0) + 1)`` with pre-activations ``a``, raw inputs
    ``x`` (state, features of the angle, constant), output weights of square ``s^2``, and one for the output's bias.

    Parameters
    ----------
    shape : HeadShape
        Its width scales the kernel: gradient descent on ``m`` units moves ``m`` times as fast as on one.

    Returns
    -------
    callable ``(left, right) -> Tensor of shape (left row, right row)``, float64

    Raises
    ------
    ConfigError
        If the head has blocks, a context, another activation or no network.

    Examples
    --------
    >>> shape = HeadShape(1, 0, "none", 1, 64, 0, "relu", 0, True)
    >>> past = Past(torch.zeros(2, 1, 1), torch.zeros(2, 1), torch.zeros(2, 0))
    >>> at = HeadInputs(torch.zeros(2, 1), torch.tensor([[0.0], [1.5707963]]), past)
    >>> infinite_width_kernel(shape)(at, at)[0].tolist()  # the network vanishes at tau = 0
    [0.0, 0.0]
    """
    _require_two_layer(shape)

    def inputs_of(at: HeadInputs) -> tuple[Tensor, Tensor, Tensor]:
        noisy, tau = at.noisy.double(), at.tau.double()
        state, features = torch.cat([noisy, torch.ones_like(tau)], dim=1), angle_features(tau)
        # pre-activations are sums of independent terms, each weight of variance 1 / (3 fan-in)
        scaled = [state / math.sqrt(3.0 * shape.n_assets), features / math.sqrt(3.0 * features.shape[1])]
        return torch.cat([state, features], dim=1), torch.cat(scaled, dim=1), torch.sin(tau)

    def kernel(left: HeadInputs, right: HeadInputs) -> Tensor:
        (raw_left, x, sine_left), (raw_right, y, sine_right) = inputs_of(left), inputs_of(right)
        inner = (x @ y.T).where(x @ y.T != 0.0, torch.finfo(torch.float64).tiny)
        both_active = two_layer_relu_kernel(x, y) / inner
        first = _output_variance(shape) * (raw_left @ raw_right.T) * both_active
        return sine_left * sine_right.T * (shape.width * (arc_cosine_kernel(x, y) + first) + 1.0)

    return kernel
