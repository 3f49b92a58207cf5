"""Autocovariances of a stationary process from data, and the best linear predictors they imply.

Pure formulas, used by `gaussian_process`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class LinearPredictor(NamedTuple):
    """Best linear prediction from the last ``k`` rows: weights (k * asset, asset), newest row first, and factor."""

    weights: NDArray[np.float64]
    factor: NDArray[np.float64]
    """Lower Cholesky factor of the covariance of the prediction error."""


def pooled_autocovariances(centred: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """``sum_t x_{t+k} x_t' / T`` averaged over paths, for lags 0 to ``lags``.

    Dividing by T, not by T - k, makes every block Toeplitz matrix of them positive semi-definite.

    Parameters
    ----------
    centred : ndarray of shape (path, time, asset)
    lags : int

    Returns
    -------
    ndarray of shape (lags + 1, asset, asset), float64
        Row = later asset.

    Examples
    --------
    >>> pooled_autocovariances(np.array([[[1.0], [-1.0]]]), 1).ravel().tolist()
    [1.0, -0.5]
    """
    n_paths, length, _ = centred.shape
    scale = n_paths * length
    return np.stack(
        [
            np.einsum("btn,btm->nm", centred[:, k:], centred[:, : length - k], optimize=True) / scale
            for k in range(lags + 1)
        ]
    )


def noise_share(centred: NDArray[np.float64], lags: int) -> float:
    """Share of the squared lagged correlations that noise alone would give, at most 1 (positive-part James-Stein).

    Without predictability a lagged sample covariance has variance ``E[x_{t+k,i}^2 x_{t,j}^2] / n``, which clustering
    of volatility makes larger than under independence.

    Parameters
    ----------
    centred : ndarray of shape (path, time, asset)
    lags : int
        At least 1.

    Returns
    -------
    float in [0, 1]

    References
    ----------
    Ledoit, Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
    Multivariate Analysis 88, for the same argument at lag zero.

    Examples
    --------
    >>> noise_share(np.array([[[1.0], [-1.0], [1.0], [-1.0]]]), 1)  # correlation -3/4, noise (3/4) / 4
    0.3333333333333333
    """
    autocovariances = pooled_autocovariances(centred, lags)
    products = pooled_autocovariances(centred**2, lags)[1:]
    deviations = np.sqrt(np.diag(autocovariances[0]))
    scale = np.outer(deviations, deviations)
    total = float(((autocovariances[1:] / scale) ** 2).sum())
    noise = float((products / scale**2).sum()) / (centred.shape[0] * centred.shape[1])
    return min(1.0, noise / total) if total > 0.0 else 1.0


def linear_predictor(autocovariances: NDArray[np.float64], k: int) -> LinearPredictor:
    """Best linear predictor of a row from the ``k`` rows before it (block Yule-Walker equations).

    Parameters
    ----------
    autocovariances : ndarray of shape (lag + 1, asset, asset), lag >= k
    k : int
        0 predicts with the mean.

    Returns
    -------
    LinearPredictor

    References
    ----------
    Brockwell, Davis (1991), "Time Series: Theory and Methods", section 11.4.

    Examples
    --------
    >>> linear_predictor(np.array([[[1.0]], [[0.5]]]), 1).weights.tolist()
    [[0.5]]
    """
    now = autocovariances[0]
    n_assets = len(now)
    if k == 0:
        return LinearPredictor(np.empty((0, n_assets)), np.linalg.cholesky(now))
    # Cov(x_{t-i}, x_{t-j}) = G_{j-i}, and G_{-m} = G_m'
    blocks = [[autocovariances[j - i] if j >= i else autocovariances[i - j].T for j in range(k)] for i in range(k)]
    cross = np.concatenate([autocovariances[i + 1].T for i in range(k)])
    weights = np.linalg.solve(np.block(blocks), cross)
    error = now - weights.T @ cross
    return LinearPredictor(weights, np.linalg.cholesky((error + error.T) / 2.0))
