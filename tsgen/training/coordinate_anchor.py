"""The closed-form residual law of a wide panel, fitted by expectation maximisation and scaled to unit variance.

All coordinates share one law, so a handful of numbers is estimated from every date and asset. Components of a common
size are kept apart by their own variances; a law with few coordinates can as well be fitted with full covariances
(`tsgen.training.mixture_anchor`).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tsgen.diffusion.coordinate_mixture import N_COMMON, CoordinateMixture

Array = NDArray[np.float64]

_STEPS, _PRECISION = 200, 1e-6
_SMALLEST_VARIANCE = 0.02
_MOST_COORDINATES = 100  # enough to know the size of a day almost surely
_COMMON_VARIANCES = np.array([0.6, 1.0, 2.0])


def _joint(square: Array, log_own: Array, variances: Array) -> Array:
    """Log weight plus log density of one common size: (own, row, coordinate), constants left out."""
    shift = (log_own - 0.5 * np.log(variances))[:, None, None]
    return shift - 0.5 * square / variances[:, None, None]


def fit_coordinate_mixture(innovations: Tensor, *, n_components: int) -> CoordinateMixture:
    """Fit the law of a wide panel's innovations.

    Parameters
    ----------
    innovations : Tensor of shape (row, asset)
    n_components : int
        Components of every coordinate, given the common size.

    Returns
    -------
    CoordinateMixture
        float32, of variance one.
    """
    rows = innovations.double().cpu().numpy()
    chosen = np.linspace(0, rows.shape[1] - 1, min(rows.shape[1], _MOST_COORDINATES)).round().astype(int)
    square = rows[:, np.unique(chosen)] ** 2
    variances = np.outer(_COMMON_VARIANCES, np.geomspace(0.4, 3.0, n_components) if n_components > 1 else [1.0])
    log_own = np.full_like(variances, -np.log(n_components))
    log_common = np.full(N_COMMON, -np.log(N_COMMON))
    previous = -np.inf
    for _ in range(_STEPS):
        joints = [_joint(square, log_own[m], variances[m]) for m in range(N_COMMON)]
        inner = [np.logaddexp.reduce(j, axis=0) for j in joints]
        evidence = np.stack([i.sum(axis=1) for i in inner]) + log_common[:, None]
        total = np.logaddexp.reduce(evidence, axis=0)
        posterior = np.exp(evidence - total)
        log_common = np.log(np.maximum(posterior.mean(axis=1), 1e-6))
        for m in range(N_COMMON):
            share = np.exp(joints[m] - inner[m]) * posterior[m][:, None]
            mass = share.sum(axis=(1, 2)) + 1e-9
            variances[m] = np.maximum((share * square).sum(axis=(1, 2)) / mass, _SMALLEST_VARIANCE)
            log_own[m] = np.log(np.maximum(mass / mass.sum(), 1e-6))
        mean = float(total.mean()) / square.shape[1]
        if mean - previous < _PRECISION:
            break
        previous = mean
    log_own -= np.logaddexp.reduce(log_own, axis=1, keepdims=True)
    log_common -= np.logaddexp.reduce(log_common)
    variances /= (np.exp(log_common)[:, None] * np.exp(log_own) * variances).sum()
    law = (log_common, log_own, variances)
    return CoordinateMixture(*(torch.from_numpy(np.ascontiguousarray(x)).float() for x in law))
