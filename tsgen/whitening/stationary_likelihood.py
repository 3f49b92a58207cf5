r"""Autocovariances of a stationary law from many short paths, by Gaussian maximum likelihood.

Averaging products over the path, lag by lag, ignores that neighbouring products repeat each other. For strongly
dependent paths the likelihood of the whole path uses the same sample several times better. The covariance of the
path is linear in the autocovariances, ``S = sum_k g_k E_k`` (block Toeplitz), so Fisher scoring takes a few steps:

    gradient_k = tr(E_k (S^{-1} - S^{-1} M S^{-1})) / 2,     information_kl = tr(S^{-1} E_k S^{-1} E_l) / 2,

with ``M`` the sample covariance.

References
----------
Anderson (1973), "Asymptotically efficient estimation of covariance matrices with linear structure", Annals of
Statistics 1.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LARGEST_NUMBER_OF_PARAMETERS = 100
"""Beyond this the information matrix costs seconds, and lag-by-lag averages have to do."""

_ITERATIONS = 30
_PRECISION = 1e-10  # of the log likelihood per path
_SMALLEST_STEP = 1e-5
_SMALLEST_RANDOM_SHARE = 1e-6  # conditional standard deviations: below, positive definite by rounding only


def n_parameters(n_periods: int, n_assets: int) -> int:
    """Free numbers of a stationary law: one matrix per lag, the first one symmetric."""
    return n_assets * (n_assets + 1) // 2 + (n_periods - 1) * n_assets**2


def _basis(n_periods: int, n_assets: int) -> tuple[Array, list[tuple[int, int, int]]]:
    """Matrices ``E_k`` and the (lag, row, column) of each parameter."""
    names = [(0, i, j) for i in range(n_assets) for j in range(i, n_assets)]
    names += [(k, i, j) for k in range(1, n_periods) for i in range(n_assets) for j in range(n_assets)]
    matrices = np.zeros((len(names), n_periods, n_assets, n_periods, n_assets))
    for matrix, (lag, i, j) in zip(matrices, names, strict=True):
        for t in range(lag, n_periods):
            matrix[t, i, t - lag, j] = 1.0
            matrix[t - lag, j, t, i] = 1.0
    dimension = n_periods * n_assets
    return matrices.reshape(len(names), dimension, dimension), names


def _loss(covariance: Array, moments: Array) -> float:
    """Minus log likelihood per path without the constant; inf if not positive definite."""
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return float("inf")
    spread = np.diag(root)
    if spread.min() < _SMALLEST_RANDOM_SHARE * spread.max():
        return float("inf")
    left = np.linalg.solve(root, moments)
    return float(np.log(spread).sum() + 0.5 * np.trace(np.linalg.solve(root, left.T)))


def _feasible_start(values: Array, basis: Array, lags: Array, n_periods: int, moments: Array) -> Array:
    """Lag-by-lag averages, pulled towards their positive definite, tapered version as far as needed."""
    taper = 1.0 - lags / n_periods
    for share in (0.0, 0.02, 0.1, 0.3, 1.0):
        start = values * (1.0 - share + share * taper)
        if np.isfinite(_loss(np.tensordot(start, basis, 1), moments)):
            return start
    return values * taper


def stationary_autocovariances(deviations: Array, averages: Array) -> Array | None:
    """Maximum-likelihood autocovariances of centred paths.

    Parameters
    ----------
    deviations : ndarray of shape (path, time, asset), float64
    averages : ndarray of shape (time, asset, asset)
        ``averages[k]``: average of ``d_t d_{t-k}'``, the start of the search.

    Returns
    -------
    ndarray of shape (time, asset, asset), or None
        None if no positive definite law was found near the averages, as for degenerate paths.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> white = rng.standard_normal((500, 3, 1))
    >>> moments = np.stack([(white[:, k:] * white[:, : 3 - k]).mean((0, 1))[:, None] for k in range(3)])
    >>> bool(np.abs(stationary_autocovariances(white, moments)[:, 0, 0] - [1, 0, 0]).max() < 0.1)
    True
    """
    n_paths, n_periods, n_assets = deviations.shape
    flat = deviations.reshape(n_paths, -1)
    moments = flat.T @ flat / n_paths
    basis, names = _basis(n_periods, n_assets)
    values = np.array([averages[k][i, j] for k, i, j in names])
    values = _feasible_start(values, basis, np.array([k for k, _, _ in names]), n_periods, moments)
    loss = _loss(np.tensordot(values, basis, 1), moments)
    if not np.isfinite(loss):
        return None
    for _ in range(_ITERATIONS):
        precision = np.linalg.inv(np.tensordot(values, basis, 1))
        weighted = precision @ basis
        information = 0.5 * weighted.reshape(len(names), -1) @ weighted.transpose(0, 2, 1).reshape(len(names), -1).T
        excess = precision - precision @ moments @ precision
        gradient = 0.5 * basis.reshape(len(names), -1) @ excess.ravel()
        direction, step = np.linalg.solve(information, gradient), 1.0
        before = loss
        while step > _SMALLEST_STEP:
            moved = np.asarray(values - step * direction, dtype=np.float64)
            loss = _loss(np.tensordot(moved, basis, 1), moments)
            if loss <= before:
                values = moved
                break
            step /= 2.0
        if step <= _SMALLEST_STEP or before - loss < _PRECISION:
            break
    found = np.zeros((n_periods, n_assets, n_assets))
    for value, (k, i, j) in zip(values, names, strict=True):
        found[k, i, j] = value
        if k == 0:
            found[k, j, i] = value
    return found
