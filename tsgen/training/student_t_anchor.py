r"""A multivariate Student-t residual law as an anchor: a scale mixture of Gaussians with tied parameters.

    z = sqrt(W) L e,   W inverse gamma (dof / 2, dof / 2),   e ~ N(0, I).

Two numbers more than a Gaussian describe all its tails, so extremes far beyond the sample are extrapolated by a
power law, where a free mixture of a few components ends with the widest of them. The integral over ``log W`` is
a trapezoidal sum, whose terms are the components of an ordinary Gaussian mixture: the head needs nothing new.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import invgamma
from torch import Tensor

from tsgen.diffusion.mixture_velocity import GaussianMixture
from tsgen.whitening.student_t_likelihood import student_t_parameters

Array = NDArray[np.float64]

_LOWEST, _HIGHEST = 1e-6, 1.0 - 1e-7  # quantiles of W between which the nodes lie
N_NODES = 16
"""Nodes of the trapezoidal rule: steps of at most 0.7 in ``log W`` from four degrees of freedom on."""


def mixing_nodes(dof: float) -> tuple[Array, Array]:
    """Values of ``W`` and their probabilities: a trapezoidal rule in ``log W``."""
    law = invgamma(dof / 2.0, scale=dof / 2.0)
    low, high = np.log(law.ppf([_LOWEST, _HIGHEST]))
    nodes = np.linspace(low, high, N_NODES)
    weights = np.exp(-0.5 * dof * (nodes + np.exp(-nodes)))
    return np.exp(nodes), weights / weights.sum()


def fit_student_t(innovations: Tensor) -> GaussianMixture:
    """Fit a centred multivariate Student-t law and express it as a Gaussian mixture.

    Parameters
    ----------
    innovations : Tensor of shape (row, asset)

    Returns
    -------
    GaussianMixture
        float32, `N_NODES` components with proportional covariances.
    """
    scale, dof = student_t_parameters(innovations.double().cpu().numpy())
    values, weights = mixing_nodes(dof)
    means = np.zeros((len(values), len(scale)))
    return GaussianMixture(
        torch.from_numpy(np.log(weights)).float(),
        torch.from_numpy(means).float(),
        torch.from_numpy(values[:, None, None] * scale).float(),
    )
