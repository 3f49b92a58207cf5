"""Maximum likelihood of a centred multivariate Student-t law: the yardstick for innovations with heavy tails."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

Array = NDArray[np.float64]

SMALLEST_DOF, LARGEST_DOF = 2.1, 200.0
_ITERATIONS = 60
_PRECISION = 1e-5


def log_density(distance: Array, log_root_determinant: float, dof: float, n_assets: int) -> Array:
    """Log density of a multivariate t with scale matrix ``LL'`` at squared distances ``|L^{-1} z|^2``."""
    constant = gammaln((dof + n_assets) / 2.0) - gammaln(dof / 2.0) - 0.5 * n_assets * math.log(dof * math.pi)
    return constant - log_root_determinant - 0.5 * (dof + n_assets) * np.log1p(distance / dof)


def _distances(rows: Array, scale: Array) -> tuple[Array, float]:
    root = np.linalg.cholesky(scale)
    return (np.linalg.solve(root, rows.T) ** 2).sum(axis=0), float(np.log(np.diag(root)).sum())


def student_t_parameters(rows: Array) -> tuple[Array, float]:
    """Scale matrix and degrees of freedom by maximum likelihood, with mean zero.

    Parameters
    ----------
    rows : ndarray of shape (row, asset), float64

    Returns
    -------
    scale : ndarray of shape (asset, asset)
        The covariance is ``scale * dof / (dof - 2)``.
    dof : float
        Between 2.1 and 200.

    References
    ----------
    Liu, Rubin (1995), "ML estimation of the t distribution using EM and its extensions, ECM and ECME", Statistica
    Sinica 5 (the ECME algorithm).
    """
    n_rows, n_assets = rows.shape
    scale, dof = rows.T @ rows / n_rows * 0.7, 6.0
    for _ in range(_ITERATIONS):
        distance, _ = _distances(rows, scale)
        weights = (dof + n_assets) / (dof + distance)
        following = (rows * weights[:, None]).T @ rows / n_rows
        distance, root = _distances(rows, following)

        def loss(log_dof: float, distance: Array = distance, root: float = root) -> float:
            return -float(log_density(distance, root, math.exp(log_dof), n_assets).mean())

        found: Any = minimize_scalar(loss, bounds=(math.log(SMALLEST_DOF), math.log(LARGEST_DOF)), method="bounded")
        log_dof = float(found.x)
        change = abs(np.log(np.trace(following) / np.trace(scale))) + abs(log_dof - math.log(dof))
        scale, dof = following, math.exp(log_dof)
        if change < _PRECISION:
            break
    return scale, dof
