"""Gaussian path law from a mean and a covariance: exact sampling and exact conditional laws.

The other Gaussian processes (ARMA, kernel, VAR, factor model) hand their moments to this one.
"""

from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata.known_processes.covariance_matrix import checked_cholesky
from tsgen.marketdata.known_processes.gaussian_law import GaussianLaw
from tsgen.marketdata.known_processes.known_process import GaussianPathProcess, checked_past
from tsgen.whole_numbers import whole_number


@final
class GaussianPath:
    """Gaussian law of paths of at most T periods of N assets.

    With the Cholesky factor ``S = L L'`` in time-major order, the innovations of the past are
    ``e = L_pp^{-1}(x_p - m_p)``; the next period is ``N(m_t + L_tp e, L_tt L_tt')``.

    Parameters
    ----------
    mean : array of shape (T, N) or (T * N,), float64
    covariance : array of shape (T * N, T * N), float64
        Time-major: entry ``(t * N + i, s * N + j)`` belongs to asset ``i`` in period ``t`` and ``j`` in ``s``.
    n_assets : int, default 1
        N, assets per period.

    Raises
    ------
    ShapeError
        If lengths do not agree or T * N is no multiple of N.
    DataError
        If values are not finite or the covariance is not symmetric positive definite.
    ConfigError
        If ``n_assets`` is not a positive integer.

    Examples
    --------
    >>> path = GaussianPath([0.0, 0.0], [[1.0, 0.9], [0.9, 1.0]])
    >>> law = path.conditional_law([[[2.0]]])
    >>> round(float(law.mean[0, 0]), 6), round(float(law.covariance[0, 0, 0]), 6)
    (1.8, 0.19)
    """

    def __init__(self, mean: ArrayLike, covariance: ArrayLike, *, n_assets: int = 1) -> None:
        assets = whole_number(n_assets, "n_assets")
        factor = checked_cholesky(covariance, name="covariance")
        values = np.array(mean, dtype=np.float64)
        if factor.ndim != 2 or factor.shape[0] % assets:
            raise ShapeError(
                f"covariance must be one matrix of (periods * n_assets) rows: got shape {factor.shape} "
                f"with n_assets={assets}."
            )
        periods = factor.shape[0] // assets
        if values.shape not in {(periods * assets,), (periods, assets)}:
            raise ShapeError(f"mean must have shape {(periods, assets)} to match the covariance: got {values.shape}.")
        if not np.isfinite(values).all():
            raise DataError(f"mean must be finite: {int((~np.isfinite(values)).sum())} entries are not.")
        self._mean = values.reshape(periods, assets)
        self._factor = factor

    @classmethod
    def of(cls, process: GaussianPathProcess, horizon: int) -> "GaussianPath":
        """Path law of another Gaussian process over a horizon."""
        return cls(process.mean(horizon), process.covariance(horizon), n_assets=process.n_assets)

    @property
    def n_assets(self) -> int:
        """Number of assets N."""
        return self._mean.shape[1]

    @property
    def longest_horizon(self) -> int:
        """Number of periods T that the covariance covers."""
        return self._mean.shape[0]

    def _horizon(self, horizon: int) -> int:
        periods = whole_number(horizon, "horizon")
        if periods > self.longest_horizon:
            raise ConfigError(
                f"horizon must be at most {self.longest_horizon}, what the covariance covers: got {periods}."
            )
        return periods

    def mean(self, horizon: int) -> NDArray[np.float64]:
        """Mean of the first periods, shape (horizon, N)."""
        return self._mean[: self._horizon(horizon)].copy()

    def covariance(self, horizon: int) -> NDArray[np.float64]:
        """Covariance of the first periods, shape (horizon * N, horizon * N), time-major."""
        size = self._horizon(horizon) * self.n_assets
        return self._factor[:size, :size] @ self._factor[:size, :size].T

    def sample(self, n_paths: int, horizon: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent paths of shape (n_paths, horizon, N), float64."""
        periods = self._horizon(horizon)
        size = periods * self.n_assets
        noise = rng.standard_normal((whole_number(n_paths, "n_paths"), size))
        return self._mean[:periods] + (noise @ self._factor[:size, :size].T).reshape(-1, periods, self.n_assets)

    def conditional_law(self, past: ArrayLike) -> GaussianLaw:
        """Exact Gaussian law of the next period; past of shape (B, t, N), t may be 0."""
        seen = checked_past(past, self.n_assets)
        n_pasts, periods, n_assets = seen.shape
        self._horizon(periods + 1)
        known = periods * n_assets
        new = slice(known, known + n_assets)
        residual = (seen - self._mean[:periods]).reshape(n_pasts, known)
        mean = np.tile(self._mean[periods], (n_pasts, 1))
        if known:
            innovations = solve_triangular(self._factor[:known, :known], residual.T, lower=True)
            mean += (self._factor[new, :known] @ innovations).T
        return GaussianLaw(mean=mean, covariance=self._factor[new, new] @ self._factor[new, new].T)
