"""One controlled transition: velocity, clean estimate, value, gradients, noise shift."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tsgen.steering.control_policy import ControlPolicy, Gradients, KeptSlope, Transition, mean_slope
from tsgen.steering.look_ahead import Day, Foreseen, foresee
from tsgen.steering.parametric_policy import ParametricPolicy
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.steering_reference import SteeringReference
from tsgen.steering.value_slope import value_slope

_LOWEST_CURVATURE, _HIGHEST_CURVATURE = -1.0, 0.5  # of the variance times the curvature: scale stays in [0.71, 1.41]
_PROBE = 0.02  # difference quotients: truncation and single-precision rounding are both near 1e-4


class Node(NamedTuple):
    """Where a block of paths stands within a period."""

    noisy: Tensor
    """(path, asset)."""
    level: Any
    """Prepared constants of the head; ``None`` where it is not evaluated."""
    context: Tensor | None
    day: Day
    at: Transition
    share: float
    kept: KeptSlope | None = None
    """Slope of the value at the last transition that found one; ``None`` where the period begins."""


class Shift(NamedTuple):
    """Control of one transition."""

    velocity: Tensor
    foreseen: Foreseen | None
    shift: Tensor | None
    """(path, asset): v; ``None`` without control."""
    axis: Tensor | None
    """(path, asset): unit direction along which the noise is scaled, or along which a parametric control moves it."""
    scale: Tensor | None
    """(path, 1): factor of the noise along the axis."""
    kept: KeptSlope | None = None
    """Slope of the value, where it was found."""


def _looked(book: PortfolioBook, node: Node, clean: Tensor) -> Foreseen:
    return foresee(clean, node.day, book, cosine=node.at.cosine, sine=node.at.sine, share=node.share)


def _velocity(reference: SteeringReference, node: Node, noisy: Tensor) -> Tensor:
    if node.at.evaluated is None:
        return torch.zeros_like(noisy)
    return reference.head.velocity_at(noisy, node.level, node.context)


def uncontrolled(reference: SteeringReference, book: PortfolioBook, node: Node, *, record: bool) -> Shift:
    """Velocity without control; with ``record`` the look-ahead as well."""
    velocity = _velocity(reference, node, node.noisy)
    if not record:
        return Shift(velocity, None, None, None, None)
    clean = node.at.cosine * node.noisy - node.at.sine * velocity
    return Shift(velocity, _looked(book, node, clean), None, None, None)


def controlled(
    reference: SteeringReference, book: PortfolioBook, node: Node, policy: ControlPolicy, *, record: bool = False
) -> Shift:
    """Velocity, look-ahead and control of one transition."""
    at = node.at
    velocity = _velocity(reference, node, node.noisy)
    clean = at.cosine * node.noisy - at.sine * velocity
    if node.kept is not None and not (at.fresh or policy.curved):
        shift = policy.shift(node.kept.at(at), at)
        return Shift(velocity, _looked(book, node, clean) if record else None, shift, None, None, node.kept)
    found = value_slope(policy, book, node.day, clean, at, node.share)
    pure = at.evaluated is None or at.cosine == 0.0
    noisy = None if pure or at.last else _pulled_back(reference, node, clean, found.clean)
    gradients = Gradients(found.clean, noisy)
    shift = policy.shift(gradients, at)
    if not policy.curved:
        return Shift(velocity, found.foreseen, shift, None, None, KeptSlope.of(gradients, at))
    axis, scale = _noise_scale(reference, book, node, policy, Estimate(clean, policy.value(found.foreseen)), shift)
    return Shift(velocity, found.foreseen, shift, axis, scale)


def parametric(reference: SteeringReference, book: PortfolioBook, node: Node, policy: ParametricPolicy) -> Shift:
    """Velocity, look-ahead and a parametric control of one transition."""
    velocity = _velocity(reference, node, node.noisy)
    foreseen = _looked(book, node, node.at.cosine * node.noisy - node.at.sine * velocity)
    axis = policy.axis(node.day)
    return Shift(velocity, foreseen, policy.amount(foreseen) * axis, axis, None)


def _clean(reference: SteeringReference, node: Node, noisy: Tensor) -> Tensor:
    return node.at.cosine * noisy - node.at.sine * _velocity(reference, node, noisy)


def _pulled_back(reference: SteeringReference, node: Node, clean: Tensor, slope: Tensor) -> Tensor:
    """Slope with respect to the noisy coordinate, ``J' g``, as a difference quotient along ``g``.

    The clean estimate is a posterior mean, so its Jacobian is a covariance and symmetric: ``J' g = J g``. For a learned
    velocity that holds nearly, which is enough: any control has exact weights.
    """
    size = slope.square().sum(dim=1, keepdim=True).sqrt()
    step = slope * (_PROBE / size.clamp_min(1e-12))
    return (_clean(reference, node, node.noisy + step) - clean) * (size / _PROBE)


class Estimate(NamedTuple):
    """Clean estimate and value at a node."""

    clean: Tensor
    value: Tensor


def _noise_scale(
    reference: SteeringReference,
    book: PortfolioBook,
    node: Node,
    policy: ControlPolicy,
    here: Estimate,
    shift: Tensor,
) -> tuple[Tensor, Tensor]:
    """Direction of the control and the factor of the noise along it, ``1 / sqrt(1 - sigma^2 V'')``.

    The curvature is a second difference of the value over steps of the size of the transition's own noise.
    """
    at = node.at
    size = shift.square().sum(dim=1, keepdim=True).sqrt()
    axis = shift / size.clamp_min(1e-12)
    step = max(at.noise, 0.1)
    pure = at.evaluated is None or at.cosine == 0.0
    values, cleans = [], []
    for side in (step, -step):
        # at pure noise the estimate itself moves, by cos(tau_1) per unit of the next coordinate
        moved = here.clean + side * at.next_cosine * axis if pure else _clean(reference, node, node.noisy + side * axis)
        values.append(policy.value(_looked(book, node, moved)))
        cleans.append(moved)
    curvature = ((values[0] + values[1] - 2.0 * here.value) / step**2)[:, None]
    if not pure:
        slope = ((cleans[0] - cleans[1]) * axis).sum(dim=1, keepdim=True) / (2.0 * step)
        along = slope.clamp(0.2 * at.cosine, 5.0 * at.cosine)
        # the last mean is the clean estimate itself
        curvature = curvature / (along if at.last else mean_slope(along, at)).square()
    bounded = (at.noise**2 * curvature).clamp(_LOWEST_CURVATURE, _HIGHEST_CURVATURE)
    scale = (1.0 - bounded).rsqrt()
    return axis, torch.where(size > 1e-9, scale, torch.ones_like(scale))


class Moved(NamedTuple):
    """Noise after control, and its account; the last three of shape (path,)."""

    noise: Tensor
    increment: Tensor
    """Log density of the reference over the steered transition."""
    spent: Tensor
    """Divergence of the transition given its start."""
    on_noise: Tensor
    """v.(v + W); for a parametric control the noise along its axis."""
    square: Tensor
    """|v|^2."""


def moved_noise(noise: Tensor, control: Shift) -> Moved:
    """Shift (and scale) the noise of one transition.

    Examples
    --------
    >>> still = Shift(torch.zeros(1, 1), None, torch.tensor([[0.5]]), None, None)
    >>> m = moved_noise(torch.tensor([[1.0]]), still)
    >>> float(m.noise), float(m.increment), float(m.spent)
    (1.5, -0.625, 0.125)
    """
    shift = control.shift
    if shift is None:
        zero = torch.zeros_like(noise[:, 0])
        return Moved(noise, zero, zero, zero, zero)
    square = shift.square().sum(dim=1)
    spent = 0.5 * square
    extra = torch.zeros_like(square)
    if control.axis is not None and control.scale is not None:
        along = (control.axis * noise).sum(dim=1, keepdim=True)
        scale = control.scale
        noise = noise + (scale - 1.0) * along * control.axis
        extra = scale.log()[:, 0] - 0.5 * ((scale.square() - 1.0) * along.square())[:, 0]
        spent = spent + 0.5 * (scale.square() - 1.0 - 2.0 * scale.log())[:, 0]
    on_shift = (shift * noise).sum(dim=1)
    on_noise = square + on_shift
    if control.axis is not None and control.scale is None:
        on_noise = (control.axis * noise).sum(dim=1)
    return Moved(shift + noise, extra - on_shift - 0.5 * square, spent, on_noise, square)


def observed_noise(noise: Tensor, control: Shift) -> Moved:
    """Noise of the reference left as it is, and what the steered law says about it.

    The increment is the same log density ratio as in `moved_noise`, at a noise that the reference drew.

    Examples
    --------
    >>> still = Shift(torch.zeros(1, 1), None, torch.tensor([[0.5]]), None, None)
    >>> m = observed_noise(torch.tensor([[1.5]]), still)
    >>> float(m.noise), float(m.increment)
    (1.5, -0.625)
    """
    if control.shift is None:
        return moved_noise(noise, control)
    square = control.shift.square().sum(dim=1)
    increment = 0.5 * square - (control.shift * noise).sum(dim=1)
    if control.axis is not None and control.scale is not None:
        along = (control.axis * (noise - control.shift)).sum(dim=1)
        scale = control.scale[:, 0]
        increment = increment + scale.log() + 0.5 * (scale.pow(-2) - 1.0) * along.square()
    zero = torch.zeros_like(square)
    return Moved(noise, increment, zero, zero, square)


def limited_share(size: Tensor, limit: float) -> Tensor:
    """1 where a shift was cut to its limit."""
    return (size >= limit * (1.0 - math.ulp(1.0) * 1e8)).to(size.dtype)
