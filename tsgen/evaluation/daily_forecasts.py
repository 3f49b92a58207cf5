"""Daily re-conditioned one-step forecasts of assets and fixed portfolios, paired with what happened.

The desk's question: standing at the close of each day with the history up to it, was tomorrow's forecast
right? Series are the single assets, the equally weighted portfolio, and a few fixed long-short portfolios that
see what single assets cannot show: the forecast of dependence. All series are simple returns of one day.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsgen.errors import DataError, ShapeError
from tsgen.evaluation.dated_scenarios import SamplesScenarios, checked_dates, scenarios_at
from tsgen.marketdata import ReturnPanel
from tsgen.return_kind import convert_returns

N_LONG_SHORT = 5
EQUALLY_WEIGHTED = "equally weighted"
MIN_DATES = 50
MIN_SCENARIOS = 20


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class DailyForecasts:
    """One-step scenarios and realisations of several series at many as-of dates.

    Parameters
    ----------
    dates : DatetimeIndex of length D
        As-of dates: what is forecast is the return of the following period.
    series : tuple of str, length P
        Names of assets and portfolios.
    realised : array of shape (D, P), float64
        Simple returns, decimals per period.
    scenarios : array of shape (D, M, P), float64
        Forecast scenarios made as of each date, simple returns.

    Raises
    ------
    ShapeError
        If axes or lengths do not agree.
    DataError
        If values are not finite, a series is constant, or dates or scenarios are too few to test anything.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> forecasts = DailyForecasts(
    ...     dates=pd.bdate_range("2024-01-01", periods=60), series=("A",),
    ...     realised=rng.standard_normal((60, 1)), scenarios=rng.standard_normal((60, 40, 1)),
    ... )
    >>> forecasts.n_dates, forecasts.n_scenarios, forecasts.n_series
    (60, 40, 1)
    """

    dates: pd.DatetimeIndex
    series: tuple[str, ...]
    realised: NDArray[np.float64]
    scenarios: NDArray[np.float64]

    def __post_init__(self) -> None:
        realised = np.asarray(self.realised, dtype=np.float64)
        scenarios = np.asarray(self.scenarios, dtype=np.float64)
        expected = (len(self.dates), len(self.series))
        if realised.shape != expected:
            raise ShapeError(f"realised must have axes (date, series) = {expected}: got shape {realised.shape}.")
        if scenarios.ndim != 3 or (scenarios.shape[0], scenarios.shape[2]) != expected:
            raise ShapeError(
                f"scenarios must have axes (date, scenario, series) with {expected[0]} dates and {expected[1]} series: "
                f"got shape {scenarios.shape}."
            )
        _check_values(realised, scenarios, self.series)
        for name, value in (("realised", realised), ("scenarios", scenarios)):
            object.__setattr__(self, name, value)

    @property
    def n_dates(self) -> int:
        """Number of as-of dates D."""
        return self.scenarios.shape[0]

    @property
    def n_scenarios(self) -> int:
        """Number of scenarios per date M."""
        return self.scenarios.shape[1]

    @property
    def n_series(self) -> int:
        """Number of series P."""
        return self.scenarios.shape[2]

    def at(self, chosen: NDArray[np.bool_]) -> "DailyForecasts":
        """The forecasts of the chosen dates, a mask of shape (D,)."""
        return DailyForecasts(
            dates=self.dates[chosen],
            series=self.series,
            realised=self.realised[chosen],
            scenarios=self.scenarios[chosen],
        )

    def of(self, series: Iterable[str]) -> "DailyForecasts":
        """The forecasts of the named series, in the order given."""
        names = tuple(series)
        unknown = [name for name in names if name not in self.series]
        if unknown or not names:
            raise DataError(f"unknown series {unknown}: these forecasts have {list(self.series)}. Name at least one.")
        columns = [self.series.index(name) for name in names]
        return DailyForecasts(
            dates=self.dates, series=names, realised=self.realised[:, columns], scenarios=self.scenarios[:, :, columns]
        )


def _check_values(realised: NDArray[np.float64], scenarios: NDArray[np.float64], series: tuple[str, ...]) -> None:
    if realised.shape[0] < MIN_DATES:
        raise DataError(
            f"calibration needs at least {MIN_DATES} forecast dates, or no test has power: got {realised.shape[0]}. "
            "Evaluate a longer period."
        )
    if scenarios.shape[1] < MIN_SCENARIOS:
        raise DataError(
            f"calibration needs at least {MIN_SCENARIOS} scenarios per date: got {scenarios.shape[1]}. Sample more."
        )
    for name, values in (("realised returns", realised), ("scenarios", scenarios)):
        if not np.isfinite(values).all():
            raise DataError(
                f"{name} must be finite: {int((~np.isfinite(values)).sum())} values are not. Repair their source."
            )
    for column, name in enumerate(series):
        if np.ptp(realised[:, column]) == 0.0:
            raise DataError(f"the realised returns of {name} are constant: nothing can be tested. Leave it out.")
        if np.ptp(scenarios[:, :, column]) == 0.0:
            raise DataError(f"the scenarios of {name} are constant over dates and scenarios. Repair the generator.")


def long_short_weights(n_assets: int) -> NDArray[np.float64]:
    """Weights of the fixed long-short portfolios: the first cosine vectors of the discrete cosine transform.

    ``w_ji`` is proportional to ``cos(pi j (i + 1/2) / N)``, j = 1..min(5, N - 1): they sum to zero and are
    orthogonal to each other and to equal weights. Scaled to one unit long and one short. They depend on the
    number and order of assets only, never on data.

    Returns
    -------
    ndarray of shape (min(5, n_assets - 1), n_assets), float64

    Examples
    --------
    >>> long_short_weights(2).round(12).tolist()
    [[1.0, -1.0]]
    >>> long_short_weights(1).shape
    (0, 1)
    """
    count = min(N_LONG_SHORT, n_assets - 1)
    orders = np.arange(1, count + 1)[:, None]
    weights = np.cos(np.pi * orders * (np.arange(n_assets) + 0.5) / n_assets)
    return 2.0 * weights / np.abs(weights).sum(axis=1, keepdims=True)


def series_of(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Simple returns of assets (..., N) to those of assets and test portfolios (..., P)."""
    n_assets = returns.shape[-1]
    if n_assets == 1:
        return returns
    weights = np.vstack([np.full((1, n_assets), 1.0 / n_assets), long_short_weights(n_assets)])
    return np.concatenate([returns, returns @ weights.T], axis=-1)


