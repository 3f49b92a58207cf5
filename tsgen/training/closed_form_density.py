"""Held-out density of closed-form residual laws: a sharper judge between them than the denoising loss.

Two laws that differ in the tails alone have nearly the same denoising loss, whose noise then decides. Their
densities are known, and the likelihood ratio is the most powerful comparison there is.
"""

import math

import torch
from torch import Tensor

from tsgen.diffusion.mixture_velocity import GaussianMixture
from tsgen.diffusion.regime_velocity import RegimeAxes, regime_log_density, unpack_regimes
from tsgen.networks.score_head import ScoreHead
from tsgen.training.training_rows import TrainingRows


def _mixture_log_density(clean: Tensor, law: GaussianMixture) -> Tensor:
    roots = torch.linalg.cholesky(law.covariances.double())
    distance = (clean[:, None, :] - law.means.double()).permute(1, 2, 0)
    squares = torch.linalg.solve_triangular(roots, distance, upper=False).square().sum(dim=1).T
    log_volume = torch.diagonal(roots, dim1=1, dim2=2).log().sum(dim=1)
    constant = law.log_weights.double() - log_volume - 0.5 * clean.shape[1] * math.log(2.0 * math.pi)
    return torch.logsumexp(constant - 0.5 * squares, dim=1)


@torch.no_grad()
def mean_log_density(head: ScoreHead, data: TrainingRows, rows: Tensor) -> float | None:
    """Average log density of clean innovations under the anchor of a head.

    Parameters
    ----------
    head : ScoreHead
        Without a network.
    data : TrainingRows
    rows : Tensor of int
        Held-out rows.

    Returns
    -------
    float or None
        None if the anchor's density is not available in closed form.
    """
    clean, law = data.clean(rows).double(), head.anchor
    if head.shape.n_regimes:
        regimes = unpack_regimes(data.past(rows).features.double(), head.shape.n_regimes)
        axes = RegimeAxes(head.regime_values.double(), head.regime_vectors.double())
        return float(regime_log_density(clean, regimes, axes).mean())
    if law is None:
        return float((-0.5 * (clean.square() + math.log(2.0 * math.pi))).sum(dim=1).mean())
    return float(_mixture_log_density(clean, law).mean()) if isinstance(law, GaussianMixture) else None
