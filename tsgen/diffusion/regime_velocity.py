r"""Closed-form velocity of a Gaussian mixture whose weights, means and scales depend on the past.

Given the past, ``z ~ sum_j w_j N(mu_j, k_j^2 C_j)``: fixed shapes ``C_j``, everything else row by row. With ``C_j = V
diag(l) V'`` the noised component has variances ``c^2 k_j^2 l + s^2`` along ``V``, so one rotation per component
serves all rows and all noise levels. It is the exact law of the next period of a regime-switching process.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class RegimeLaw(NamedTuple):
    """Mixture of every row; ``batch`` rows, each with its own past."""

    log_weights: Tensor
    """(batch, regime)."""
    log_scales: Tensor
    """(batch, regime): log k_j."""
    means: Tensor
    """(batch, regime, asset)."""


class RegimeAxes(NamedTuple):
    """Spectra of the fixed shapes."""

    values: Tensor
    """(regime, asset)."""
    vectors: Tensor
    """(regime, asset, asset), columns are axes."""


def pack_regimes(law: RegimeLaw) -> Tensor:
    """The law as one row of numbers per past, shape (batch, regime * (2 + asset))."""
    return torch.cat([law.log_weights, law.log_scales, law.means.flatten(1)], dim=1)


def unpack_regimes(features: Tensor, n_regimes: int) -> RegimeLaw:
    """Inverse of `pack_regimes`."""
    rows, width = features.shape
    means = features[:, 2 * n_regimes :].reshape(rows, n_regimes, width // n_regimes - 2)
    return RegimeLaw(features[:, :n_regimes], features[:, n_regimes : 2 * n_regimes], means)


def regime_axes(shapes: Tensor) -> RegimeAxes:
    """Spectra of shapes (regime, asset, asset)."""
    values, vectors = torch.linalg.eigh(shapes)
    return RegimeAxes(values, vectors)


def regime_velocity(noisy: Tensor, cosine: Tensor, sine: Tensor, law: RegimeLaw, axes: RegimeAxes) -> Tensor:
    """``E[cos(tau) eps - sin(tau) z | u]`` of every row.

    Parameters
    ----------
    noisy : Tensor of shape (batch, asset)
    cosine, sine : Tensor of shape (batch, 1) or (1, 1)
    law : RegimeLaw
    axes : RegimeAxes

    Returns
    -------
    Tensor of shape (batch, asset)
    """
    distance = noisy[:, None, :] - cosine[:, :, None] * law.means
    rotated = torch.einsum("bjn,jna->bja", distance, axes.vectors)
    clean = (2.0 * law.log_scales).exp()[:, :, None] * axes.values
    variance = cosine[:, :, None] ** 2 * clean + sine[:, :, None] ** 2
    logits = law.log_weights - 0.5 * (variance.log() + rotated.square() / variance).sum(dim=2)
    posterior = torch.softmax(logits, dim=1)
    local = (cosine * sine)[:, :, None] * (1.0 - clean) / variance * rotated
    component = torch.einsum("bja,jna->bjn", local, axes.vectors) - sine[:, :, None] * law.means
    return torch.einsum("bj,bjn->bn", posterior, component)


def regime_log_density(clean: Tensor, law: RegimeLaw, axes: RegimeAxes) -> Tensor:
    """Log density of clean values (batch, asset), shape (batch,)."""
    rotated = torch.einsum("bjn,jna->bja", clean[:, None, :] - law.means, axes.vectors)
    variance = (2.0 * law.log_scales).exp()[:, :, None] * axes.values
    exponent = -0.5 * ((2.0 * math.pi * variance).log() + rotated.square() / variance).sum(dim=2)
    return torch.logsumexp(law.log_weights + exponent, dim=1)
