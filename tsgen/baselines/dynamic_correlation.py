"""Dynamic conditional correlation DCC(1,1): the recursion, its quasi-likelihood and its two parameters.

Pure formulas on standardised residuals; used by `garch_ccc`.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.signal import lfilter
from scipy.special import expit, logit

from tsgen.baselines.multivariate_student_t import log_density_from_distance

LARGEST_PERSISTENCE = 0.9995
# rows per chunk: 512 matrices of 100 x 100 assets take 40 MB
_CHUNK = 512


class DynamicCorrelation(NamedTuple):
    """``Q_{t+1} = (1 - a - b) target + a z_t z_t' + b Q_t``; scaled to unit diagonal it is the correlation of z_t."""

    a: float
    b: float
    standard_errors: tuple[float, float]
    log_likelihood: float
    """Mean per period, in nats."""
    constant_log_likelihood: float
    """Of ``a = b = 0`` with the same target and degrees of freedom."""
    converged: bool


def quasi_correlations(
    shocks: NDArray[np.float64], target: NDArray[np.float64], *, a: float, b: float
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Chunks of ``Q_t`` with their rows, each known before ``z_t``; ``Q_1`` is the target.

    Parameters
    ----------
    shocks : ndarray of shape (time, asset)
    target : ndarray of shape (asset, asset)
    a, b : float

    Yields
    ------
    slice, ndarray of shape (rows, asset, asset)
    """
    current = target
    for first in range(0, len(shocks), _CHUNK):
        rows = slice(first, min(first + _CHUNK, len(shocks)))
        z = shocks[rows]
        forcing = (1.0 - a - b) * target + a * z[:, :, None] * z[:, None, :]
        following = lfilter([1.0], [1.0, -b], forcing, axis=0, zi=b * current[None])[0]
        yield rows, np.concatenate([current[None], following[:-1]])
        current = following[-1]


def last_quasi_correlation(
    shocks: NDArray[np.float64], target: NDArray[np.float64], *, a: float, b: float
) -> NDArray[np.float64]:
    """``Q`` of the period after the last shock, shape (asset, asset).

    Examples
    --------
    >>> last_quasi_correlation(np.array([[2.0]]), np.eye(1), a=0.1, b=0.8).round(6).tolist()  # 0.1 + 0.1 * 4 + 0.8
    [[1.3]]
    """
    ages = np.arange(len(shocks))[::-1]
    weights = b**ages
    fixed = (1.0 - a - b) * weights.sum() + b ** len(shocks)
    return fixed * target + a * (shocks * weights[:, None]).T @ shocks


def correlations_from(quasi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrices of shape (..., n, n) scaled to unit diagonal."""
    inverse = 1.0 / np.sqrt(np.diagonal(quasi, axis1=-2, axis2=-1))
    return quasi * inverse[..., :, None] * inverse[..., None, :]


def log_densities(
    shocks: NDArray[np.float64], target: NDArray[np.float64], *, a: float, b: float, dof: float
) -> NDArray[np.float64]:
    """Log density of every row given the rows before it, shape (time,): Student-t with unit variances."""
    distance, log_determinant = np.empty(len(shocks)), np.empty(len(shocks))
    for rows, quasi in quasi_correlations(shocks, target, a=a, b=b):
        factor = np.linalg.cholesky(correlations_from(quasi))
        log_determinant[rows] = 2.0 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        white = np.linalg.solve(factor, shocks[rows][:, :, None])[:, :, 0]
        distance[rows] = (white**2).sum(axis=1)
    return log_density_from_distance(distance, log_determinant, dof=dof, n_assets=shocks.shape[1])


def _parameters(free: NDArray[np.float64]) -> tuple[float, float]:
    """``a, b`` from log-odds of the persistence ``a + b`` and of the share of ``a`` in it."""
    persistence, share = LARGEST_PERSISTENCE * expit(free[0]), expit(free[1])
    return float(persistence * share), float(persistence * (1.0 - share))


def fit_dynamic_correlation(
    shocks: NDArray[np.float64], target: NDArray[np.float64], *, dof: float
) -> DynamicCorrelation:
    """Quasi-maximum likelihood of ``a, b`` with the target and the degrees of freedom given.

    Parameters
    ----------
    shocks : ndarray of shape (time, asset)
        Standardised residuals.
    target : ndarray of shape (asset, asset)
        Correlation matrix that ``Q`` returns to.
    dof : float
        Of the Student-t quasi-likelihood; the same for dynamic and constant correlation, so that they compare.

    Returns
    -------
    DynamicCorrelation
        Standard errors are of the sandwich form, for given target.

    References
    ----------
    Engle (2002), "Dynamic conditional correlation", Journal of Business & Economic Statistics 20, equations (18)
    and (24). Aielli (2013) shows that targeting is not exactly consistent; the bias is small for small ``a``.
    """

    def loss(free: NDArray[np.float64]) -> float:
        a, b = _parameters(free)
        return -float(log_densities(shocks, target, a=a, b=b, dof=dof).mean())

    begin = np.array([logit(0.97 / LARGEST_PERSISTENCE), logit(0.02 / 0.97)])
    simplex = begin + np.array([[0.0, 0.0], [0.8, 0.0], [0.0, 0.8]])
    found = minimize(
        loss,
        begin,
        method="Nelder-Mead",
        # 0.01 in log-odds is a tenth of a standard error; 1e-6 nats per period is 0.006 over 6,000 periods
        options={"initial_simplex": simplex, "xatol": 1e-2, "fatol": 1e-6, "maxfev": 120},
    )
    a, b = _parameters(found.x)
    constant = float(log_densities(shocks, target, a=0.0, b=0.0, dof=dof).mean())
    errors = _standard_errors(shocks, target, found.x, dof)
    return DynamicCorrelation(a, b, errors, -float(found.fun), constant, bool(found.success))


def _standard_errors(
    shocks: NDArray[np.float64], target: NDArray[np.float64], free: NDArray[np.float64], dof: float
) -> tuple[float, float]:
    """Sandwich standard errors by central differences in the free parameters, mapped to ``a, b``; inf if singular."""
    step = 0.05 * np.eye(2)

    def densities(at: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b = _parameters(at)
        return log_densities(shocks, target, a=a, b=b, dof=dof)

    middle = densities(free)
    up, down = [densities(free + s) for s in step], [densities(free - s) for s in step]
    scores = np.stack([(u - d) / 0.1 for u, d in zip(up, down, strict=True)])
    hessian = np.diag([(u - 2 * middle + d).mean() / 0.05**2 for u, d in zip(up, down, strict=True)])
    both, neither = densities(free + step.sum(axis=0)), densities(free - step.sum(axis=0))
    cross = (both - up[0] - up[1] + 2 * middle - down[0] - down[1] + neither).mean() / (2 * 0.05**2)
    hessian[0, 1] = hessian[1, 0] = cross
    if not np.linalg.det(hessian) > 1e-14:
        return float("inf"), float("inf")
    inverse = np.linalg.inv(hessian)
    covariance = inverse @ (scores @ scores.T / len(shocks)) @ inverse / len(shocks)
    slopes = np.stack([(np.array(_parameters(free + s)) - np.array(_parameters(free - s))) / 0.1 for s in step], axis=1)
    first, second = np.sqrt(np.diag(slopes @ covariance @ slopes.T))
    return float(first), float(second)
