"""Gaussian ARMA(p, q) as a process with a known path law."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import toeplitz
from statsmodels.tsa.arima_process import ArmaProcess, arma2ma, arma_acovf

from tsgen.errors import ConfigError
from tsgen.marketdata.known_processes.gaussian_law import GaussianLaw
from tsgen.marketdata.known_processes.gaussian_path import GaussianPath
from tsgen.marketdata.known_processes.known_process import checked_past, checked_positive, checked_vector
from tsgen.whole_numbers import whole_number

Start = Literal["stationary", "zero"]


def check_start(start: str) -> None:
    """Raise `ConfigError` unless ``start`` is "stationary" or "zero".

    Raises
    ------
    ConfigError
        For any other value.

    Examples
    --------
    >>> check_start("zero")
    """
    if start not in {"stationary", "zero"}:
        raise ConfigError(f"start must be 'stationary' or 'zero': got {start!r}.")


@final
@dataclass(frozen=True, eq=False)
class Arma:
    """``x_t = sum_i phi_i x_{t-i} + e_t + sum_j theta_j e_{t-j}``, ``e_t ~ N(0, innovation_sd^2)``, one asset.

    Parameters
    ----------
    phi : array of shape (p,), p may be 0
        Autoregressive coefficients, on the right-hand side (statsmodels' ``ar`` polynomial is ``1, -phi``).
    theta : array of shape (q,), q may be 0
        Moving-average coefficients.
    innovation_sd : float, default 1.0
    start : {"stationary", "zero"}, default "stationary"
        ``"stationary"``: the path is a piece of the stationary process. ``"zero"``: values and innovations
        before the first period are zero, so the variance grows from ``innovation_sd^2`` in the first period.

    Raises
    ------
    ConfigError
        If the process is not stationary or not invertible, ``innovation_sd`` is not positive or ``start`` unknown.
    ShapeError, DataError
        If coefficients are not one-dimensional and finite.

    References
    ----------
    Brockwell, Davis (1991), "Time Series: Theory and Methods", section 3.3 (autocovariances).

    Examples
    --------
    >>> import numpy as np
    >>> process = Arma(phi=[0.5], theta=[])
    >>> process.covariance(2).round(6).tolist()
    [[1.333333, 0.666667], [0.666667, 1.333333]]
    >>> process.sample(4, 8, rng=np.random.default_rng(0)).shape
    (4, 8, 1)
    """

    phi: ArrayLike
    theta: ArrayLike
    innovation_sd: float = 1.0
    start: Start = "stationary"

    def __post_init__(self) -> None:
        phi, theta = checked_vector(self.phi, name="phi"), checked_vector(self.theta, name="theta")
        checked_positive(self.innovation_sd, name="innovation_sd")
        check_start(self.start)
        object.__setattr__(self, "phi", phi)
        object.__setattr__(self, "theta", theta)
        process = ArmaProcess(*self._polynomials())
        if not process.isstationary:
            smallest = float(np.abs(process.arroots).min())
            raise ConfigError(
                f"phi must give a stationary process, all roots of 1 - phi_1 z - ... outside the unit circle: the "
                f"smallest root of phi={phi.tolist()} has modulus {smallest:.6g}. Shrink the coefficients."
            )
        if not process.isinvertible:
            smallest = float(np.abs(process.maroots).min())
            raise ConfigError(
                f"theta must give an invertible process, all roots of 1 + theta_1 z + ... outside the unit circle: the "
                f"smallest root of theta={theta.tolist()} has modulus {smallest:.6g}. Replace a root r by 1 / r."
            )

    def _polynomials(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        one = np.ones(1)
        return np.concatenate([one, -np.asarray(self.phi)]), np.concatenate([one, np.asarray(self.theta)])

    @property
    def n_assets(self) -> int:
        """Number of assets: one."""
        return 1

    def mean(self, horizon: int) -> NDArray[np.float64]:
        """Mean path, zeros of shape (horizon, 1)."""
        return np.zeros((whole_number(horizon, "horizon"), 1))

    def covariance(self, horizon: int) -> NDArray[np.float64]:
        """Covariance of the path, shape (horizon, horizon)."""
        periods = whole_number(horizon, "horizon")
        ar, ma = self._polynomials()
        if self.start == "stationary":
            return self.innovation_sd**2 * toeplitz(arma_acovf(ar, ma, nobs=periods)[:periods])
        weights = arma2ma(ar, ma, lags=periods)[:periods]
        factor = self.innovation_sd * toeplitz(weights, np.zeros(periods))
        return factor @ factor.T

    def sample(self, n_paths: int, horizon: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent paths of shape (n_paths, horizon, 1), float64."""
        return GaussianPath.of(self, horizon).sample(n_paths, horizon, rng=rng)

    def conditional_law(self, past: ArrayLike) -> GaussianLaw:
        """Exact Gaussian law of the next period; past of shape (B, t, 1), t may be 0."""
        seen = checked_past(past, 1)
        return GaussianPath.of(self, seen.shape[1] + 1).conditional_law(seen)
