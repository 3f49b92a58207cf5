r"""Closed-form velocity of a law of many coordinates: one common size per period, and a heavy-tailed law of each.

    z_i = sqrt(v_{m, j_i}) e_i,     m ~ common weights (one per period),  j_i ~ own weights given m,  e_i ~ N(0, 1).

Given ``m`` the coordinates are independent mixtures of centred Gaussians, so the velocity is

    F_i(u) = u_i sum_m P(m | u) sum_j P(j | u_i, m) cos sin (1 - v_mj) / (cos^2 v_mj + sin^2).

Both kinds of heavy tails are there: days on which everything moves, and assets that move alone. Work and memory are
linear in the number of coordinates, unlike those of a mixture with full covariances.
"""

from typing import NamedTuple

import torch
from torch import Tensor

N_COMMON = 3
"""Number of common sizes of a period."""


class CoordinateMixture(NamedTuple):
    """Parameters of the law; variances average to one if the coordinates are whitened."""

    log_common: Tensor
    """(common,): log weights of the common sizes."""
    log_own: Tensor
    """(common, own): log weights of a coordinate's components given the common size."""
    variances: Tensor
    """(common, own): ``v``, positive."""


def standard_coordinates(n_components: int) -> CoordinateMixture:
    """Standard normal coordinates in the form of a mixture."""
    equal = torch.full((N_COMMON, n_components), 1.0 / n_components)
    return CoordinateMixture(torch.full((N_COMMON,), 1.0 / N_COMMON).log(), equal.log(), torch.ones_like(equal))


class CoordinateLevel(NamedTuple):
    """Constants of one noise angle, or of one angle per row; trailing axes (1, 1) or (batch, 1)."""

    log_common: Tensor
    """(common,)."""
    constant: Tensor
    """(common, own, ., 1): log weight minus half the log of the noised variance."""
    curvature: Tensor
    """(common, own, ., 1): minus one over twice the noised variance."""
    slope: Tensor
    """(common, own, ., 1): velocity per unit of ``u`` of the component."""


def coordinate_level(law: CoordinateMixture, tau: Tensor) -> CoordinateLevel:
    """Prepare the velocity of ``law``.

    Parameters
    ----------
    law : CoordinateMixture
    tau : Tensor of shape (1, 1) or (batch, 1)
        One angle for all rows, or one for each.
    """
    cosine, sine = torch.cos(tau), torch.sin(tau)
    variances = law.variances[:, :, None, None]
    noised = cosine**2 * variances + sine**2
    return CoordinateLevel(
        law.log_common,
        law.log_own[:, :, None, None] - 0.5 * noised.log(),
        -0.5 / noised,
        cosine * sine * (1.0 - variances) / noised,
    )


def coordinate_velocity(noisy: Tensor, level: CoordinateLevel) -> Tensor:
    """Velocity at a prepared level; ``noisy`` of shape (batch, asset)."""
    square = noisy.square()
    evidence, slopes = [], []
    for constant, curvature, slope in zip(level.constant, level.curvature, level.slope, strict=True):
        logits = torch.addcmul(constant, curvature, square)
        evidence.append(torch.logsumexp(logits, dim=0).sum(dim=1))
        slopes.append((torch.softmax(logits, dim=0) * slope).sum(dim=0))
    posterior = torch.softmax(torch.stack(evidence) + level.log_common[:, None], dim=0)
    return noisy * (posterior[:, :, None] * torch.stack(slopes)).sum(dim=0)
