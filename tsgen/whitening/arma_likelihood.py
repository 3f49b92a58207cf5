r"""Autocovariances of a stationary ARMA law from many short paths, by Gaussian maximum likelihood.

The likelihood is exact for paths of up to 64 periods; longer ones count by their windows (a composite likelihood).

Free autocovariances have one parameter per lag, and an autoregression needs many where the memory decays slowly: eight
lags of a powered exponential leave its covariance 3 % off, with nearly the best likelihood. A handful of ARMA
parameters come as close as the likelihood can tell and use the path's own dynamics for its slow movements, of which a
sample has few.

Partial autocorrelations carry the autoregressive and the moving-average polynomial, so every trial is stationary and
invertible; the variance of the innovations has a closed form given the rest.

References
----------
Monahan (1984), "A note on enforcing stationarity in autoregressive-moving average models", Biometrika 71.
Brockwell, Davis (1991), "Time Series: Theory and Methods", sections 3.3 and 8.7.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import toeplitz
from scipy.optimize import minimize
from statsmodels.tsa.arima_process import arma2ma, arma_acovf
from statsmodels.tsa.statespace.tools import constrain_stationary_univariate, unconstrain_stationary_univariate
from statsmodels.tsa.stattools import levinson_durbin

Array = NDArray[np.float64]

LONGEST_WINDOW = 64
"""Longer paths count by their windows of this length: an evaluation costs its cube."""

_LARGEST_PARTIAL = 0.95
_NEAR_THE_EDGE = 3.0  # unconstrained: a partial autocorrelation of 0.95
_SMALL = 0.1  # of a start: zero is a saddle point where polynomials have a common root
_LONG_ORDER = 20
_ITERATIONS = 200
_PRECISION = 1e-5  # of the gradient of the log likelihood per path
_LARGEST_LOSS = 1e10  # a search cannot start from infinity, but can leave this


def _window_moments(paths: Array) -> Array:
    """Second moments of windows a quarter of their length apart, the last period included, averaged over all."""
    n_paths, n_periods = paths.shape
    window = min(n_periods, LONGEST_WINDOW)
    starts = sorted({*range(0, n_periods - window + 1, max(1, window // 4)), n_periods - window})
    moments = np.zeros((window, window))
    for start in starts:
        part = paths[:, start : start + window]
        moments += part.T @ part
    return moments / (n_paths * len(starts))


def _unit_autocovariances(parameters: Array, p: int, n_lags: int) -> Array:
    """Autocovariances with innovations of variance one."""
    phi = constrain_stationary_univariate(parameters[:p])
    theta = -constrain_stationary_univariate(parameters[p:])
    return np.asarray(arma_acovf(np.r_[1.0, -phi], np.r_[1.0, theta], n_lags), dtype=np.float64)


def _variance_and_loss(parameters: Array, p: int, moments: Array) -> tuple[float, float]:
    """Best innovation variance given the rest, and minus the log likelihood per path without the constant."""
    size = len(moments)
    try:
        root = np.linalg.cholesky(toeplitz(_unit_autocovariances(parameters, p, size)))
    except (np.linalg.LinAlgError, ValueError):  # a root on the unit circle by rounding
        return 1.0, float("inf")
    left = np.linalg.solve(root, moments)
    variance = float(np.trace(np.linalg.solve(root, left.T))) / size
    return variance, float(np.log(np.diag(root)).sum() + 0.5 * size * np.log(variance))


def _starts(moments: Array, p: int, q: int) -> list[Array]:
    """Regression on past values and on past innovations of a long autoregression, in population moments.

    Where it is hardly stationary and invertible, small numbers are a second start, and where it is not, the Yule-Walker
    autoregression is the first: from one alone a search can end hundreds of units of log likelihood too low.

    References
    ----------
    Hannan, Rissanen (1982), "Recursive estimation of mixed autoregressive-moving average order", Biometrika 69.
    """
    gamma = np.array([np.diagonal(moments, k).mean() for k in range(min(len(moments) // 2, _LONG_ORDER) + 1)])
    variance, phi, _, _, _ = levinson_durbin(gamma, nlags=len(gamma) - 1, isacov=True)
    # moments of a value and the innovations of its period and before
    response = variance * np.asarray(arma2ma(np.r_[1.0, -phi], [1.0], lags=max(p, q) + 1), dtype=np.float64)
    gram = np.zeros((p + q, p + q))
    gram[:p, :p] = toeplitz(gamma[:p])
    gram[p:, p:] = variance * np.eye(q)
    for i in range(p):
        for j in range(i, q):  # no value knows later innovations
            gram[i, p + j] = gram[p + j, i] = response[j - i]
    beta = np.linalg.solve(gram, np.r_[gamma[1 : p + 1], response[1 : q + 1]])
    with np.errstate(all="ignore"):
        start = np.r_[unconstrain_stationary_univariate(beta[:p]), unconstrain_stationary_univariate(-beta[p:])]
    if np.isfinite(start).all():
        return [start] if np.abs(start).max() < _NEAR_THE_EDGE else [start, np.full(p + q, _SMALL)]
    partial = levinson_durbin(gamma[: p + 1], nlags=p, isacov=True)[2][1:].clip(-_LARGEST_PARTIAL, _LARGEST_PARTIAL)
    return [np.r_[partial / np.sqrt(1.0 - partial**2), np.full(q, _SMALL)], np.full(p + q, _SMALL)]


def arma_autocovariances(deviations: Array, p: int, q: int) -> Array:
    """Maximum-likelihood autocovariances of centred paths of one asset under ARMA(p, q).

    Parameters
    ----------
    deviations : ndarray of shape (path, time), float64
    p, q : int
        Orders of the autoregression and of the moving average, at least one each.

    Returns
    -------
    ndarray of shape (time,)

    Raises
    ------
    numpy.linalg.LinAlgError
        If the paths have no variance, or their second moments are singular otherwise.

    Examples
    --------
    >>> white = np.random.default_rng(0).standard_normal((4000, 6))
    >>> ma = white[:, 1:] + 0.5 * white[:, :-1]
    >>> bool(np.abs(arma_autocovariances(ma, 1, 1)[:3] - [1.25, 0.5, 0.0]).max() < 0.05)
    True
    """
    moments = _window_moments(deviations)
    if not moments.trace() > 0.0:
        raise np.linalg.LinAlgError(f"ARMA({p}, {q}) has no finite likelihood: the paths have no variance")
    parameters = _most_likely(moments, p, q)
    variance, loss = _variance_and_loss(parameters, p, moments)
    if not np.isfinite(loss):
        raise np.linalg.LinAlgError(f"ARMA({p}, {q}) has no finite likelihood on these paths")
    return variance * _unit_autocovariances(parameters, p, deviations.shape[1])


def _most_likely(moments: Array, p: int, q: int) -> Array:
    """The best end of the searches from all starts."""
    found = [
        minimize(
            lambda x: min(_variance_and_loss(x, p, moments)[1], _LARGEST_LOSS),
            start,
            method="BFGS",
            options={"maxiter": _ITERATIONS, "gtol": _PRECISION},
        )
        for start in _starts(moments, p, q)
    ]
    return np.asarray(min(found, key=lambda search: search.fun).x, dtype=np.float64)
