r"""Closed-form velocity of a Gaussian mixture, the anchor inside the score head.

If ``z ~ sum_j w_j N(mu_j, S_j)``, then ``u = cos z + sin eps`` is a mixture with means ``cos mu_j`` and covariances
``C_j = cos^2 S_j + sin^2 I``, and the velocity is the posterior average of the component velocities

    F_j(u) = cos sin (I - S_j) C_j^{-1} (u - cos mu_j) - sin mu_j.

One component gives the exact velocity of a Gaussian law (``F = 0`` for N(0, I)); several give heavy tails.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

_SAME_AXES = 1e-5  # of the smallest variance: what is left out moves no velocity by more than rounding does


class GaussianMixture(NamedTuple):
    """Parameters of a mixture law of one period's innovations."""

    log_weights: Tensor
    """(component,): logarithms of the weights, summing to one after exponentiation."""
    means: Tensor
    """(component, asset)."""
    covariances: Tensor
    """(component, asset, asset), positive definite."""


class MixtureLevel(NamedTuple):
    """What one noise angle needs to evaluate the mixture velocity with a few matrix products."""

    whiteners: Tensor
    """(asset, component * asset): inverse roots of ``C_j``, side by side."""
    shift: Tensor
    """(component * asset,): minus the whitened ``cos mu_j``."""
    members: Tensor
    """(component, component * asset): 1 where the coordinate belongs to the component."""
    log_constants: Tensor
    """(component, 1): log weight minus half the log determinant of ``C_j``."""
    slopes: Tensor
    """(component * asset, asset): maps the whitened distance to the component velocity."""
    means: Tensor
    """(component, asset): ``-sin mu_j``."""


class SharedAxesLevel(NamedTuple):
    """The same for covariances with common eigenvectors, one asset included: work is not multiplied by ``j``."""

    axes: Tensor | None
    """(asset, asset): eigenvectors in columns; ``None`` for one asset."""
    log_constants: Tensor
    """(component, 1)."""
    quadratic: Tensor
    """(component, asset): minus one over twice the noised variance."""
    linear: Tensor | None
    """(component, asset): cosine times the mean over the noised variance; ``None`` if all means are zero."""
    gain: Tensor
    """(component, asset): velocity per unit of the coordinate."""
    offset: Tensor | None
    """(component, asset): velocity at zero; ``None`` if all means are zero."""


def mixture_level(law: GaussianMixture, tau: float) -> MixtureLevel | SharedAxesLevel:
    """Prepare the velocity of ``law`` at the angle ``tau`` (computed in float64, returned in the law's dtype)."""
    like = law.means
    double = GaussianMixture(*(x.double().cpu() for x in law))
    axes = torch.linalg.eigh(double.covariances.mean(dim=0))[1]
    turned = axes.T @ double.covariances @ axes
    variances = torch.diagonal(turned, dim1=1, dim2=2)
    mixed = (turned - torch.diag_embed(variances)).abs().amax()
    if bool(mixed <= _SAME_AXES * variances.abs().amin()):
        shared = _shared_axes_level(double, axes, variances, math.cos(tau), math.sin(tau))
        return SharedAxesLevel(*(None if x is None else x.to(like) for x in shared))  # pyright: ignore[reportArgumentType]
    return MixtureLevel(*(x.to(like) for x in _general_level(double, math.cos(tau), math.sin(tau))))


def _shared_axes_level(
    law: GaussianMixture, axes: Tensor, variances: Tensor, cosine: float, sine: float
) -> SharedAxesLevel:
    means = law.means @ axes
    noised = cosine**2 * variances + sine**2
    gain = cosine * sine * (1.0 - variances) / noised
    constants = law.log_weights - 0.5 * (noised.log() + (cosine * means) ** 2 / noised).sum(dim=1)
    one = len(axes) == 1  # then the eigenvector is plus or minus one: no rotation
    turn = axes if one else torch.ones_like(axes[:1])
    linear, offset = cosine * means / noised * turn, -(cosine * gain + sine) * means * turn
    centred = not bool(law.means.any())
    return SharedAxesLevel(
        None if one else axes,
        constants[:, None],
        -0.5 / noised,
        None if centred else linear,
        gain,
        None if centred else offset,
    )


def _general_level(law: GaussianMixture, cosine: float, sine: float) -> MixtureLevel:
    values, vectors = torch.linalg.eigh(law.covariances)
    noised = cosine**2 * values + sine**2
    root = vectors * noised.rsqrt()[:, None, :]  # C_j^{-1/2} = root_j with rows in the eigenbasis
    slopes = (cosine * sine * (1.0 - values) * noised.rsqrt())[:, :, None] * vectors.transpose(1, 2)
    n_components, n_assets = law.means.shape
    offsets = torch.einsum("jna,jn->ja", root, cosine * law.means).reshape(-1)
    constants = law.log_weights - 0.5 * noised.log().sum(dim=1)
    return MixtureLevel(
        whiteners=root.permute(1, 0, 2).reshape(n_assets, n_components * n_assets),
        shift=-offsets,
        members=torch.eye(n_components).repeat_interleave(n_assets, dim=1),
        log_constants=constants[:, None],
        slopes=slopes.reshape(n_components * n_assets, n_assets),
        means=-sine * law.means,
    )


def mixture_velocity_at(noisy: Tensor, level: MixtureLevel | SharedAxesLevel) -> Tensor:
    """Velocity at a prepared level; ``noisy`` of shape (batch, asset)."""
    # components on the leading axis: a softmax over a short last axis is many times slower
    if isinstance(level, SharedAxesLevel):
        turned = noisy if level.axes is None else noisy @ level.axes
        logits = torch.addmm(level.log_constants, level.quadratic, turned.square().T)
        if level.linear is None or level.offset is None:
            velocity = (torch.softmax(logits, dim=0).T @ level.gain).mul_(turned)
        else:
            posterior = torch.softmax(logits.addmm(level.linear, turned.T), dim=0).T
            velocity = torch.addcmul(posterior @ level.offset, turned, posterior @ level.gain)
        return velocity if level.axes is None else velocity @ level.axes.T
    whitened = torch.addmm(level.shift, noisy, level.whiteners)
    logits = torch.addmm(level.log_constants, level.members, whitened.square().T, alpha=-0.5)
    posterior = torch.softmax(logits, dim=0).T
    weighted = whitened * (posterior @ level.members)
    return torch.addmm(posterior @ level.means, weighted, level.slopes)


def mixture_velocity(noisy: Tensor, tau: Tensor, law: GaussianMixture) -> Tensor:
    """Velocity where every row has its own angle (training).

    Parameters
    ----------
    noisy : Tensor of shape (batch, asset)
    tau : Tensor of shape (batch, 1)
    law : GaussianMixture

    Returns
    -------
    Tensor of shape (batch, asset)
    """
    # components on the leading axis, as above
    cosine, sine = torch.cos(tau), torch.sin(tau)
    values, vectors = torch.linalg.eigh(law.covariances)
    rotated = (noisy - cosine * law.means[:, None]) @ vectors
    noised = cosine**2 * values[:, None] + sine**2
    log_density = law.log_weights[:, None] - 0.5 * (noised.log() + rotated.square() / noised).sum(dim=2)
    posterior = torch.softmax(log_density, dim=0)
    local = (cosine * sine) * (1.0 - values[:, None]) / noised * rotated
    component = local @ vectors.transpose(1, 2) - sine * law.means[:, None]
    return (posterior[:, :, None] * component).sum(dim=0)
