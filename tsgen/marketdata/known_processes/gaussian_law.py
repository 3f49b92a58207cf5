"""Gaussian one-step conditional law: the oracle of every Gaussian path, and the anchor of the generator."""

import math
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from tsgen.errors import ShapeError
from tsgen.marketdata.known_processes.conditional_laws import angle_columns, checked_mean, checked_points, rotate
from tsgen.marketdata.known_processes.covariance_matrix import checked_spectrum


@final
@dataclass(frozen=True, eq=False)
class GaussianLaw:
    """Gaussian conditional law ``N(mean, covariance)`` of the next coordinate.

    Parameters
    ----------
    mean : array of shape (B, N), float64
    covariance : array of shape (B, N, N) or (N, N), float64
        Positive definite; one matrix is shared by all pasts. Read back it always has B matrices.

    Raises
    ------
    ShapeError, DataError
        If shapes disagree, values are not finite, or a covariance is not symmetric positive definite.

    Notes
    -----
    With ``c = cos tau``, ``s = sin tau``: ``u ~ N(c m, c^2 S + s^2 I)``, score
    ``-(c^2 S + s^2 I)^{-1} (u - c m)``, velocity
    ``c s (I - S)(c^2 S + s^2 I)^{-1}(u - c m) - s m``: no division by ``s`` or ``c``, stable for every angle.

    References
    ----------
    Cao, Chen, Han, Xu, "Diffusion Models for Adaptive Sequential Data Generation", arXiv 2606.06007
    (Gaussian conditional scores); Salimans, Ho (2022), arXiv 2202.00512 (velocity).

    Examples
    --------
    >>> law = GaussianLaw(mean=[[0.0]], covariance=[[1.0]])
    >>> law.velocity([[0.3]], 0.7).tolist()  # standard normal data: nothing to learn
    [[0.0]]
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    _spectrum: NDArray[np.float64] = field(init=False, repr=False)
    _axes: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        mean = checked_mean(self.mean)
        n_pasts, n_assets = mean.shape
        covariance = np.array(self.covariance, dtype=np.float64)
        if covariance.shape not in {(n_assets, n_assets), (n_pasts, n_assets, n_assets)}:
            raise ShapeError(
                f"covariance must match the mean: expected {(n_assets, n_assets)} or "
                f"{(n_pasts, n_assets, n_assets)}, got {covariance.shape}."
            )
        spectrum, axes = checked_spectrum(covariance, name="covariance")
        assign = object.__setattr__
        assign(self, "mean", mean)
        assign(self, "covariance", np.broadcast_to(covariance, (n_pasts, n_assets, n_assets)))
        assign(self, "_spectrum", spectrum)
        assign(self, "_axes", axes)

    def _rotated_residual(self, x: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
        return rotate(np.swapaxes(self._axes, -1, -2), x - centre)

    def log_density(self, x: ArrayLike) -> NDArray[np.float64]:
        """Log density at one point per past: (B, N) to (B,)."""
        points = checked_points(x, self.mean.shape)
        residual = self._rotated_residual(points, self.mean)
        return -0.5 * (residual**2 / self._spectrum + np.log(2.0 * math.pi * self._spectrum)).sum(axis=-1)

    def marginal_cdf(self, x: ArrayLike) -> NDArray[np.float64]:
        """Distribution function of each single margin: (B, N) to (B, N)."""
        points = checked_points(x, self.mean.shape)
        return ndtr((points - self.mean) / np.sqrt(np.einsum("bnn->bn", self.covariance)))

    def sample(self, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """One independent draw per past, shape (B, N)."""
        noise = rng.standard_normal(self.mean.shape)
        return self.mean + rotate(self._axes, np.sqrt(self._spectrum) * noise)

    def noised_score(self, u: ArrayLike, tau: ArrayLike) -> NDArray[np.float64]:
        """Score of the law of ``cos(tau) z + sin(tau) eps``; u (B, N), tau in radians, float or (B,)."""
        points = checked_points(u, self.mean.shape)
        cosine, sine = angle_columns(tau, self.mean.shape[0])
        residual = self._rotated_residual(points, cosine * self.mean)
        return -rotate(self._axes, residual / (cosine**2 * self._spectrum + sine**2))

    def velocity(self, u: ArrayLike, tau: ArrayLike) -> NDArray[np.float64]:
        """``E[cos(tau) eps - sin(tau) z | u]``; u (B, N), tau in radians, float or (B,)."""
        points = checked_points(u, self.mean.shape)
        cosine, sine = angle_columns(tau, self.mean.shape[0])
        residual = self._rotated_residual(points, cosine * self.mean)
        gain = cosine * sine * (1.0 - self._spectrum) / (cosine**2 * self._spectrum + sine**2)
        return rotate(self._axes, gain * residual) - sine * self.mean