def series_names(assets: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the series that `series_of` makes."""
    if len(assets) == 1:
        return assets
    long_short = tuple(f"long-short {j}" for j in range(1, min(N_LONG_SHORT, len(assets) - 1) + 1))
    return (*assets, EQUALLY_WEIGHTED, *long_short)


def forecast_daily(
    generator: SamplesScenarios,
    panel: ReturnPanel,
    dates: Iterable[Any],
    *,
    n_scenarios: int,
    seed: int,
) -> DailyForecasts:
    """Make the one-step forecasts of a generator at every date, re-conditioned daily.

    Parameters
    ----------
    generator : SamplesScenarios
    panel : ReturnPanel
        History and evaluation period together.
    dates : iterable of Timestamp
        As-of dates; each needs one further date in the panel.
    n_scenarios : int
        Value at risk at 99 % needs at least 99, its expected shortfall several times as many.
    seed : int

    Returns
    -------
    DailyForecasts
        Assets first, then the equally weighted and the long-short portfolios (one asset: the asset alone).

    Raises
    ------
    DataError
        If a date is the last of the panel, and as `scenarios_at` and `DailyForecasts`.

    Examples
    --------
    >>> from tsgen.scenario_set import ScenarioSet
    >>> class Noise:
    ...     assets, kind = ("A", "B"), "log"
    ...     def sample(self, n_scenarios, horizon, *, history=None, seed):
    ...         draws = np.random.default_rng(seed).normal(0.0, 0.01, (n_scenarios, horizon, 2))
    ...         return ScenarioSet(draws, assets=self.assets, kind=self.kind)
    >>> values = np.random.default_rng(1).normal(0.0, 0.01, (80, 2))
    >>> frame = pd.DataFrame(values, index=pd.bdate_range("2024-01-01", periods=80), columns=["A", "B"])
    >>> panel = ReturnPanel(frame, kind="log")
    >>> forecast_daily(Noise(), panel, panel.dates[20:-1], n_scenarios=50, seed=0).series
    ('A', 'B', 'equally weighted', 'long-short 1')
    """
    stamps = checked_dates(panel, dates)
    if stamps[-1] == panel.dates[-1]:
        raise DataError(
            f"the last as-of date {stamps[-1].date()} is the last date of the panel: what followed is not known. "
            "End the dates one period earlier."
        )
    following = np.asarray(panel.dates.get_indexer(stamps)) + 1
    simple = convert_returns(panel.values[following], from_kind=panel.kind, to_kind="simple")
    names = series_names(panel.assets)
    scenarios = np.empty((len(stamps), n_scenarios, len(names)))
    for row, paths in enumerate(scenarios_at(generator, panel, stamps, n_scenarios, 1, seed=seed)):
        scenarios[row] = series_of(convert_returns(paths[:, 0], from_kind=panel.kind, to_kind="simple"))
    return DailyForecasts(dates=stamps, series=names, realised=series_of(simple), scenarios=scenarios)
