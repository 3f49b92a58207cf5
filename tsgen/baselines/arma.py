"""`Arma`: each asset its own ARMA(p, q), with shocks that are drawn jointly."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from tsgen.baselines.addressed_draws import AddressedDraws, blockwise_product
from tsgen.baselines.fitted_baseline import FittedBaseline, check_choice
from tsgen.baselines.hannan_rissanen import fit_arma
from tsgen.baselines.iid_gaussian import gaussian_factor
from tsgen.baselines.training_data import TrainingData, training_data
from tsgen.baselines.vector_autoregression import periods_to_forget
from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet


class _State(NamedTuple):
    """Centred values and innovations of the last periods, most recent first: (..., lag, asset)."""

    values: NDArray[np.float64]
    innovations: NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Arma(FittedBaseline):
    """``x_t - m = sum_i phi_i (x_{t-i} - m) + e_t + sum_j theta_j e_{t-j}`` per asset, ``e_t`` jointly drawn.

    Attributes
    ----------
    mean : ndarray of shape (asset,), float64
    phi : ndarray of shape (p, asset), float64
        Zeros above the order selected for an asset.
    theta : ndarray of shape (q, asset), float64
    covariance : ndarray of shape (asset, asset), float64
        Of the innovations, for Gaussian ones.
    innovation_rows : ndarray of shape (row, asset), float64
        Centred innovations; one row of zeros if they are Gaussian.
    last_values, last_innovations : ndarray of shape (p, asset), (q, asset)
        Centred state at the end of the training panel, most recent first; zeros if trained on paths.
    innovations : {"gaussian", "bootstrap"}

    Notes
    -----
    Conditional on history: it is filtered from its first date on with zero innovations before it. Trained on paths
    and without history it starts in its stationary law. Assets do not lead each other; for that use
    `VectorAutoregression`.

    References
    ----------
    Box, Jenkins (1970), "Time Series Analysis". Hannan, Rissanen (1982), Biometrika 69 (estimation).

    Examples
    --------
    >>> import pandas as pd
    >>> values = np.random.default_rng(0).normal(0.0, 0.01, size=(120, 2))
    >>> frame = pd.DataFrame(values, columns=["A", "B"], index=pd.bdate_range("2024-01-01", periods=120))
    >>> baseline = Arma.fit(ReturnPanel(frame, kind="log"))
    >>> baseline.sample(3, 5, seed=0).returns.shape
    (3, 5, 2)
    """

    name: ClassVar[str] = "arma"
    mean: NDArray[np.float64]
    phi: NDArray[np.float64]
    theta: NDArray[np.float64]
    covariance: NDArray[np.float64]
    innovation_rows: NDArray[np.float64]
    last_values: NDArray[np.float64]
    last_innovations: NDArray[np.float64]
    innovations: str

    @classmethod
    def fit(
        cls,
        data: ReturnPanel | ScenarioSet,
        *,
        max_p: int = 2,
        max_q: int = 2,
        innovations: Literal["gaussian", "bootstrap"] = "gaussian",
    ) -> Self:
        """Hannan-Rissanen regressions; orders per asset by the Bayesian information criterion.

        Parameters
        ----------
        data : ReturnPanel or ScenarioSet
            At least 50 rows; paths of at least 10 periods.
        max_p, max_q : int
            Largest orders, 0 to 5 each.
        innovations : {"gaussian", "bootstrap"}

        Raises
        ------
        ConfigError
            If ``data`` is of another type, an order is out of range or ``innovations`` unknown.
        DataError
            If there are too few rows, or paths are too short.
        """
        check_choice(innovations, ("gaussian", "bootstrap"), name="innovations")
        for name, order in (("max_p", max_p), ("max_q", max_q)):
            if isinstance(order, bool) or not isinstance(order, (int, np.integer)) or not 0 <= order <= 5:
                raise ConfigError(f"{name} must be an integer from 0 to 5: got {order!r}.")
        training = training_data(data, n_rows=50, purpose="fit ARMA models")
        mean = training.pooled.mean(axis=0)
        phi, theta, notes = _fitted(training, mean, max_p, max_q)
        centred = training.values - mean
        filtered = filtered_innovations(centred, phi, theta)
        # the first innovations of a path know too little of its past
        settled = filtered[:, min(20, filtered.shape[1] // 4) :].reshape(-1, len(mean))
        settled = settled - settled.mean(axis=0)
        ends = _state_after(centred[0], filtered[0], max_p, max_q)
        if not training.is_panel:
            ends = _State(np.zeros((max_p, len(mean))), np.zeros((max_q, len(mean))))
        return cls(
            record=training.record.with_notes(notes),
            mean=mean,
            phi=phi,
            theta=theta,
            covariance=settled.T @ settled / (len(settled) - 1),
            innovation_rows=settled if innovations == "bootstrap" else np.zeros((1, len(mean))),
            last_values=ends.values,
            last_innovations=ends.innovations,
            innovations=innovations,
        )

    def _simulate(self, draws: AddressedDraws, horizon: int, past: NDArray[np.float64] | None) -> NDArray[np.float64]:
        state = _State(self.last_values, self.last_innovations)
        if past is not None:
            centred = past - self.mean
            filtered = filtered_innovations(centred[None], self.phi, self.theta)[0]
            state = _state_after(centred, filtered, len(self.phi), len(self.theta))
        state = _State(*(np.tile(part, (draws.n_rows, 1, 1)) for part in state))
        factor = gaussian_factor(self.covariance)
        if past is None and self.record.trained_on == "paths":
            diagonal = self.phi[:, :, None] * np.eye(len(self.mean))
            for t in range(len(self.theta) + periods_to_forget(diagonal)):
                _, state = self._step(state, self._shocks(draws, "burn_in", t, factor))
        paths = np.empty((draws.n_rows, horizon, len(self.mean)))
        for t in range(horizon):
            value, state = self._step(state, self._shocks(draws, "shock", t, factor))
            paths[:, t] = self.mean + value
        return paths

    def _shocks(
        self, draws: AddressedDraws, purpose: str, period: int, factor: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if self.innovations == "bootstrap":
            return self.innovation_rows[draws.integers(purpose, period=period, below=len(self.innovation_rows))]
        return blockwise_product(draws.normals(purpose, period=period, width=len(factor)), factor)

    def _step(self, state: _State, shocks: NDArray[np.float64]) -> tuple[NDArray[np.float64], _State]:
        value = shocks + (self.phi * state.values).sum(axis=1) + (self.theta * state.innovations).sum(axis=1)
        return value, _State(_pushed(state.values, value), _pushed(state.innovations, shocks))


def _pushed(lags: NDArray[np.float64], newest: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([newest[:, None], lags], axis=1)[:, : lags.shape[1]]


def _state_after(values: NDArray[np.float64], innovations: NDArray[np.float64], p: int, q: int) -> _State:
    """State after one path of shape (time, asset), zeros before its start."""
    zeros = np.zeros((max(p, q), values.shape[1]))
    return _State(
        np.concatenate([zeros, values])[::-1][:p].copy(), np.concatenate([zeros, innovations])[::-1][:q].copy()
    )


def filtered_innovations(
    centred: NDArray[np.float64], phi: NDArray[np.float64], theta: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``e_t = x_t - sum phi_i x_{t-i} - sum theta_j e_{t-j}``, zeros before the start.

    Parameters
    ----------
    centred : ndarray of shape (path, time, asset)
    phi, theta : ndarray of shape (p, asset), (q, asset)

    Returns
    -------
    ndarray of shape (path, time, asset), float64

    Examples
    --------
    >>> filtered_innovations(np.array([[[1.0], [1.0]]]), np.array([[0.5]]), np.empty((0, 1))).ravel().tolist()
    [1.0, 0.5]
    """
    result = np.empty_like(centred)
    for i in range(centred.shape[2]):
        numerator, denominator = np.concatenate([[1.0], -phi[:, i]]), np.concatenate([[1.0], theta[:, i]])
        result[:, :, i] = lfilter(numerator, denominator, centred[:, :, i], axis=1)
    return result


def _fitted(
    training: TrainingData, mean: NDArray[np.float64], max_p: int, max_q: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    _, length, n_assets = training.values.shape
    if length < 10 + 2 * (max_p + max_q):
        raise DataError(
            f"paths of at least {10 + 2 * (max_p + max_q)} periods are needed to fit ARMA({max_p}, {max_q}): got "
            f"{length}. Pass longer paths or smaller orders."
        )
    # Gomez and Maravall's rule is log(n)^2; short paths allow less
    long_order = max(max_p, max_q, 1, min(math.floor(math.log(training.record.n_observations) ** 2), length // 4))
    phi, theta = np.zeros((max_p, n_assets)), np.zeros((max_q, n_assets))
    orders = []
    for i in range(n_assets):
        best = fit_arma(training.values[:, :, i] - mean[i], max_p=max_p, max_q=max_q, long_order=long_order)[0]
        phi[: len(best.phi), i] = best.phi
        theta[: len(best.theta), i] = best.theta
        orders.append(f"{training.record.assets[i]} ({len(best.phi)}, {len(best.theta)})")
    return phi, theta, ["orders (p, q) selected by BIC: " + ", ".join(orders)]
