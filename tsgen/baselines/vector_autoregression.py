"""`VectorAutoregression`: returns that depend linearly on their own and each other's recent past."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray
from statsmodels.tsa.api import VAR

from tsgen.baselines.addressed_draws import AddressedDraws, blockwise_product
from tsgen.baselines.fitted_baseline import FittedBaseline, check_choice
from tsgen.baselines.iid_gaussian import gaussian_factor
from tsgen.baselines.training_data import TrainingData, check_not_collinear, training_data
from tsgen.errors import DataError
from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet
from tsgen.whole_numbers import whole_number

# an estimate beyond is pulled back: simulated paths must not explode
LARGEST_RADIUS = 0.999
_LONGEST_BURN_IN = 500


class _Regression(NamedTuple):
    """Intercept (asset,), coefficients (lag, asset, asset) and residual rows (row, asset) of one order."""

    intercept: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    residuals: NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class VectorAutoregression(FittedBaseline):
    """``x_t = intercept + sum_k A_k x_{t-k} + e_t``, ``e_t`` Gaussian or drawn from the residuals, whole rows.

    Attributes
    ----------
    intercept : ndarray of shape (asset,), float64
    coefficients : ndarray of shape (lag, asset, asset), float64
        ``A_1, A_2, ...``; row = asset that is moved. No lags if the criterion found none.
    covariance : ndarray of shape (asset, asset), float64
        Of the residuals (unbiased), for Gaussian ones.
    residual_rows : ndarray of shape (row, asset), float64
        Centred residuals; one row of zeros if they are Gaussian.
    last_rows : ndarray of shape (lag, asset), float64
        The most recent training returns, oldest first; zeros if it was trained on paths.
    residuals : {"gaussian", "bootstrap"}

    Notes
    -----
    Conditional on history: its last ``lag`` rows; rows that a short history lacks are set to the long-run mean.
    Trained on paths and without history it starts in its stationary law.

    References
    ----------
    Luetkepohl (2005), "New Introduction to Multiple Time Series Analysis", sections 3.2 (least squares), 4.3 (BIC).

    Examples
    --------
    >>> import pandas as pd
    >>> values = np.random.default_rng(0).normal(0.0, 0.01, size=(120, 2))
    >>> frame = pd.DataFrame(values, columns=["A", "B"], index=pd.bdate_range("2024-01-01", periods=120))
    >>> baseline = VectorAutoregression.fit(ReturnPanel(frame, kind="log"), max_order=2)
    >>> baseline.sample(3, 5, seed=0).returns.shape
    (3, 5, 2)
    """

    name: ClassVar[str] = "vector_autoregression"
    intercept: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    residual_rows: NDArray[np.float64]
    last_rows: NDArray[np.float64]
    residuals: str

    @classmethod
    def fit(
        cls,
        data: ReturnPanel | ScenarioSet,
        *,
        max_order: int = 5,
        order: int | None = None,
        residuals: Literal["gaussian", "bootstrap"] = "gaussian",
    ) -> Self:
        """Least squares, order by the Bayesian information criterion.

        Parameters
        ----------
        data : ReturnPanel or ScenarioSet
        max_order : int
            Largest order considered; 0 is always a candidate.
        order : int, optional
            Fixed order, at least 0, instead of the criterion.
        residuals : {"gaussian", "bootstrap"}

        Raises
        ------
        ConfigError
            If ``data`` is of another type, an order is out of range or ``residuals`` unknown.
        DataError
            If there are too few rows for the largest order.
        """
        check_choice(residuals, ("gaussian", "bootstrap"), name="residuals")
        largest = whole_number(max_order, "max_order") if order is None else whole_number(order, "order", least=0)
        n_assets = len(data.assets) if isinstance(data, (ReturnPanel, ScenarioSet)) else 1
        needed = 2 * (n_assets * largest + 1) + n_assets + largest
        training = training_data(data, n_rows=needed, purpose=f"fit a vector autoregression of order {largest}")
        check_not_collinear(training, purpose="fit a vector autoregression")
        _check_paths(training, largest, n_assets)
        regression, notes = _selected(training, largest, order)
        coefficients, intercept = _stable(regression, notes)
        used = regression.residuals
        covariance = used.T @ used / (len(used) - n_assets * len(coefficients) - 1)
        kept = used - used.mean(axis=0) if residuals == "bootstrap" else np.zeros((1, n_assets))
        lags = len(coefficients)
        last = (
            training.values[0, training.values.shape[1] - lags :] if training.is_panel else np.zeros((lags, n_assets))
        )
        return cls(
            record=training.record.with_notes(notes),
            intercept=intercept,
            coefficients=coefficients,
            covariance=covariance,
            residual_rows=kept,
            last_rows=last,
            residuals=residuals,
        )

    def long_run_mean(self) -> NDArray[np.float64]:
        """``(I - A_1 - A_2 - ...)^-1 intercept``, shape (asset,)."""
        return np.linalg.solve(np.eye(len(self.intercept)) - self.coefficients.sum(axis=0), self.intercept)

    def _simulate(self, draws: AddressedDraws, horizon: int, past: NDArray[np.float64] | None) -> NDArray[np.float64]:
        n_assets = len(self.intercept)
        factor = gaussian_factor(self.covariance)
        lags = np.tile(self._first_lags(past), (draws.n_rows, 1, 1))
        if past is None and self.record.trained_on == "paths":
            for t in range(periods_to_forget(self.coefficients)):
                lags = self._with_next(lags, self._shocks(draws, "burn_in", t, factor))
        paths = np.empty((draws.n_rows, horizon, n_assets))
        for t in range(horizon):
            lags = self._with_next(lags, self._shocks(draws, "shock", t, factor))
            paths[:, t] = lags[:, -1]
        return paths

    def _first_lags(self, past: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """The ``max(lag, 1)`` most recent rows, oldest first."""
        order = len(self.coefficients)
        mean = np.tile(self.long_run_mean(), (max(order, 1), 1))
        known = past if past is not None else self.last_rows
        if past is None and self.record.trained_on == "paths":
            return mean
        return np.concatenate([mean, known])[len(known) :]

    def _shocks(
        self, draws: AddressedDraws, purpose: str, period: int, factor: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if self.residuals == "bootstrap":
            return self.residual_rows[draws.integers(purpose, period=period, below=len(self.residual_rows))]
        return blockwise_product(draws.normals(purpose, period=period, width=len(factor)), factor)

    def _with_next(self, lags: NDArray[np.float64], shocks: NDArray[np.float64]) -> NDArray[np.float64]:
        following = self.intercept + shocks
        for k, coefficient in enumerate(self.coefficients):
            following = following + blockwise_product(lags[:, -1 - k], coefficient.T)
        return np.concatenate([lags[:, 1:], following[:, None]], axis=1)


def _check_paths(training: TrainingData, largest: int, n_assets: int) -> None:
    length = training.values.shape[1]
    if not training.is_panel and len(training.pooled) - largest * len(training.values) <= 2 * (n_assets * largest + 1):
        raise DataError(
            f"paths of {length} periods leave too few rows after {largest} lags. Pass more or longer paths, or a "
            "smaller max_order."
        )


def _selected(training: TrainingData, largest: int, order: int | None) -> tuple[_Regression, list[str]]:
    if order is not None:
        return _regression(training, order), []
    if training.is_panel and training.values.shape[2] > 1:
        order = int(VAR(training.values[0]).select_order(largest).selected_orders["bic"])
    else:
        # as statsmodels does for one series: all orders on the same rows
        scores = [_criterion(_path_regression(training.values[:, largest - p :], p)) for p in range(largest + 1)]
        order = int(np.argmin(scores))
    notes = [f"order {order} selected by BIC from 0 to {largest}"]
    return _regression(training, order), notes


def _criterion(regression: _Regression) -> float:
    """BIC: log determinant of the residual covariance plus the penalty per coefficient."""
    n_rows, n_assets = regression.residuals.shape
    n_coefficients = n_assets * (n_assets * len(regression.coefficients) + 1)
    covariance = regression.residuals.T @ regression.residuals / n_rows
    return float(np.linalg.slogdet(covariance)[1]) + math.log(n_rows) / n_rows * n_coefficients


def _regression(training: TrainingData, order: int) -> _Regression:
    # statsmodels knows one series and at least one lag
    if not training.is_panel or order == 0 or training.values.shape[2] == 1:
        return _path_regression(training.values, order)
    fitted = VAR(training.values[0]).fit(order, trend="c")
    return _Regression(np.asarray(fitted.intercept), np.asarray(fitted.coefs), np.asarray(fitted.resid))


def _path_regression(paths: NDArray[np.float64], order: int) -> _Regression:
    """Least squares pooled over paths of shape (path, time, asset)."""
    n_paths, length, n_assets = paths.shape
    lagged = [paths[:, order - k : length - k].reshape(-1, n_assets) for k in range(order + 1)]
    design = np.concatenate([np.ones((n_paths * (length - order), 1)), *lagged[1:]], axis=1)
    solution = np.linalg.lstsq(design, lagged[0], rcond=None)[0]
    coefficients = solution[1:].reshape(order, n_assets, n_assets).transpose(0, 2, 1).astype(np.float64)
    return _Regression(solution[0], coefficients, lagged[0] - design @ solution)


def spectral_radius(coefficients: NDArray[np.float64]) -> float:
    """Largest modulus of the eigenvalues of the companion matrix: below 1 the process is stable.

    Examples
    --------
    >>> spectral_radius(np.array([[[0.5]]]))
    0.5
    """
    order, n_assets, _ = coefficients.shape
    if order == 0:
        return 0.0
    companion = np.eye(order * n_assets, k=-n_assets)
    companion[:n_assets] = coefficients.transpose(1, 0, 2).reshape(n_assets, -1)
    return float(np.abs(np.linalg.eigvals(companion)).max())


def _stable(regression: _Regression, notes: list[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients and intercept, pulled back to a stable process if the estimate is not one."""
    radius = spectral_radius(regression.coefficients)
    if radius < LARGEST_RADIUS:
        return regression.coefficients, regression.intercept
    shrink = LARGEST_RADIUS / radius
    notes.append(
        f"estimated process is not stable (spectral radius {radius:.4f}); coefficients of lag k times {shrink:.4f}^k"
    )
    powers = shrink ** np.arange(1, len(regression.coefficients) + 1)
    return regression.coefficients * powers[:, None, None], regression.intercept


def periods_to_forget(coefficients: NDArray[np.float64]) -> int:
    """Periods after which a start is forgotten to one part in a thousand, at most 500.

    Examples
    --------
    >>> periods_to_forget(np.array([[[0.5]]]))  # one lag, and 0.5^10 is below 1/1000
    11
    """
    radius = spectral_radius(coefficients)
    if radius == 0.0:
        return 0
    return min(_LONGEST_BURN_IN, len(coefficients) + math.ceil(math.log(1e-3) / math.log(radius)))
