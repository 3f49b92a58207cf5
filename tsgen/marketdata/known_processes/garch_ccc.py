"""GARCH(1,1) with constant conditional correlation and Gaussian or Student-t shocks: a known conditional law."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata.known_processes.covariance_matrix import checked_cholesky
from tsgen.marketdata.known_processes.gaussian_law import GaussianLaw
from tsgen.marketdata.known_processes.known_process import (
    checked_past,
    checked_positive,
    checked_vector,
)
from tsgen.marketdata.known_processes.student_t_law import StudentTLaw, check_degrees_of_freedom
from tsgen.whole_numbers import whole_number


@final
@dataclass(frozen=True, eq=False)
class GarchCcc:
    """``x_{t,i} = sqrt(h_{t,i}) z_{t,i}``, ``h_{t+1} = omega + alpha x_t^2 + beta h_t``, ``Cov(z_t)`` constant.

    ``z_t`` is multivariate Student-t with a common scale, zero mean, unit variances and the given correlation
    (Gaussian for ``dof = inf``), independent over time.

    Parameters
    ----------
    omega, alpha, beta : array of shape (N,)
        Per asset; ``omega > 0``, ``alpha, beta >= 0``, ``alpha + beta < 1``.
    correlation : array of shape (N, N)
        Of the shocks: unit diagonal, positive definite.
    dof : float
        Degrees of freedom above 2, or ``math.inf``.
    start_variance : array of shape (N,), optional
        ``h_1``, known; the stationary variance ``omega / (1 - alpha - beta)`` by default.

    Raises
    ------
    ShapeError, DataError
        If shapes disagree, values are not finite, or ``correlation`` is no correlation matrix.
    ConfigError
        If coefficients are outside their ranges or ``dof <= 2``.

    References
    ----------
    Bollerslev (1990), "Modelling the coherence in short-run nominal exchange rates: a multivariate generalized
    ARCH model", Review of Economics and Statistics 72.

    Examples
    --------
    >>> import numpy as np
    >>> process = GarchCcc(omega=[0.1], alpha=[0.1], beta=[0.8], correlation=[[1.0]], dof=5.0)
    >>> process.variances(np.full((1, 1, 1), 3.0)).ravel().round(6).tolist()  # 0.1 + 0.1 * 9 + 0.8 * 1
    [1.0, 1.8]
    """

    omega: ArrayLike
    alpha: ArrayLike
    beta: ArrayLike
    correlation: ArrayLike
    dof: float
    start_variance: ArrayLike | None = None

    def __post_init__(self) -> None:
        omega = checked_positive(self.omega, name="omega")
        alpha, beta = checked_vector(self.alpha, name="alpha"), checked_vector(self.beta, name="beta")
        factor = checked_cholesky(self.correlation, name="correlation")
        shapes = {omega.shape, alpha.shape, beta.shape}
        if len(shapes) > 1 or factor.shape != (omega.size, omega.size):
            raise ShapeError(
                f"omega, alpha, beta and correlation must describe the same assets: got {omega.shape}, {alpha.shape}, "
                f"{beta.shape}, {factor.shape}."
            )
        if (alpha < 0.0).any() or (beta < 0.0).any() or (alpha + beta >= 1.0).any():
            raise ConfigError(
                "alpha and beta must be non-negative with alpha + beta < 1, or the variance is negative or explodes: "
                f"got alpha={alpha.tolist()}, beta={beta.tolist()}."
            )
        correlation = factor @ factor.T
        if (np.abs(np.diag(correlation) - 1.0) > 1e-9).any():
            raise DataError(
                f"correlation must have a unit diagonal: got {np.diag(correlation).tolist()}. Put scales into omega."
            )
        if self.dof != math.inf:
            check_degrees_of_freedom(self.dof)
        self._set_start_variance(omega / (1.0 - alpha - beta))
        for name, value in (("omega", omega), ("alpha", alpha), ("beta", beta), ("correlation", correlation)):
            object.__setattr__(self, name, value)

    def _set_start_variance(self, stationary: NDArray[np.float64]) -> None:
        start = stationary
        if self.start_variance is not None:
            start = checked_positive(self.start_variance, name="start_variance")
        if start.shape != stationary.shape:
            raise ShapeError(
                f"start_variance must have one entry per asset: expected {stationary.shape}, got {start.shape}."
            )
        object.__setattr__(self, "start_variance", start)

    @property
    def n_assets(self) -> int:
        """Number of assets N."""
        return np.asarray(self.omega).size

    def _next_variance(self, x: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.omega) + np.asarray(self.alpha) * x**2 + np.asarray(self.beta) * variance

    def variances(self, past: ArrayLike) -> NDArray[np.float64]:
        """Conditional variances ``h_1 .. h_{t+1}`` along pasts.

        Parameters
        ----------
        past : array of shape (B, t, N), float64

        Returns
        -------
        ndarray of shape (B, t + 1, N), float64
        """
        seen = checked_past(past, self.n_assets)
        n_pasts, periods, n_assets = seen.shape
        variances = np.empty((n_pasts, periods + 1, n_assets))
        variances[:, 0] = self.start_variance
        for t in range(periods):
            variances[:, t + 1] = self._next_variance(seen[:, t], variances[:, t])
        return variances

    def shocks(self, n_paths: int, horizon: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Standardised shocks ``z`` of shape (n_paths, horizon, N): unit variance, the given correlation."""
        shape = (whole_number(n_paths, "n_paths"), whole_number(horizon, "horizon"))
        noise = rng.standard_normal((*shape, self.n_assets)) @ np.linalg.cholesky(np.asarray(self.correlation)).T
        if self.dof == math.inf:
            return noise
        return noise * np.sqrt((self.dof - 2.0) / rng.chisquare(self.dof, size=(*shape, 1)))

    def sample(self, n_paths: int, horizon: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent paths of shape (n_paths, horizon, N), float64."""
        paths = self.shocks(n_paths, horizon, rng=rng)
        variance = np.tile(np.asarray(self.start_variance), (n_paths, 1))
        for t in range(horizon):
            paths[:, t] *= np.sqrt(variance)
            variance = self._next_variance(paths[:, t], variance)
        return paths

    def conditional_law(self, past: ArrayLike) -> StudentTLaw | GaussianLaw:
        """Exact law of the next period; past of shape (B, t, N), t may be 0."""
        deviations = np.sqrt(self.variances(past)[:, -1])
        covariance = deviations[:, :, None] * np.asarray(self.correlation) * deviations[:, None, :]
        mean = np.zeros_like(deviations)
        if self.dof == math.inf:
            return GaussianLaw(mean=mean, covariance=covariance)
        return StudentTLaw(mean=mean, covariance=covariance, dof=self.dof)
