"""`GaussianProcess`: jointly normal paths, with the covariance of the training paths or a stationary one."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self, final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from sklearn.covariance import LedoitWolf

from tsgen.baselines.addressed_draws import AddressedDraws, blockwise_product
from tsgen.baselines.fitted_baseline import FittedBaseline, check_choice
from tsgen.baselines.stationary_autocovariance import linear_predictor, noise_share, pooled_autocovariances
from tsgen.baselines.training_data import TrainingData, check_not_collinear, training_data
from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet
from tsgen.whole_numbers import whole_number

PathCovariance = Literal["shrunk", "sample", "stationary"]
DEFAULT_LAGS = 10


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class GaussianProcess(FittedBaseline):
    """Gaussian law of the whole path, sampled and conditioned period by period.

    Two forms. *Paths* ("shrunk", "sample"): mean and covariance of the (time x asset) vector, estimated from
    independent paths; the horizon is limited by their length. *Stationary* (panels always; paths with "stationary"):
    a constant mean and autocovariances up to ``lags``, shrunk towards independence over time by the share that noise
    explains; each period is drawn from its best linear prediction given the last ``lags`` periods, which is the
    Gaussian process of greatest entropy with these autocovariances, for every horizon.

    Attributes
    ----------
    mean : ndarray of shape (time, asset), float64
        One row if stationary.
    numbers : ndarray
        Paths: lower Cholesky factor of shape (time * asset, time * asset), time-major. Stationary: autocovariances
        of shape (lags + 1, asset, asset).
    last_rows : ndarray of shape (row, asset), float64
        Up to ``lags`` most recent training returns, oldest first; none if trained on paths.
    covariance : {"shrunk", "sample", "stationary"}

    Notes
    -----
    Conditional on history: all of it for paths (as their first periods), its last ``lags`` rows if stationary.

    References
    ----------
    Rasmussen, Williams (2006), "Gaussian Processes for Machine Learning", section 2.2 (conditioning). Burg (1975),
    "Maximum entropy spectral analysis" (the extension beyond the last lag). Ledoit, Wolf (2004) (shrinkage).

    Examples
    --------
    >>> import pandas as pd
    >>> values = np.random.default_rng(0).normal(0.0, 0.01, size=(120, 2))
    >>> frame = pd.DataFrame(values, columns=["A", "B"], index=pd.bdate_range("2024-01-01", periods=120))
    >>> baseline = GaussianProcess.fit(ReturnPanel(frame, kind="log"), lags=2)
    >>> baseline.sample(3, 5, seed=0).returns.shape
    (3, 5, 2)
    """

    name: ClassVar[str] = "gaussian_process"
    mean: NDArray[np.float64]
    numbers: NDArray[np.float64]
    last_rows: NDArray[np.float64]
    covariance: str

    @classmethod
    def fit(
        cls, data: ReturnPanel | ScenarioSet, *, covariance: PathCovariance | None = None, lags: int | None = None
    ) -> Self:
        """Estimate mean and covariance.

        Parameters
        ----------
        data : ReturnPanel or ScenarioSet
        covariance : {"shrunk", "sample", "stationary"}, optional
            Default: "shrunk" (Ledoit-Wolf) for paths, "stationary" for a panel, which allows nothing else.
        lags : int, optional
            Of the stationary form; default 10, for paths at most their length less one.

        Raises
        ------
        ConfigError
            If ``data`` is of another type, a choice is unknown or does not fit the data, or ``lags`` is out of range.
        DataError
            If there are too few rows or paths.
        """
        n_assets = len(data.assets) if isinstance(data, (ReturnPanel, ScenarioSet)) else 0
        training = training_data(data, n_rows=max(20, 2 * n_assets), purpose="fit a Gaussian process")
        form = covariance or ("stationary" if training.is_panel else "shrunk")
        check_choice(form, ("shrunk", "sample", "stationary"), name="covariance")
        if form == "stationary":
            return cls._fit_stationary(training, lags)
        if training.is_panel:
            raise ConfigError(f"one panel is one path: covariance={form!r} needs a ScenarioSet. Use 'stationary'.")
        if lags is not None:
            raise ConfigError("lags belongs to covariance='stationary'. Leave it out.")
        return cls._fit_paths(training, form)

    @classmethod
    def _fit_paths(cls, training: TrainingData, form: str) -> Self:
        n_paths, length, n_assets = training.values.shape
        rows = training.values.reshape(n_paths, -1)
        notes: list[str] = []
        if form == "shrunk":
            if n_paths < 2:
                raise DataError("at least 2 paths are needed to estimate the covariance of a path: got 1.")
            estimate = LedoitWolf().fit(rows)
            matrix = np.asarray(estimate.covariance_)
            notes.append(
                f"path covariance shrunk by {float(estimate.shrinkage_):.4f} towards a multiple of the identity"
            )
        else:
            matrix = np.atleast_2d(np.cov(rows, rowvar=False))
        try:
            factor = np.linalg.cholesky(matrix).astype(np.float64)
        except np.linalg.LinAlgError as error:
            raise DataError(
                f"the covariance of {n_paths} paths of {length} x {n_assets} values is not positive definite. Use "
                f"covariance='shrunk', or more than {length * n_assets} paths."
            ) from error
        return cls(
            record=training.record.with_notes(notes),
            mean=rows.mean(axis=0).reshape(length, n_assets),
            numbers=factor,
            last_rows=np.empty((0, n_assets)),
            covariance=form,
        )

    @classmethod
    def _fit_stationary(cls, training: TrainingData, lags: int | None) -> Self:
        check_not_collinear(training, purpose="fit a Gaussian process")
        length = training.values.shape[1]
        used = min(DEFAULT_LAGS, length - 1) if lags is None else whole_number(lags, "lags")
        if used >= length:
            raise ConfigError(f"lags must be below the {length} periods of the data: got {used}.")
        mean = training.pooled.mean(axis=0)
        raw = pooled_autocovariances(training.values - mean, used)
        share = noise_share(training.values - mean, used) if used else 1.0
        # a convex combination with independence over time: stays positive semi-definite
        shrunk = np.concatenate([raw[:1], (1.0 - share) * raw[1:]])
        note = f"autocovariances of lags 1 to {used} multiplied by {1.0 - share:.3f}: the rest is noise"
        return cls(
            record=training.record.with_notes([note]),
            mean=mean[None],
            numbers=shrunk,
            last_rows=training.values[0, length - used :] if training.is_panel else np.empty((0, len(mean))),
            covariance="stationary",
        )

    def _simulate(self, draws: AddressedDraws, horizon: int, past: NDArray[np.float64] | None) -> NDArray[np.float64]:
        if self.covariance == "stationary":
            return self._stationary_paths(draws, horizon, self.last_rows if past is None else past)
        return self._remaining_paths(draws, horizon, np.empty((0, len(self.assets))) if past is None else past)

    def _remaining_paths(self, draws: AddressedDraws, horizon: int, past: NDArray[np.float64]) -> NDArray[np.float64]:
        elapsed, (length, n_assets) = len(past), self.mean.shape
        if elapsed + horizon > length:
            raise ConfigError(
                f"this baseline was fitted to paths of {length} periods whose law it knows only up to there: asked for "
                f"{elapsed} + {horizon}. Ask for at most {length - elapsed}, or fit longer paths."
            )
        known = elapsed * n_assets
        deviation = (past - self.mean[:elapsed]).ravel()
        seen = solve_triangular(self.numbers[:known, :known], deviation, lower=True) if known else deviation
        noise = np.empty((draws.n_rows, horizon * n_assets))
        paths = np.empty((draws.n_rows, horizon, n_assets))
        for t in range(horizon):
            now, end = known + t * n_assets, (t + 1) * n_assets
            noise[:, end - n_assets : end] = draws.normals("shock", period=t, width=n_assets)
            rows = self.numbers[now : now + n_assets]
            expected = self.mean[elapsed + t] + rows[:, :known] @ seen
            paths[:, t] = expected + blockwise_product(noise[:, :end], rows[:, known : known + end].T)
        return paths

    def _stationary_paths(self, draws: AddressedDraws, horizon: int, past: NDArray[np.float64]) -> NDArray[np.float64]:
        lags, n_assets = len(self.numbers) - 1, len(self.assets)
        recent = (past[max(0, len(past) - lags) :] - self.mean[0])[::-1].ravel()
        window = np.tile(recent, (draws.n_rows, 1))
        predictor = linear_predictor(self.numbers, len(recent) // n_assets)
        paths = np.empty((draws.n_rows, horizon, n_assets))
        for t in range(horizon):
            k = window.shape[1] // n_assets
            if len(predictor.weights) != window.shape[1]:
                predictor = linear_predictor(self.numbers, k)
            noise = blockwise_product(draws.normals("shock", period=t, width=n_assets), predictor.factor.T)
            value = noise + blockwise_product(window, predictor.weights) if k else noise
            paths[:, t] = self.mean[0] + value
            window = np.concatenate([value, window], axis=1)[:, : lags * n_assets]
        return paths
