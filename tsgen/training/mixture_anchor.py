"""The closed-form residual law that sits inside the score head, fitted by expectation maximisation.

Covariances are shrunk half-way to isotropic ones and means towards their common one by pseudo-counts: a few thousand
days support the common scale of a heavy-tailed mixture, not its fine structure. The law has the mean of the rows.
"""

import warnings
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as SklearnMixture
from torch import Tensor

from tsgen.diffusion.mixture_velocity import GaussianMixture

_SHRINKAGE = 0.5
_PSEUDO_COUNTS = 20.0
_RIDGE = 0.01  # keeps components from collapsing while they are fitted


def _starting_precisions(size: NDArray[np.float64], n_components: int) -> NDArray[np.float64]:
    """Inverse variances of groups of rows by the size of their shocks: what a scale mixture looks like."""
    inner = np.linspace(0.55, 0.95, n_components - 1) if n_components > 1 else []
    edges = np.quantile(size, [0.0, *inner, 1.0])
    groups = [size[(size >= low) & (size <= high)].mean() for low, high in pairwise(edges)]
    return 1.0 / np.maximum(groups, 1e-6)


def fit_mixture(innovations: Tensor, *, n_components: int, seed: int) -> GaussianMixture:
    """Fit a shrunk Gaussian mixture to innovations.

    Parameters
    ----------
    innovations : Tensor of shape (row, asset)
    n_components : int
    seed : int
        Start of the expectation maximisation.

    Returns
    -------
    GaussianMixture
        float32.
    """
    rows = innovations.double().cpu().numpy()
    n_assets = rows.shape[1]
    start = _starting_precisions((rows**2).mean(axis=1), n_components)
    model = SklearnMixture(
        n_components,
        covariance_type="full",
        means_init=np.zeros((n_components, n_assets)),
        precisions_init=start[:, None, None] * np.eye(n_assets),
        reg_covar=_RIDGE,
        max_iter=60,
        tol=1e-4,
        random_state=seed % 2**32,
    )
    with warnings.catch_warnings():
        # sixty iterations are enough for an anchor that held-out loss judges
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(rows)
    weights, means, raw = (np.asarray(x) for x in (model.weights_, model.means_, model.covariances_))
    # the ridge is part of the fitted covariances: left in, it would add one percent to the variance of the law
    ridge = np.minimum(_RIDGE, 0.5 * np.linalg.eigvalsh(raw)[:, 0])
    raw = raw - ridge[:, None, None] * np.eye(n_assets)
    isotropic = np.trace(raw, axis1=1, axis2=2)[:, None, None] / n_assets * np.eye(n_assets)
    covariances = (1.0 - _SHRINKAGE) * raw + _SHRINKAGE * isotropic
    counts = weights * len(rows)
    common = rows.mean(axis=0)
    means = (means - common) * (counts / (counts + _PSEUDO_COUNTS))[:, None]
    means = means - weights @ means + common  # small components are shrunk more: without this the mean would move
    return GaussianMixture(
        torch.from_numpy(np.log(weights)).float(),
        torch.from_numpy(means).float(),
        torch.from_numpy(covariances).float(),
    )
