"""Ranks, scores and tail forecasts of daily forecasts, for the realised returns and for their stand-ins.

One pass over `DailyForecasts` computes what all calibration metrics need; the scenarios can be dropped
afterwards. Position 0 of the second axis is what happened, the others are scenarios playing its part: every
metric is judged against its own value for the stand-ins. Above `pooled_ensemble`, below the metrics.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsgen.errors import ConfigError, DataError
from tsgen.evaluation.daily_forecasts import DailyForecasts
from tsgen.evaluation.metric_result import MetricResult, judge
from tsgen.evaluation.pooled_ensemble import PooledEnsemble, TailForecast

TAIL_LEVELS = (0.95, 0.975, 0.99)
N_STAND_INS = 99
# groups of dates left out in turn: enough for a standard error of a standard error of about 16 %
_JACKKNIFE_GROUPS = 20

Statistic = Callable[..., NDArray[np.float64]]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ForecastPool:
    """What calibration metrics need, axes (date, 1 + stand-in, series); build with `pool_forecasts`.

    Attributes
    ----------
    dates : DatetimeIndex of length D
    series : tuple of str
    pit : ndarray of shape (D, 1 + R, P), float64
        Randomised probability integral transforms: uniform and independent over dates if the forecast is right.
    crps : ndarray of shape (D, 1 + R, P), float64
        Fair score in units of the standard deviation of each series.
    tails : dict of float to TailForecast
        Confidence level to losses, value at risk and expected shortfall, each (D, 1 + R, P), simple returns.
    n_scenarios : int
    """

    dates: pd.DatetimeIndex
    series: tuple[str, ...]
    pit: NDArray[np.float64]
    crps: NDArray[np.float64]
    tails: dict[float, TailForecast]
    n_scenarios: int

    def at(self, chosen: NDArray[np.bool_]) -> "ForecastPool":
        """The pool of the chosen dates, a mask of shape (D,)."""
        tails = {level: TailForecast(*(array[chosen] for array in forecast)) for level, forecast in self.tails.items()}
        return ForecastPool(
            dates=self.dates[chosen],
            series=self.series,
            pit=self.pit[chosen],
            crps=self.crps[chosen],
            tails=tails,
            n_scenarios=self.n_scenarios,
        )

    def tail(self, level: float) -> TailForecast:
        """Tail forecasts at a level.

        Raises
        ------
        ConfigError
            If they were not made at this level.
        """
        if level not in self.tails:
            raise ConfigError(f"tails were made at levels {sorted(self.tails)}: got {level!r}. Pass it to the pool.")
        return self.tails[level]


def pool_forecasts(
    forecasts: DailyForecasts,
    *,
    rng: np.random.Generator,
    levels: tuple[float, ...] = TAIL_LEVELS,
    n_stand_ins: int = N_STAND_INS,
) -> ForecastPool:
    """Rank realised returns and stand-ins among the scenarios of every date.

    Parameters
    ----------
    forecasts : DailyForecasts
    rng : numpy.random.Generator
        Breaks ties and randomises ranks.
    levels : tuple of float
        Confidence levels of the tail forecasts.
    n_stand_ins : int
        At least 19; fewer are used where there are fewer scenarios.

    Returns
    -------
    ForecastPool

    Raises
    ------
    DataError
        If a level needs more scenarios.
    ConfigError
        If there are fewer than 19 stand-ins or a level is out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> forecasts = DailyForecasts(
    ...     dates=pd.bdate_range("2024-01-01", periods=60), series=("A",),
    ...     realised=rng.standard_normal((60, 1)), scenarios=rng.standard_normal((60, 40, 1)),
    ... )
    >>> pool_forecasts(forecasts, rng=rng, levels=(0.95,), n_stand_ins=20).pit.shape
    (60, 21, 1)
    """
    if n_stand_ins < 19:
        raise ConfigError(f"n_stand_ins must be at least 19 for a verdict at 5 %: got {n_stand_ins!r}.")
    members = 1 + min(n_stand_ins, forecasts.n_scenarios)
    shape = (forecasts.n_dates, members, forecasts.n_series)
    pit, crps = np.empty(shape), np.empty(shape)
    tails = {level: TailForecast(np.empty(shape), np.empty(shape), np.empty(shape)) for level in levels}
    for p in range(forecasts.n_series):
        realised = forecasts.realised[:, p]
        pool = PooledEnsemble.of(realised, forecasts.scenarios[:, :, p], n_stand_ins=members - 1, rng=rng)
        pit[:, :, p] = pool.randomised_pit(rng=rng)
        crps[:, :, p] = pool.crps() / realised.std()
        for level, forecast in tails.items():
            for target, values in zip(forecast, pool.tail(level), strict=True):
                target[:, :, p] = values
    return ForecastPool(
        dates=forecasts.dates,
        series=forecasts.series,
        pit=pit,
        crps=crps,
        tails=tails,
        n_scenarios=forecasts.n_scenarios,
    )


def judged_metric(
    arrays: tuple[NDArray[Any], ...], statistic: Statistic, *, group: str, metric: str, note: str = ""
) -> MetricResult:
    """Average a statistic over series and judge it against the stand-ins.

    Parameters
    ----------
    arrays : tuple of arrays of shape (D, 1 + R, P)
    statistic : callable
        From such arrays to (1 + R, P); larger is worse.
    group, metric, note : str

    Returns
    -------
    MetricResult
        Standard error: delete-a-group jackknife over 20 groups of neighbouring dates.

    Raises
    ------
    DataError
        If the statistic is not finite.
    """
    values = statistic(*arrays).mean(axis=1)
    if not np.isfinite(values).all():
        raise DataError(f"{group} / {metric} is not finite for some stand-in. Use more dates.")
    judgement = judge(float(values[0]), values[1:])
    return MetricResult(
        group=group,
        metric=metric,
        value=float(values[0]),
        floor=judgement.floor,
        floor_deviation=judgement.floor_deviation,
        standard_error=_jackknife_error(tuple(a[:, :1] for a in arrays), statistic),
        verdict=judgement.verdict,
        p_value=judgement.p_value,
        n=arrays[0].shape[0],
        note=note,
    )


def _jackknife_error(arrays: tuple[NDArray[Any], ...], statistic: Statistic) -> float:
    n_dates = arrays[0].shape[0]
    groups = np.arange(n_dates) * _JACKKNIFE_GROUPS // n_dates
    left_out = [
        float(statistic(*(a[groups != g] for a in arrays))[0].mean()) for g in range(min(_JACKKNIFE_GROUPS, n_dates))
    ]
    return float(np.sqrt((len(left_out) - 1) * np.var(left_out)))
