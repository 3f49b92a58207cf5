"""ARMA(p, q) by the two regressions of Hannan and Rissanen, pooled over independent paths.

One long autoregression gives innovations, a second regression on lagged values and innovations the coefficients.
`statsmodels` has it for one series; here the same for many paths. Pure formulas, used by `arma`.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from statsmodels.tsa.arima_process import ArmaProcess

# roots closer to the unit circle are estimates of a process that is not there
_LEAST_ROOT = 1.001


class ArmaFit(NamedTuple):
    """``x_t = sum phi_i x_{t-i} + e_t + sum theta_j e_{t-j}`` for a centred series; BIC on the common rows."""

    phi: NDArray[np.float64]
    theta: NDArray[np.float64]
    criterion: float


def is_usable(phi: NDArray[np.float64], theta: NDArray[np.float64]) -> bool:
    """Whether the process is stationary and invertible, with a margin of 0.001.

    Examples
    --------
    >>> is_usable(np.array([0.5]), np.array([])), is_usable(np.array([1.0]), np.array([]))
    (True, False)
    """
    process = ArmaProcess(np.concatenate([[1.0], -phi]), np.concatenate([[1.0], theta]))
    roots = np.concatenate([np.atleast_1d(process.arroots), np.atleast_1d(process.maroots)])
    return bool(roots.size == 0 or np.abs(roots).min() > _LEAST_ROOT)


def _lagged(paths: NDArray[np.float64], lags: int, first: int) -> NDArray[np.float64]:
    """Columns ``x_{t-1} .. x_{t-lags}`` for ``t >= first``, paths stacked: shape (row, lags)."""
    length = paths.shape[1]
    return np.stack([paths[:, first - k : length - k].ravel() for k in range(1, lags + 1)], axis=1)


def fit_arma(paths: NDArray[np.float64], *, max_p: int, max_q: int, long_order: int) -> list[ArmaFit]:
    """All usable ARMA(p, q) fits up to the given orders, the most likely by BIC first.

    Parameters
    ----------
    paths : ndarray of shape (path, time)
        Centred values of one asset.
    max_p, max_q : int
        Largest orders; (0, 0) is always among the results.
    long_order : int
        Lags of the first regression, at least ``max_p``; below ``time - max_q``.

    Returns
    -------
    list of ArmaFit

    References
    ----------
    Hannan, Rissanen (1982), "Recursive estimation of mixed autoregressive-moving average order", Biometrika 69.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(1, 400))
    >>> [(len(f.phi), len(f.theta)) for f in fit_arma(noise, max_p=1, max_q=1, long_order=10)][0]
    (0, 0)
    """
    long_design = _lagged(paths, long_order, long_order)
    long_target = paths[:, long_order:].ravel()
    weights = np.linalg.lstsq(long_design, long_target, rcond=None)[0]
    innovations = (long_target - long_design @ weights).reshape(len(paths), -1)
    first = long_order + max_q
    target = paths[:, first:].ravel()
    columns = [np.empty((len(target), 0))]
    if max_p:
        columns.append(_lagged(paths, max_p, first))
    if max_q:
        columns.append(_lagged(innovations, max_q, max_q))
    design = np.concatenate(columns, axis=1)
    fits = []
    for p in range(max_p + 1):
        for q in range(max_q + 1):
            used = design[:, [*range(p), *range(max_p, max_p + q)]]
            fits.append(_one_order(used, target, p))
    return sorted((f for f in fits if is_usable(f.phi, f.theta)), key=lambda f: f.criterion)


def _one_order(design: NDArray[np.float64], target: NDArray[np.float64], p: int) -> ArmaFit:
    n_rows, n_coefficients = design.shape
    # normal equations: at most four well-conditioned columns, and twenty times faster than an orthogonal solver
    solution = np.zeros(n_coefficients)
    if n_coefficients:
        solution[:] = np.linalg.solve(design.T @ design, design.T @ target)
    variance = float(((target - design @ solution) ** 2).mean())
    return ArmaFit(solution[:p], solution[p:], n_rows * math.log(variance) + n_coefficients * math.log(n_rows))
