"""The interface of one-step conditional laws: density, sampling, exact noised score and velocity.

A law is batched over B pasts: it is the law of the next coordinate ``z`` in R^N given each of them.
Diffusion noises it to ``u = cos(tau) z + sin(tau) eps`` with ``eps ~ N(0, I)`` and the angle ``tau``
in (0, pi/2]; ``noised_score`` is the gradient of the log density of ``u`` and ``velocity`` is
``F(u, tau) = E[cos(tau) eps - sin(tau) z | u]``, what a perfectly trained network would answer.

Implemented by `GaussianLaw`, `GaussianMixtureLaw` and `StudentTLaw`, one file each.
"""

import math
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import ConfigError, DataError, ShapeError

# float32 rounding of pi / 2 exceeds it by 4e-8, and the formulas are smooth there
_LARGEST_ANGLE = math.pi / 2 + 1e-7


class ConditionalLaw(Protocol):
    """Law of the next coordinate given each of B pasts."""

    @property
    def mean(self) -> NDArray[np.float64]:
        """Conditional mean, shape (B, N)."""
        ...

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Conditional covariance, shape (B, N, N)."""
        ...

    def log_density(self, x: ArrayLike) -> NDArray[np.float64]:
        """Log density at one point per past: (B, N) to (B,)."""
        ...

    def marginal_cdf(self, x: ArrayLike) -> NDArray[np.float64]:
        """Distribution function of each single margin: (B, N) to (B, N)."""
        ...

    def sample(self, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """One independent draw per past, shape (B, N)."""
        ...

    def noised_score(self, u: ArrayLike, tau: ArrayLike) -> NDArray[np.float64]:
        """Score of the law of ``cos(tau) z + sin(tau) eps`` at ``u``: (B, N) to (B, N)."""
        ...

    def velocity(self, u: ArrayLike, tau: ArrayLike) -> NDArray[np.float64]:
        """``E[cos(tau) eps - sin(tau) z | u]``: (B, N) to (B, N)."""
        ...


def checked_mean(mean: ArrayLike, *, name: str = "mean") -> NDArray[np.float64]:
    """Return a finite (B, N) float64 array.

    Raises
    ------
    ShapeError, DataError
        If it does not have two axes (past, asset), or is not finite.

    Examples
    --------
    >>> checked_mean([[0.0, 1.0]]).shape
    (1, 2)
    """
    values = np.array(mean, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] == 0:
        raise ShapeError(f"{name} must have axes (past, asset): got shape {values.shape}. For one asset use [:, None].")
    if not np.isfinite(values).all():
        raise DataError(f"{name} must be finite: {int((~np.isfinite(values)).sum())} entries are not.")
    return values


def checked_points(x: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return points as float64 of exactly the shape (B, N) of the law.

    Raises
    ------
    ShapeError, DataError
        If the shape differs (nothing is broadcast silently), or values are not finite.

    Examples
    --------
    >>> checked_points([[0.0, 1.0]], (1, 2)).dtype
    dtype('float64')
    """
    values = np.asarray(x, dtype=np.float64)
    if values.shape != shape:
        raise ShapeError(
            f"points must have one row per past and one column per asset: expected {shape}, got {values.shape}."
        )
    if not np.isfinite(values).all():
        raise DataError(f"points must be finite: {int((~np.isfinite(values)).sum())} entries are not.")
    return values


def angle_columns(tau: ArrayLike, n_pasts: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosine and sine of a noise angle, as columns that broadcast against (B, N).

    Parameters
    ----------
    tau : float or array of shape (B,)
        Radians in (0, pi/2].
    n_pasts : int

    Returns
    -------
    cosine, sine : ndarray of shape (1, 1) or (B, 1), float64

    Raises
    ------
    ShapeError
        If ``tau`` is neither a number nor one number per past.
    ConfigError
        If an angle is outside (0, pi/2].

    Examples
    --------
    >>> cosine, sine = angle_columns(0.5, 3)
    >>> cosine.shape
    (1, 1)
    """
    angle = np.asarray(tau, dtype=np.float64)
    if angle.shape not in {(), (n_pasts,)}:
        raise ShapeError(f"tau must be one number or one per past: expected () or {(n_pasts,)}, got {angle.shape}.")
    # written so that NaN fails
    if not ((angle > 0.0) & (angle <= _LARGEST_ANGLE)).all():
        raise ConfigError(
            f"tau must be in (0, pi/2] radians, 0 is clean data and pi/2 pure noise: got {angle.min():.6g} to "
            f"{angle.max():.6g}."
        )
    column = angle.reshape(-1, 1)
    return np.cos(column), np.sin(column)


def rotate(vectors: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply matrices (..., N, N) to vectors (..., N).

    Examples
    --------
    >>> rotate(np.eye(2), np.array([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """
    return np.matmul(vectors, points[..., None])[..., 0]
