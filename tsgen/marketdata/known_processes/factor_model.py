"""Gaussian factor model: many assets, few autoregressive common factors, as a process with a known path law."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata.known_processes.gaussian_law import GaussianLaw
from tsgen.marketdata.known_processes.gaussian_path import GaussianPath
from tsgen.marketdata.known_processes.known_process import (
    checked_past,
    checked_positive,
    checked_vector,
)
from tsgen.whole_numbers import whole_number


@final
@dataclass(frozen=True, eq=False)
class FactorModel:
    """``x_t = B f_t + d_t``: K independent stationary AR(1) factors of unit variance, independent noise ``d_t``.

    ``f_{k,t} = rho_k f_{k,t-1} + sqrt(1 - rho_k^2) e_{k,t}``, so that
    ``Cov(x_t, x_s) = B diag(rho^{|t-s|}) B' + [t = s] diag(idiosyncratic_sd^2)``.
    The assets alone are observed; the conditional law accounts for the hidden factors.

    Parameters
    ----------
    loadings : array of shape (N, K)
        ``B``, in units of the assets per standard deviation of a factor.
    idiosyncratic_sd : array of shape (N,)
        Standard deviations of the noise, positive.
    persistence : array of shape (K,) or float, default 0.0
        ``rho`` in (-1, 1); 0 gives independent periods.

    Raises
    ------
    ShapeError, DataError
        If shapes disagree or values are not finite.
    ConfigError
        If a standard deviation is not positive or a persistence outside (-1, 1).

    Examples
    --------
    >>> model = FactorModel(loadings=[[1.0], [2.0]], idiosyncratic_sd=[1.0, 1.0])
    >>> model.covariance(1).tolist()
    [[2.0, 2.0], [2.0, 5.0]]
    """

    loadings: ArrayLike
    idiosyncratic_sd: ArrayLike
    persistence: ArrayLike = 0.0

    def __post_init__(self) -> None:
        loadings = np.array(self.loadings, dtype=np.float64)
        if loadings.ndim != 2 or loadings.size == 0:
            raise ShapeError(f"loadings must have axes (asset, factor): got shape {loadings.shape}.")
        if not np.isfinite(loadings).all():
            raise DataError("loadings must be finite: some entries are not.")
        deviations = checked_positive(self.idiosyncratic_sd, name="idiosyncratic_sd")
        if deviations.shape != (loadings.shape[0],):
            raise ShapeError(
                f"idiosyncratic_sd must have one entry per asset: expected {(loadings.shape[0],)}, "
                f"got {deviations.shape}."
            )
        persistence = checked_vector(self.persistence, name="persistence")
        if persistence.shape not in {(1,), (loadings.shape[1],)}:
            raise ShapeError(
                f"persistence must be one number or one per factor: expected {(loadings.shape[1],)}, "
                f"got {persistence.shape}."
            )
        if (np.abs(persistence) >= 1.0).any():
            raise ConfigError(f"persistence must be in (-1, 1) for stationary factors: got {persistence.tolist()}.")
        object.__setattr__(self, "loadings", loadings)
        object.__setattr__(self, "idiosyncratic_sd", deviations)
        object.__setattr__(self, "persistence", np.broadcast_to(persistence, (loadings.shape[1],)).copy())

    @property
    def n_assets(self) -> int:
        """Number of assets N."""
        return np.asarray(self.loadings).shape[0]

    def mean(self, horizon: int) -> NDArray[np.float64]:
        """Mean path, zeros of shape (horizon, N)."""
        return np.zeros((whole_number(horizon, "horizon"), self.n_assets))

    def covariance(self, horizon: int) -> NDArray[np.float64]:
        """Covariance of the path, shape (horizon * N, horizon * N), time-major."""
        periods = np.arange(whole_number(horizon, "horizon"))
        lags = np.abs(periods[:, None] - periods[None, :])
        loadings, persistence = np.asarray(self.loadings), np.asarray(self.persistence)
        common = np.einsum("ik,tsk,jk->tisj", loadings, persistence ** lags[:, :, None], loadings, optimize=True)
        noise = np.kron(np.eye(horizon), np.diag(np.asarray(self.idiosyncratic_sd) ** 2))
        return common.reshape(noise.shape) + noise

    def sample(self, n_paths: int, horizon: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent paths of shape (n_paths, horizon, N), float64."""
        count, periods = whole_number(n_paths, "n_paths"), whole_number(horizon, "horizon")
        loadings, persistence = np.asarray(self.loadings), np.asarray(self.persistence)
        factors = rng.standard_normal((count, periods, loadings.shape[1]))
        for t in range(1, periods):
            factors[:, t] = persistence * factors[:, t - 1] + np.sqrt(1.0 - persistence**2) * factors[:, t]
        noise = rng.standard_normal((count, periods, self.n_assets)) * np.asarray(self.idiosyncratic_sd)
        return factors @ loadings.T + noise

    def conditional_law(self, past: ArrayLike) -> GaussianLaw:
        """Exact Gaussian law of the next period; past of shape (B, t, N), t may be 0."""
        seen = checked_past(past, self.n_assets)
        return GaussianPath.of(self, seen.shape[1] + 1).conditional_law(seen)
