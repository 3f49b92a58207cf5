"""Markov-switching autoregression: regimes, with an exact Gaussian-mixture conditional law by the Hamilton filter."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import DataError, ShapeError
from tsgen.marketdata.known_processes.gaussian_mixture_law import GaussianMixtureLaw
from tsgen.marketdata.known_processes.known_process import (
    checked_past,
    checked_positive,
    checked_vector,
)
from tsgen.marketdata.known_processes.student_t_ar import checked_initial_values
from tsgen.whole_numbers import whole_number


@final
@dataclass(frozen=True, eq=False)
class MarkovSwitchingAr:
    """``x_t = intercept_{s_t} + sum_i phi_{s_t, i} x_{t-i} + sd_{s_t} e_t``, hidden regime ``s_t``, one asset.

    The regime of the first period is drawn from the stationary law of the chain.

    Parameters
    ----------
    transition : array of shape (J, J)
        ``transition[i, j]`` = probability of regime ``j`` next period, given ``i``: rows sum to one
        (statsmodels prints the transpose).
    intercepts : array of shape (J,)
        Intercepts, not means: regime j alone has mean ``intercept_j / (1 - sum_i phi_{j, i})``.
    phi : array of shape (J, p), p may be 0
        Autoregressive coefficients per regime.
    sds : array of shape (J,)
        Standard deviations of the innovations, positive.
    initial_values : array of shape (p,), optional
        Values before the first period, most recent last; zeros by default.

    Raises
    ------
    ShapeError
        If shapes disagree.
    DataError
        If values are not finite, rows of ``transition`` are no probabilities, or its stationary law is not unique.
    ConfigError
        If a standard deviation is not positive.

    References
    ----------
    Hamilton (1994), "Time Series Analysis", equations 22.4.5 and 22.4.6 (filter).

    Examples
    --------
    >>> import numpy as np
    >>> process = MarkovSwitchingAr([[0.9, 0.1], [0.3, 0.7]], [0.0, 0.0], [[0.2], [0.0]], [1.0, 3.0])
    >>> process.stationary_probabilities.round(6).tolist()
    [0.75, 0.25]
    >>> process.conditional_law(np.full((1, 3, 1), 8.0)).weights.round(3).tolist()
    [[0.3, 0.7]]
    """

    transition: ArrayLike
    intercepts: ArrayLike
    phi: ArrayLike
    sds: ArrayLike
    initial_values: ArrayLike | None = None

    def __post_init__(self) -> None:
        transition = checked_transition(self.transition)
        regimes = transition.shape[0]
        intercepts = checked_vector(self.intercepts, name="intercepts")
        sds = checked_positive(self.sds, name="sds")
        phi = np.array(self.phi, dtype=np.float64)
        if intercepts.shape != (regimes,) or sds.shape != (regimes,) or phi.ndim != 2 or phi.shape[0] != regimes:
            raise ShapeError(
                f"every regime needs an intercept, a row of phi and an sd: expected ({regimes},), ({regimes}, p), "
                f"({regimes},), got {intercepts.shape}, {phi.shape}, {sds.shape}."
            )
        if not np.isfinite(phi).all():
            raise DataError("phi must be finite: some entries are not.")
        assign = object.__setattr__
        assign(self, "transition", transition)
        assign(self, "intercepts", intercepts)
        assign(self, "phi", phi)
        assign(self, "sds", sds)
        assign(self, "initial_values", checked_initial_values(self.initial_values, phi.shape[1]))

    @property
    def n_assets(self) -> int:
        """Number of assets: one."""
        return 1

    @property
    def stationary_probabilities(self) -> NDArray[np.float64]:
        """Stationary law of the regime, shape (J,)."""
        return _stationary_probabilities(np.asarray(self.transition))

    def _locations(self, history: NDArray[np.float64]) -> NDArray[np.float64]:
        """Conditional mean per regime (B, J), from a history (B, t) that begins with the initial values."""
        phi = np.asarray(self.phi)
        return np.asarray(self.intercepts) + history[:, history.shape[1] - phi.shape[1] :][:, ::-1] @ phi.T

    def sample(self, n_paths: int, horizon: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent paths of shape (n_paths, horizon, 1), float64."""
        count, periods = whole_number(n_paths, "n_paths"), whole_number(horizon, "horizon")
        initial, sds = np.asarray(self.initial_values), np.asarray(self.sds)
        cumulated = np.cumsum(np.asarray(self.transition), axis=1)
        rows, last = np.arange(count), sds.size - 1
        level = rng.random((count, periods))
        noise = rng.standard_normal((count, periods))
        start = np.cumsum(self.stationary_probabilities)
        history = np.empty((count, initial.size + periods))
        history[:, : initial.size] = initial
        regime = np.zeros(count, dtype=np.int64)
        for t in range(periods):
            bounds = start if t == 0 else cumulated[regime]
            # rounding may leave the last bound below one
            regime = np.minimum((bounds <= level[:, t, None]).sum(axis=1), last)
            now = initial.size + t
            history[:, now] = self._locations(history[:, :now])[rows, regime] + sds[regime] * noise[:, t]
        return history[:, initial.size :, None]

    def predicted_probabilities(self, past: ArrayLike) -> NDArray[np.float64]:
        """Probabilities of the next period's regime given the past, by the Hamilton filter.

        Parameters
        ----------
        past : array of shape (B, t, 1), float64

        Returns
        -------
        ndarray of shape (B, J), float64
        """
        seen = checked_past(past, 1)
        initial, sds = np.asarray(self.initial_values), np.asarray(self.sds)
        history = np.concatenate([np.tile(initial, (seen.shape[0], 1)), seen[:, :, 0]], axis=1)
        predicted = np.tile(self.stationary_probabilities, (seen.shape[0], 1))
        for now in range(initial.size, history.shape[1]):
            standardised = (history[:, now, None] - self._locations(history[:, :now])) / sds
            with np.errstate(divide="ignore"):  # an impossible regime has weight exp(-inf) = 0
                logs = np.log(predicted) - np.log(sds) - 0.5 * standardised**2
            filtered = np.exp(logs - logs.max(axis=1, keepdims=True))
            predicted = (filtered / filtered.sum(axis=1, keepdims=True)) @ np.asarray(self.transition)
        return predicted / predicted.sum(axis=1, keepdims=True)

    def conditional_law(self, past: ArrayLike) -> GaussianMixtureLaw:
        """Exact Gaussian-mixture law of the next period; past of shape (B, t, 1), t may be 0."""
        seen = checked_past(past, 1)
        initial = np.asarray(self.initial_values)
        history = np.concatenate([np.tile(initial, (seen.shape[0], 1)), seen[:, :, 0]], axis=1)
        return GaussianMixtureLaw(
            weights=self.predicted_probabilities(seen),
            means=self._locations(history)[:, :, None],
            covariances=np.asarray(self.sds)[:, None, None] ** 2,
        )


