"""Unit-variance multivariate Student-t law of shocks: log density and maximum likelihood.

Pure formulas, used by `garch_ccc` and `student_t_copula`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

# below, sample variances say nothing; above, the law is Gaussian to three digits of any quantile in use
LEAST_DOF, LARGEST_DOF = 2.2, 200.0


class ShockLaw(NamedTuple):
    """Correlation and degrees of freedom of unit-variance shocks, and whether the iteration settled."""

    correlation: NDArray[np.float64]
    dof: float
    converged: bool


def log_density_from_distance(
    distance: NDArray[np.float64], log_determinant: NDArray[np.float64] | float, *, dof: float, n_assets: int
) -> NDArray[np.float64]:
    """Log density of unit-variance Student-t shocks with correlation R.

    ``log c(dof, n) - log|R| / 2 - (dof + n) / 2 * log(1 + z' R^-1 z / (dof - 2))``

    Parameters
    ----------
    distance : ndarray of shape (time,)
        ``z' R^-1 z``.
    log_determinant : ndarray of shape (time,) or float
        ``log|R|``.
    dof : float
        Above 2.
    n_assets : int

    Returns
    -------
    ndarray of shape (time,), float64

    Examples
    --------
    >>> from scipy import stats
    >>> ours = log_density_from_distance(np.array([4.0]), 0.0, dof=6.0, n_assets=1)[0]  # z = 2
    >>> bool(abs(ours - stats.t.logpdf(2.0, 6.0, scale=(4.0 / 6.0) ** 0.5)) < 1e-12)
    True
    """
    constant = gammaln((dof + n_assets) / 2) - gammaln(dof / 2) - 0.5 * n_assets * np.log(np.pi * (dof - 2))
    return constant - 0.5 * log_determinant - 0.5 * (dof + n_assets) * np.log1p(distance / (dof - 2))


def squared_distances(shocks: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """``z_t' M^-1 z_t`` for every row, shape (time,)."""
    return (np.linalg.solve(matrix, shocks.T) * shocks.T).sum(axis=0)


def best_dof(shocks: NDArray[np.float64], correlation: NDArray[np.float64]) -> float:
    """Degrees of freedom that maximise the likelihood of unit-variance shocks with this correlation."""
    distance = squared_distances(shocks, correlation)
    log_determinant = float(np.linalg.slogdet(correlation)[1])

    def loss(log_excess: float) -> float:
        dof = 2.0 + float(np.exp(log_excess))
        return -float(log_density_from_distance(distance, log_determinant, dof=dof, n_assets=shocks.shape[1]).mean())

    bounds = (np.log(LEAST_DOF - 2.0), np.log(LARGEST_DOF - 2.0))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return 2.0 + float(np.exp(found.x))


def fit_shock_law(shocks: NDArray[np.float64], *, max_iterations: int = 100) -> ShockLaw:
    """Maximum-likelihood correlation and degrees of freedom of shocks with (nearly) unit variances.

    Rows far out get less weight than in the sample correlation, which a single day can move.

    Parameters
    ----------
    shocks : ndarray of shape (time, asset)
    max_iterations : int
        Of the fixed point; it settles in about ten.

    Returns
    -------
    ShockLaw

    References
    ----------
    Liu, Rubin (1995), "ML estimation of the t distribution using EM and its extensions, ECM and ECME",
    Statistica Sinica 5.

    Examples
    --------
    >>> shocks = np.random.default_rng(0).normal(size=(500, 2))
    >>> fit_shock_law(shocks).correlation.shape
    (2, 2)
    """
    n_assets = shocks.shape[1]
    scatter = shocks.T @ shocks / len(shocks)
    dof, converged = 8.0, False
    for _ in range(max_iterations):
        weights = (dof + n_assets) / (dof + squared_distances(shocks, scatter))
        updated = (shocks * weights[:, None]).T @ shocks / len(shocks)
        new_dof = best_dof(shocks, updated * dof / (dof - 2.0))
        moved = float(np.abs(updated - scatter).max()) + abs(new_dof / dof - 1.0)
        scatter, dof = updated, new_dof
        # far below the standard error of a correlation from any history of days
        if moved < 1e-4:
            converged = True
            break
    correlation = to_correlation(scatter)
    return ShockLaw(correlation, best_dof(shocks, correlation), converged)


def to_correlation(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation matrix with an exact unit diagonal.

    Examples
    --------
    >>> to_correlation(np.array([[4.0, 1.0], [1.0, 1.0]])).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    deviations = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviations, deviations)
    np.fill_diagonal(correlation, 1.0)
    return (correlation + correlation.T) / 2.0
