"""Interfaces of processes with known laws: the truth that generators and metrics are tested against.

A process gives paths of shape (path, time, asset). Most also give the exact law of the next period
given the past, and Gaussian ones the mean and covariance of the whole path.
"""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata.known_processes.conditional_laws import ConditionalLaw


class KnownProcess(Protocol):
    """A process that can be sampled exactly."""

    @property
    def n_assets(self) -> int:
        """Number of assets N."""
        ...

    def sample(self, n_paths: int, horizon: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent paths of shape (n_paths, horizon, N), float64."""
        ...


class ConditionallyKnownProcess(KnownProcess, Protocol):
    """A process whose one-step conditional law is known exactly."""

    def conditional_law(self, past: ArrayLike) -> ConditionalLaw:
        """Law of ``x_{t+1}`` given ``x_1..x_t``: past of shape (B, t, N), t may be 0."""
        ...


class GaussianPathProcess(ConditionallyKnownProcess, Protocol):
    """A process whose paths are jointly Gaussian."""

    def mean(self, horizon: int) -> NDArray[np.float64]:
        """Mean path, shape (horizon, N)."""
        ...

    def covariance(self, horizon: int) -> NDArray[np.float64]:
        """Covariance of the path, shape (horizon * N, horizon * N), time-major (assets vary fastest)."""
        ...


def checked_past(past: ArrayLike, n_assets: int) -> NDArray[np.float64]:
    """Return a finite past as float64 of shape (B, t, N); t = 0 is allowed.

    Raises
    ------
    ShapeError
        If axes are not (past, time, asset) or the number of assets differs.
    DataError
        If a value is missing or infinite.

    Examples
    --------
    >>> import numpy as np
    >>> checked_past(np.zeros((4, 0, 2)), 2).shape
    (4, 0, 2)
    """
    values = np.asarray(past, dtype=np.float64)
    if values.ndim != 3 or values.shape[2] != n_assets:
        raise ShapeError(
            f"past must have axes (past, time, asset) with {n_assets} assets: got shape {values.shape}. "
            f"An empty past is np.zeros((B, 0, {n_assets}))."
        )
    if not np.isfinite(values).all():
        raise DataError(f"past must be finite: {int((~np.isfinite(values)).sum())} values are not.")
    return values


def checked_vector(values: ArrayLike, *, name: str) -> NDArray[np.float64]:
    """Return a finite one-dimensional float64 array; a number counts as one entry.

    Raises
    ------
    ShapeError, DataError
        If it has more than one axis, or is not finite.

    Examples
    --------
    >>> checked_vector(0.5, name="phi").tolist()
    [0.5]
    """
    vector = np.atleast_1d(np.array(values, dtype=np.float64))
    if vector.ndim != 1:
        raise ShapeError(f"{name} must be one-dimensional: got shape {vector.shape}.")
    if not np.isfinite(vector).all():
        raise DataError(f"{name} must be finite: got {vector.tolist()}.")
    return vector


def checked_positive(values: ArrayLike, *, name: str) -> NDArray[np.float64]:
    """Return a one-dimensional float64 array of positive numbers.

    Raises
    ------
    ShapeError, DataError
        As `checked_vector`.
    ConfigError
        If an entry is not positive.

    Examples
    --------
    >>> checked_positive([1.0, 2.0], name="sd").tolist()
    [1.0, 2.0]
    """
    vector = checked_vector(values, name=name)
    if (vector <= 0.0).any():
        raise ConfigError(f"{name} must be positive: got {vector.tolist()}.")
    return vector