def checked_transition(transition: ArrayLike) -> NDArray[np.float64]:
    """Return a finite (J, J) transition matrix whose rows are probabilities and whose stationary law is unique.

    Raises
    ------
    ShapeError
        If it is not square.
    DataError
        If rows are no probabilities, or there is more than one closed class of regimes.

    Examples
    --------
    >>> checked_transition([[0.5, 0.5], [0.1, 0.9]]).shape
    (2, 2)
    """
    values = np.array(transition, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or values.size == 0:
        raise ShapeError(f"transition must be a square matrix: got shape {values.shape}.")
    # NaN fails the first test
    if not (values >= 0.0).all() or (np.abs(values.sum(axis=1) - 1.0) > 1e-9).any():
        raise DataError(
            f"rows of transition must be probabilities of the next regime: they sum to {values.sum(axis=1).tolist()}. "
            "Transpose it if its columns sum to one."
        )
    # 1 is a simple eigenvalue exactly if there is one closed class
    if np.linalg.matrix_rank(values - np.eye(values.shape[0]), tol=1e-10) < values.shape[0] - 1:
        raise DataError("transition must have one stationary law: some regimes never reach each other. Connect them.")
    return values


def _stationary_probabilities(transition: NDArray[np.float64]) -> NDArray[np.float64]:
    size = transition.shape[0]
    system = np.vstack([transition.T - np.eye(size), np.ones(size)])
    solution = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)[0]
    # a transient regime has probability zero up to the rounding of the solver
    clean = np.where(np.abs(solution) < 1e-14, 0.0, solution)
    return clean / clean.sum()
