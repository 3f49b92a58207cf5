r"""Closed-form velocity of a Gaussian mixture, the anchor inside the score head.

If ``z ~ sum_j w_j N(mu_j, S_j)``, then ``u = cos z + sin eps`` is a mixture with means ``cos mu_j`` and covariances
``C_j = cos^2 S_j + sin^2 I``, and the velocity is the posterior average of the component velocities

    F_j(u) = cos sin (I - S_j) C_j^{-1} (u - cos mu_j) - sin mu_j.

One component gives the exact velocity of a Gaussian law (``F = 0`` for N(0, I)); several give heavy tails.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class GaussianMixture(NamedTuple):
    """Parameters of a mixture law of one period's innovations."""

    log_weights: Tensor
    """(component,): logarithms of the weights, summing to one after exponentiation."""
    means: Tensor
    """(component, asset)."""
    covariances: Tensor
    """(component, asset, asset), positive definite."""


class MixtureLevel(NamedTuple):
    """What one noise angle needs to evaluate the mixture velocity with two matrix products."""

    whiteners: Tensor
    """(asset, component * asset): inverse roots of ``C_j``, side by side."""
    offsets: Tensor
    """(component * asset,): whitened ``cos mu_j``."""
    log_constants: Tensor
    """(component,): log weight minus half the log determinant of ``C_j``."""
    slopes: Tensor
    """(component, asset, asset): maps the whitened distance to the component velocity."""
    shifts: Tensor
    """(component, asset): ``-sin mu_j``."""


def mixture_level(law: GaussianMixture, tau: float) -> MixtureLevel:
    """Prepare the velocity of ``law`` at the angle ``tau`` (computed in float64, returned in the law's dtype)."""
    dtype = law.means.dtype
    angle = torch.tensor(tau, dtype=torch.float64)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    values, vectors = torch.linalg.eigh(law.covariances.double())
    noised = cosine**2 * values + sine**2
    root = vectors * noised.rsqrt()[:, None, :]  # C_j^{-1/2} = root_j with rows in the eigenbasis
    slopes = (cosine * sine * (1.0 - values) * noised.rsqrt())[:, :, None] * vectors.transpose(1, 2)
    n_components, n_assets = law.means.shape
    offsets = torch.einsum("jna,jn->ja", root, cosine * law.means.double()).reshape(-1)
    constants = law.log_weights.double() - 0.5 * noised.log().sum(dim=1)
    return MixtureLevel(
        whiteners=root.permute(1, 0, 2).reshape(n_assets, n_components * n_assets).to(dtype),
        offsets=offsets.to(dtype),
        log_constants=constants.to(dtype),
        slopes=slopes.to(dtype),
        shifts=(-sine * law.means.double()).to(dtype),
    )


def mixture_velocity_at(noisy: Tensor, level: MixtureLevel) -> Tensor:
    """Velocity at a prepared level; ``noisy`` of shape (batch, asset)."""
    n_components, n_assets = level.shifts.shape
    whitened = (noisy @ level.whiteners - level.offsets).view(-1, n_components, n_assets)
    posterior = torch.softmax(level.log_constants - 0.5 * whitened.square().sum(dim=-1), dim=-1)
    weighted = (whitened * posterior[:, :, None]).reshape(-1, n_components * n_assets)
    return weighted @ level.slopes.reshape(n_components * n_assets, n_assets) + posterior @ level.shifts


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
    cosine, sine = torch.cos(tau), torch.sin(tau)
    values, vectors = torch.linalg.eigh(law.covariances)
    distance = noisy[:, None, :] - cosine[:, :, None] * law.means
    rotated = torch.einsum("bjn,jna->bja", distance, vectors)
    noised = cosine[:, :, None] ** 2 * values + sine[:, :, None] ** 2
    log_density = law.log_weights - 0.5 * (noised.log() + rotated.square() / noised).sum(dim=-1)
    posterior = torch.softmax(log_density, dim=-1)
    local = (cosine * sine)[:, :, None] * (1.0 - values) / noised * rotated
    component = torch.einsum("bja,jna->bjn", local, vectors) - sine[:, :, None] * law.means
    return torch.einsum("bj,bjn->bn", posterior, component)
