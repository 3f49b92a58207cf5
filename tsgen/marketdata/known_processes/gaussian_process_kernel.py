"""Gaussian process with a covariance kernel, one asset, observed at times 1, 2, 3, ..."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import ConfigError, ShapeError
from tsgen.marketdata.known_processes.gaussian_law import GaussianLaw
from tsgen.marketdata.known_processes.gaussian_path import GaussianPath
from tsgen.marketdata.known_processes.known_process import checked_past, checked_positive
from tsgen.whole_numbers import whole_number

Kernel = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def powered_exponential(*, variance: float, length: float, power: float) -> Kernel:
    """Kernel ``variance * exp(-(|s - t| / length)^power)``.

    Parameters
    ----------
    variance : float, positive
    length : float, positive
        In periods.
    power : float in (0, 2]
        1 is the Ornstein-Uhlenbeck process, 2 a smooth one (nearly singular: prefer `rbf` with a nugget).

    Raises
    ------
    ConfigError
        If a parameter is outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> kernel = powered_exponential(variance=2.0, length=1.0, power=1.0)
    >>> kernel(np.array([1.0]), np.array([1.0])).tolist()
    [2.0]
    """
    checked_positive([variance, length], name="variance and length")
    # larger powers are not positive definite (Schoenberg); NaN fails too
    if not 0.0 < power <= 2.0:
        raise ConfigError(f"power must be in (0, 2], or the kernel is not positive definite: got {power!r}.")
    return lambda s, t: variance * np.exp(-((np.abs(s - t) / length) ** power))


def rbf(*, length: float, variance: float = 1.0, nugget: float = 1e-4) -> Kernel:
    """Squared-exponential kernel ``variance * exp(-(s - t)^2 / (2 length^2)) + nugget * [s = t]``.

    Parameters
    ----------
    length : float, positive
        In periods.
    variance : float, positive
    nugget : float, positive
        Variance of independent noise in every period; without it the matrix is singular to rounding.

    Raises
    ------
    ConfigError
        If a parameter is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> rbf(length=4.0, nugget=0.5)(np.array([1.0]), np.array([1.0])).tolist()
    [1.5]
    """
    checked_positive([variance, length, nugget], name="variance, length and nugget")
    return lambda s, t: variance * np.exp(-0.5 * ((s - t) / length) ** 2) + nugget * (s == t)


@final
@dataclass(frozen=True, eq=False)
class KernelProcess:
    """Centred Gaussian process of one asset, ``Cov(x_s, x_t) = kernel(s, t)`` for periods 1, 2, ...

    Parameters
    ----------
    kernel : callable
        Takes two broadcastable float64 arrays of times and returns covariances of the broadcast shape;
        `powered_exponential` and `rbf` make usual ones.

    Raises
    ------
    ConfigError
        If ``kernel`` is not callable.
    ShapeError
        (on use) if it does not return one covariance per pair of times.
    DataError
        (on use) if the matrix is not symmetric positive definite.

    References
    ----------
    Rasmussen, Williams (2006), "Gaussian Processes for Machine Learning", chapter 4.

    Examples
    --------
    >>> process = KernelProcess(powered_exponential(variance=1.0, length=1.0, power=1.0))
    >>> process.covariance(2).round(4).tolist()
    [[1.0, 0.3679], [0.3679, 1.0]]
    """

    kernel: Kernel

    def __post_init__(self) -> None:
        if not callable(self.kernel):
            raise ConfigError(
                f"kernel must be a function of two arrays of times: got {self.kernel!r}. Use rbf(length=4.0)."
            )

    @property
    def n_assets(self) -> int:
        """Number of assets: one."""
        return 1

    def mean(self, horizon: int) -> NDArray[np.float64]:
        """Mean path, zeros of shape (horizon, 1)."""
        return np.zeros((whole_number(horizon, "horizon"), 1))

    def covariance(self, horizon: int) -> NDArray[np.float64]:
        """Covariance of the path, shape (horizon, horizon)."""
        times = np.arange(1.0, whole_number(horizon, "horizon") + 1.0)
        matrix = np.asarray(self.kernel(times[:, None], times[None, :]), dtype=np.float64)
        if matrix.shape != (horizon, horizon):
            raise ShapeError(
                f"kernel must return a covariance per pair of times: expected {(horizon, horizon)}, got {matrix.shape}."
            )
        return matrix

    def sample(self, n_paths: int, horizon: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent paths of shape (n_paths, horizon, 1), float64."""
        return GaussianPath.of(self, horizon).sample(n_paths, horizon, rng=rng)

    def conditional_law(self, past: ArrayLike) -> GaussianLaw:
        """Exact Gaussian law of the next period; past of shape (B, t, 1), t may be 0."""
        seen = checked_past(past, 1)
        return GaussianPath.of(self, seen.shape[1] + 1).conditional_law(seen)
