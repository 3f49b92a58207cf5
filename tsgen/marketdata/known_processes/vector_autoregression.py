"""Gaussian vector autoregression VAR(p) as a process with a known path law."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_discrete_lyapunov

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata.known_processes.arma import Start, check_start
from tsgen.marketdata.known_processes.covariance_matrix import checked_cholesky
from tsgen.marketdata.known_processes.gaussian_law import GaussianLaw
from tsgen.marketdata.known_processes.gaussian_path import GaussianPath
from tsgen.marketdata.known_processes.known_process import checked_past
from tsgen.whole_numbers import whole_number


@final
@dataclass(frozen=True, eq=False)
class VarProcess:
    """``x_t = sum_k A_k x_{t-k} + e_t``, ``e_t ~ N(0, innovation_covariance)``, N assets.

    Parameters
    ----------
    coefficients : array of shape (p, N, N), p >= 1
        ``A_1, ..., A_p``; row = asset that is moved, column = asset that moves it.
    innovation_covariance : array of shape (N, N)
        Positive definite.
    start : {"stationary", "zero"}, default "stationary"
        ``"stationary"``: a piece of the stationary process. ``"zero"``: values before the first period are zero.

    Raises
    ------
    ShapeError
        If shapes disagree.
    DataError
        If values are not finite or the covariance is not symmetric positive definite.
    ConfigError
        If the process is not stable (spectral radius of the companion matrix of 1 or more), or ``start`` unknown.

    References
    ----------
    Luetkepohl (2005), "New Introduction to Multiple Time Series Analysis", section 2.1 (moments).

    Examples
    --------
    >>> import numpy as np
    >>> process = VarProcess(0.5 * np.eye(2)[None], np.eye(2))
    >>> process.covariance(1).round(6).tolist()
    [[1.333333, 0.0], [0.0, 1.333333]]
    """

    coefficients: ArrayLike
    innovation_covariance: ArrayLike
    start: Start = "stationary"

    def __post_init__(self) -> None:
        coefficients = np.array(self.coefficients, dtype=np.float64)
        if coefficients.ndim != 3 or coefficients.shape[1] != coefficients.shape[2] or coefficients.size == 0:
            raise ShapeError(
                f"coefficients must have shape (p, N, N), p >= 1: got {coefficients.shape}. For VAR(1) use A[None]."
            )
        if not np.isfinite(coefficients).all():
            raise DataError("coefficients must be finite: some entries are not.")
        factor = checked_cholesky(self.innovation_covariance, name="innovation_covariance")
        if factor.shape != coefficients.shape[1:]:
            raise ShapeError(
                f"innovation_covariance must be {coefficients.shape[1:]} to match the coefficients: got {factor.shape}."
            )
        check_start(self.start)
        object.__setattr__(self, "coefficients", coefficients)
        object.__setattr__(self, "innovation_covariance", factor @ factor.T)
        radius = self.spectral_radius
        if radius >= 1.0:
            raise ConfigError(
                f"coefficients must give a stable process, companion spectral radius below 1: got {radius:.6g}. "
                "Scale A_k by c^k with a factor c below 1."
            )

    @classmethod
    def random_first_order(
        cls, n_assets: int, *, spectral_radius: float, rng: np.random.Generator, start: Start = "stationary"
    ) -> "VarProcess":
        """Random stable VAR(1) with a given spectral radius and unit-variance, correlated innovations.

        Parameters
        ----------
        n_assets : int
        spectral_radius : float in [0, 1)
            Largest modulus of the eigenvalues of ``A_1``, hit exactly.
        rng : numpy.random.Generator
        start : {"stationary", "zero"}

        Raises
        ------
        ConfigError
            If ``spectral_radius`` is outside [0, 1) or ``n_assets`` no positive integer.

        Examples
        --------
        >>> import numpy as np
        >>> process = VarProcess.random_first_order(3, spectral_radius=0.8, rng=np.random.default_rng(0))
        >>> round(process.spectral_radius, 12)
        0.8
        """
        size = whole_number(n_assets, "n_assets")
        if not 0.0 <= spectral_radius < 1.0:
            raise ConfigError(f"spectral_radius must be in [0, 1): got {spectral_radius!r}.")
        matrix = rng.standard_normal((size, size))
        matrix *= spectral_radius / np.abs(np.linalg.eigvals(matrix)).max()
        # twice as many observations as assets: a well-conditioned random covariance
        loadings = rng.standard_normal((size, 2 * size))
        loadings /= np.linalg.norm(loadings, axis=1, keepdims=True)
        return cls(matrix[None], loadings @ loadings.T, start=start)

    def _arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.asarray(self.coefficients), np.asarray(self.innovation_covariance)

    def _companion(self) -> NDArray[np.float64]:
        coefficients, _ = self._arrays()
        order, n_assets, _ = coefficients.shape
        companion = np.eye(order * n_assets, k=-n_assets)
        companion[:n_assets] = np.concatenate(list(coefficients), axis=1)
        return companion

    @property
    def n_assets(self) -> int:
        """Number of assets N."""
        return self._arrays()[0].shape[1]

    @property
    def order(self) -> int:
        """Number of lags p."""
        return self._arrays()[0].shape[0]

    @property
    def spectral_radius(self) -> float:
        """Largest modulus of the eigenvalues of the companion matrix."""
        return float(np.abs(np.linalg.eigvals(self._companion())).max())

    def mean(self, horizon: int) -> NDArray[np.float64]:
        """Mean path, zeros of shape (horizon, N)."""
        return np.zeros((whole_number(horizon, "horizon"), self.n_assets))

    def covariance(self, horizon: int) -> NDArray[np.float64]:
        """Covariance of the path, shape (horizon * N, horizon * N), time-major."""
        periods = whole_number(horizon, "horizon")
        n = self.n_assets
        companion = self._companion()
        powers = [np.eye(companion.shape[0])]
        for _ in range(periods - 1):
            powers.append(companion @ powers[-1])
        noise = np.zeros_like(companion)
        noise[:n, :n] = self._arrays()[1]
        if self.start == "zero":
            factor = _lower_block_toeplitz([power[:n, :n] for power in powers])
            return factor @ np.kron(np.eye(periods), noise[:n, :n]) @ factor.T
        stationary = solve_discrete_lyapunov(companion, noise)
        lower = _lower_block_toeplitz([(power @ stationary)[:n, :n] for power in powers])
        # every block on or below the diagonal is there; the rest is its mirror image
        same_period = np.kron(np.eye(periods), stationary[:n, :n])
        return lower + lower.T - same_period

    def sample(self, n_paths: int, horizon: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent paths of shape (n_paths, horizon, N), float64."""
        coefficients, innovation_covariance = self._arrays()
        count, periods = whole_number(n_paths, "n_paths"), whole_number(horizon, "horizon")
        order, n_assets, _ = coefficients.shape
        first = min(order, periods) if self.start == "stationary" else 0
        paths = np.zeros((count, order + periods, n_assets))
        if first:
            paths[:, order : order + first] = GaussianPath.of(self, first).sample(count, first, rng=rng)
        noise = rng.standard_normal((count, periods, n_assets)) @ np.linalg.cholesky(innovation_covariance).T
        for t in range(first, periods):
            lags = paths[:, t : order + t][:, ::-1]
            paths[:, order + t] = np.einsum("bkm,knm->bn", lags, coefficients) + noise[:, t]
        return paths[:, order:]

    def conditional_law(self, past: ArrayLike) -> GaussianLaw:
        """Exact Gaussian law of the next period; past of shape (B, t, N), t may be 0."""
        seen = checked_past(past, self.n_assets)
        n_pasts, periods, n_assets = seen.shape
        coefficients, innovation_covariance = self._arrays()
        if self.start == "stationary" and periods < self.order:
            return GaussianPath.of(self, periods + 1).conditional_law(seen)
        padded = np.concatenate([np.zeros((n_pasts, self.order, n_assets)), seen], axis=1)
        lags = padded[:, -self.order :][:, ::-1]
        return GaussianLaw(mean=np.einsum("bkm,knm->bn", lags, coefficients), covariance=innovation_covariance)


def _lower_block_toeplitz(blocks: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Matrix with ``blocks[s - t]`` at block (s, t) for s >= t, zero above."""
    periods, n = len(blocks), blocks[0].shape[0]
    matrix = np.zeros((periods * n, periods * n))
    for lag, block in enumerate(blocks):
        matrix += np.kron(np.eye(periods, k=-lag), block)
    return matrix
