r"""Maximum-likelihood factor analysis of a wide panel, and how many factors its later parts confirm.

    Cov(x) = S (L L' + diag(u)) S,     diag(L L') + u = 1,     S: standard deviations.

Given the unique variances ``u`` the likelihood is maximal at ``L = u^{1/2} V (E - 1)^{1/2}``, with ``E, V`` the
largest eigenpairs of ``u^{-1/2} R u^{-1/2}``; the two steps alternate. The number of factors maximises the Gaussian
likelihood of quarters of the history that were left out of the estimate, on returns divided by the volatility level of
the market known before, so that a turbulent year does not decide.

References
----------
Joereskog (1967), "Some contributions to maximum likelihood factor analysis", Psychometrika 32, equation 26.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.signal import lfilter

Array = NDArray[np.float64]

SMALLEST_UNIQUE = 0.01
"""Unique variance of any asset, as a share of its variance: keeps the covariance invertible.

With 0.05 the innovations of funds that one factor explains to 96 % or more were too small, and with them what was
generated (half the deviation at 98.5 %). Smaller bounds let single assets pass for factors: of 35 monthly series, later
months were less likely."""
_STEPS, _PRECISION = 40, 1e-4
_CANDIDATES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20)
_FOLDS = 4
_LEVEL_DECAY = 0.94
_PATIENCE = 3  # candidates without improvement before the search stops


class Factors(NamedTuple):
    """Loadings and unique variances of a correlation matrix."""

    loadings: Array
    """(asset, factor): ``L``; columns by decreasing strength."""
    unique: Array
    """(asset,): ``u``, at least `SMALLEST_UNIQUE`."""

    def correlation(self) -> Array:
        """``L L' + diag(u)``, shape (asset, asset)."""
        return self.loadings @ self.loadings.T + np.diag(self.unique)


def factor_analysis(correlation: Array, n_factors: int, start: Array | None = None) -> Factors:
    """Fit ``n_factors`` factors to a correlation matrix by maximum likelihood.

    Parameters
    ----------
    correlation : ndarray of shape (asset, asset), float64
    n_factors : int
        Fewer than assets.
    start : ndarray of shape (asset,), optional
        Unique variances to start from.

    Returns
    -------
    Factors
    """
    n = len(correlation)
    if n_factors == 0:
        return Factors(np.zeros((n, 0)), np.ones(n))
    unique = np.full(n, 0.5) if start is None else start
    loadings = np.zeros((n, n_factors))
    for _ in range(_STEPS):
        root = np.sqrt(unique)
        values, vectors = eigh(correlation / np.outer(root, root), subset_by_index=[n - n_factors, n - 1])
        strength = np.sqrt(np.maximum(values[::-1] - 1.0, 0.0))
        loadings = root[:, None] * vectors[:, ::-1] * strength
        updated = np.clip(1.0 - (loadings**2).sum(axis=1), SMALLEST_UNIQUE, 1.0)
        moved, unique = np.abs(updated - unique).max(), updated
        if moved < _PRECISION:
            break
    # an asset whose unique variance is held at the floor keeps variance one: its loadings give way
    explained = (loadings**2).sum(axis=1)
    loadings *= np.sqrt((1.0 - unique) / np.maximum(explained, 1e-12))[:, None]
    signs = np.where(loadings.sum(axis=0) < 0, -1.0, 1.0)  # a fall of most assets is a fall of the factor
    return Factors(loadings * signs, unique)


def gaussian_loss(factors: Factors, rows: Array) -> float:
    """Mean negative log likelihood per row, constants left out; works in the space of the factors."""
    scaled = factors.loadings / factors.unique[:, None]
    inner = np.eye(factors.loadings.shape[1]) + factors.loadings.T @ scaled
    projected = rows @ scaled
    distance = (rows**2 / factors.unique).sum(axis=1) - (projected @ np.linalg.inv(inner) * projected).sum(axis=1)
    return float(0.5 * (distance.mean() + np.log(factors.unique).sum() + np.linalg.slogdet(inner)[1]))


def without_market_level(shocks: Array) -> Array:
    """Standardised shocks (date, asset) over the volatility level of their cross-section known before the date."""
    square = np.minimum((shocks**2).mean(axis=1), 25.0)
    filtered, _ = lfilter([1.0 - _LEVEL_DECAY], [1.0, -_LEVEL_DECAY], square, zi=[_LEVEL_DECAY])
    level = np.concatenate([[1.0], filtered[:-1]])
    return shocks / np.sqrt(np.maximum(level, 0.05))[:, None]


def number_of_factors(shocks: Array) -> int:
    """Number of factors that maximises the likelihood of held-out quarters.

    Parameters
    ----------
    shocks : ndarray of shape (date, asset), float64
        Standardised returns in time order.

    Returns
    -------
    int
        Between 0 and 20.
    """
    rows = without_market_level(shocks)
    folds = np.array_split(np.arange(len(rows)), _FOLDS)
    parts = []
    for held in folds:
        kept = np.delete(rows, held, axis=0)
        deviation = np.sqrt((kept**2).mean(axis=0))
        kept = kept / deviation
        parts.append((kept.T @ kept / len(kept), rows[held] / deviation))
    best, chosen, waited = np.inf, 0, 0
    starts: list[Array | None] = [None] * _FOLDS
    for count in (c for c in _CANDIDATES if c < min(rows.shape[1] // 3 + 1, len(rows) // 4)):
        loss = 0.0
        for i, (correlation, held) in enumerate(parts):
            fitted = factor_analysis(correlation, count, starts[i])
            starts[i] = fitted.unique if count else None
            loss += gaussian_loss(fitted, held) / _FOLDS
        if loss < best:
            best, chosen, waited = loss, count, 0
        else:
            waited += 1
            if waited == _PATIENCE:
                break
    return chosen
