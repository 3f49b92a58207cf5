"""Gaussian mixture as one-step conditional law: the oracle of regime-switching processes."""

import math
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, ndtr

from tsgen.errors import DataError, ShapeError
from tsgen.marketdata.known_processes.conditional_laws import angle_columns, checked_points, rotate
from tsgen.marketdata.known_processes.covariance_matrix import checked_spectrum


@final
@dataclass(frozen=True, eq=False)
class GaussianMixtureLaw:
    """Mixture of J Gaussian laws: the exact one-step law of regime-switching processes.

    Parameters
    ----------
    weights : array of shape (B, J), float64
        Non-negative, each row summing to one; a zero is allowed.
    means : array of shape (B, J, N), float64
    covariances : array broadcastable to (B, J, N, N), float64
        Positive definite; for example (J, N, N) where components do not depend on the past.

    Raises
    ------
    ShapeError, DataError
        If shapes disagree, weights are no probabilities, or a covariance is not symmetric positive definite.

    Notes
    -----
    Scores and velocities are those of the components (see `GaussianLaw`), weighted with the posterior
    probability of each component given ``u``, computed in logarithms.

    References
    ----------
    Hamilton (1989), "A new approach to the economic analysis of nonstationary time series and the business cycle".

    Examples
    --------
    >>> law = GaussianMixtureLaw(weights=[[0.5, 0.5]], means=[[[-1.0], [1.0]]], covariances=[[1.0]])
    >>> law.mean.tolist(), law.covariance.tolist()
    ([[0.0]], [[[2.0]]])
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    _spectrum: NDArray[np.float64] = field(init=False, repr=False)
    _axes: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        means = np.array(self.means, dtype=np.float64)
        if means.ndim != 3 or means.shape[1] == 0 or means.shape[2] == 0:
            raise ShapeError(f"means must have axes (past, component, asset): got shape {means.shape}.")
        if not np.isfinite(means).all():
            raise DataError(f"means must be finite: {int((~np.isfinite(means)).sum())} entries are not.")
        weights = np.array(self.weights, dtype=np.float64)
        if weights.shape != means.shape[:2]:
            raise ShapeError(
                f"weights must have one entry per past and component: expected {means.shape[:2]}, got {weights.shape}."
            )
        # summing J float64 numbers loses at most about J * 1e-16; NaN fails the first test
        if not (weights >= 0.0).all() or (np.abs(weights.sum(axis=1) - 1.0) > 1e-9).any():
            raise DataError("mixture weights must be non-negative and sum to one in every row. Divide by their sum.")
        spectrum, axes = checked_spectrum(self.covariances, name="covariances")
        full = (*means.shape, means.shape[2])
        try:
            covariances = np.broadcast_to(np.array(self.covariances, dtype=np.float64), full)
        except ValueError as error:
            raise ShapeError(
                f"covariances must broadcast to (past, component, asset, asset) = {full}: got {axes.shape}."
            ) from error
        assign = object.__setattr__
        assign(self, "weights", weights)
        assign(self, "means", means)
        assign(self, "covariances", covariances)
        assign(self, "_spectrum", spectrum)
        assign(self, "_axes", axes)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of the mixture, shape (B, N)."""
        return np.einsum("bj,bjn->bn", self.weights, self.means)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance of the mixture, shape (B, N, N): within plus between components."""
        spread = self.means - self.mean[:, None, :]
        within = np.einsum("bj,bjnm->bnm", self.weights, self.covariances)
        return within + np.einsum("bj,bjn,bjm->bnm", self.weights, spread, spread)

    def _weighted_log_densities(
        self, residual: NDArray[np.float64], variances: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Log of weight times density per component, (B, J); residuals are in the axes of the component."""
        exponent = -0.5 * (residual**2 / variances + np.log(2.0 * math.pi * variances)).sum(axis=-1)
        with np.errstate(divide="ignore"):  # log 0 = -inf is the right weight of an impossible component
            return np.log(self.weights) + exponent

    def _points(self, x: ArrayLike) -> NDArray[np.float64]:
        return checked_points(x, (self.means.shape[0], self.means.shape[2]))[:, None, :]

    def _rotated_residual(self, x: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
        return rotate(np.swapaxes(self._axes, -1, -2), x - centre)

    def log_density(self, x: ArrayLike) -> NDArray[np.float64]:
        """Log density at one point per past: (B, N) to (B,)."""
        residual = self._rotated_residual(self._points(x), self.means)
        return np.asarray(logsumexp(self._weighted_log_densities(residual, self._spectrum), axis=1))

    def marginal_cdf(self, x: ArrayLike) -> NDArray[np.float64]:
        """Distribution function of each single margin: (B, N) to (B, N)."""
        deviations = np.sqrt(np.einsum("bjnn->bjn", self.covariances))
        return np.einsum("bj,bjn->bn", self.weights, ndtr((self._points(x) - self.means) / deviations))

    def sample(self, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """One independent draw per past, shape (B, N)."""
        n_pasts, n_components, n_assets = self.means.shape
        level = rng.random((n_pasts, 1))
        # the last component takes what rounding leaves
        chosen = np.minimum((np.cumsum(self.weights, axis=1) <= level).sum(axis=1), n_components - 1)
        rows = np.arange(n_pasts)
        spectrum = np.broadcast_to(self._spectrum, self.means.shape)[rows, chosen]
        axes = np.broadcast_to(self._axes, self.covariances.shape)[rows, chosen]
        noise = rng.standard_normal((n_pasts, n_assets))
        return self.means[rows, chosen] + rotate(axes, np.sqrt(spectrum) * noise)

    def _posterior(
        self, u: ArrayLike, tau: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Posterior (B, J, 1), residual and noised variance per component, cosine and sine (B or 1, 1, 1)."""
        points = self._points(u)
        cosine, sine = (a[:, None, :] for a in angle_columns(tau, self.means.shape[0]))
        residual = self._rotated_residual(points, cosine * self.means)
        variances = cosine**2 * self._spectrum + sine**2
        logs = self._weighted_log_densities(residual, variances)
        posterior = np.exp(logs - np.asarray(logsumexp(logs, axis=1, keepdims=True)))
        return posterior[:, :, None], residual, variances, cosine, sine

    def noised_score(self, u: ArrayLike, tau: ArrayLike) -> NDArray[np.float64]:
        """Score of the law of ``cos(tau) z + sin(tau) eps``; u (B, N), tau in radians, float or (B,)."""
        posterior, residual, variances, _, _ = self._posterior(u, tau)
        return -(posterior * rotate(self._axes, residual / variances)).sum(axis=1)

    def velocity(self, u: ArrayLike, tau: ArrayLike) -> NDArray[np.float64]:
        """``E[cos(tau) eps - sin(tau) z | u]``; u (B, N), tau in radians, float or (B,)."""
        posterior, residual, variances, cosine, sine = self._posterior(u, tau)
        gain = cosine * sine * (1.0 - self._spectrum) / variances
        components = rotate(self._axes, gain * residual) - sine * self.means
        return (posterior * components).sum(axis=1)
