"""Calibration in quiet, normal and stressed times, with labels that were known when the forecast was made.

A model may be right on average and wrong when it matters. The label of a date compares the volatility of the last
weeks with all such volatilities up to that date: nothing later than the date is used, so a desk could have split
its forecasts in the same way.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.daily_forecasts import MIN_DATES
from tsgen.evaluation.dated_scenarios import checked_dates
from tsgen.evaluation.forecast_calibration import coverage_error
from tsgen.evaluation.forecast_pool import ForecastPool, judged_metric
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.uniformity_tests import anderson_darling
from tsgen.marketdata import ReturnPanel
from tsgen.return_kind import convert_returns

REGIMES = ("quiet", "normal", "stressed")
GROUP = "forecast calibration"
WINDOW = 60
MIN_HISTORY = 250


def regime_labels(
    panel: ReturnPanel, dates: Iterable[Any], *, window: int = WINDOW, min_history: int = MIN_HISTORY
) -> NDArray[np.str_]:
    """Label as-of dates by the tercile of trailing volatility among all trailing volatilities so far.

    Parameters
    ----------
    panel : ReturnPanel
        History and evaluation period; volatility is that of the equally weighted portfolio.
    dates : iterable of Timestamp
        As-of dates, strictly increasing, of the panel.
    window : int
        Periods of trailing volatility.
    min_history : int
        Trailing volatilities needed before the first label.

    Returns
    -------
    ndarray of shape (date,), str
        "quiet", "normal" or "stressed".

    Raises
    ------
    DataError
        If the history before the first date is too short, or dates are unknown.
    ConfigError
        If ``window`` or ``min_history`` is below 2.

    Examples
    --------
    >>> import pandas as pd
    >>> values = np.random.default_rng(0).standard_normal((200, 1)) * np.repeat([0.01, 0.03], [150, 50])[:, None]
    >>> frame = pd.DataFrame(values, index=pd.bdate_range("2024-01-01", periods=200), columns=["A"])
    >>> panel = ReturnPanel(frame, kind="simple")
    >>> regime_labels(panel, panel.dates[[-1]], window=20, min_history=50).tolist()
    ['stressed']
    """
    for name, number in (("window", window), ("min_history", min_history)):
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 2:
            raise ConfigError(f"{name} must be an integer of at least 2 periods: got {number!r}.")
    stamps = checked_dates(panel, dates)
    rows = panel.dates.get_indexer(stamps)
    if rows[0] + 1 < window + min_history - 1:
        raise DataError(
            f"regime labels need {window + min_history - 1} periods up to the first as-of date: got {rows[0] + 1}. "
            "Start later, or give a longer panel."
        )
    market = convert_returns(panel.values, from_kind=panel.kind, to_kind="simple").mean(axis=1)
    squares = np.concatenate([[0.0], np.cumsum(market**2)])
    # entry i is the variance over the window that ends on row i + window - 1
    trailing = squares[window:] - squares[:-window]
    ends = rows - window + 1
    ranks = np.array([float((trailing[: end + 1] <= trailing[end]).mean()) for end in ends])
    return np.array(REGIMES)[(ranks > 1.0 / 3.0).astype(int) + (ranks > 2.0 / 3.0)]


def usable_regimes(labels: NDArray[np.str_]) -> tuple[str, ...]:
    """Regimes with enough dates to be judged (50).

    Examples
    --------
    >>> usable_regimes(np.repeat(["quiet", "stressed"], [60, 10]))
    ('quiet',)
    """
    return tuple(regime for regime in REGIMES if int((labels == regime).sum()) >= MIN_DATES)


def regime_calibration_metrics(pool: ForecastPool, labels: NDArray[np.str_]) -> list[MetricResult]:
    """Uniformity and coverage of the forecasts made in each regime.

    Parameters
    ----------
    pool : ForecastPool
    labels : array of shape (date,), str
        From `regime_labels`, one per date of the pool.

    Returns
    -------
    list of MetricResult
        For every regime of `usable_regimes`; group "forecast calibration".

    Raises
    ------
    ShapeError
        If there is not one label per date.
    DataError
        If a label is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> from tsgen.evaluation.daily_forecasts import DailyForecasts
    >>> from tsgen.evaluation.forecast_pool import pool_forecasts
    >>> rng = np.random.default_rng(0)
    >>> forecasts = DailyForecasts(
    ...     dates=pd.bdate_range("2024-01-01", periods=120), series=("A",),
    ...     realised=rng.standard_normal((120, 1)), scenarios=rng.standard_normal((120, 40, 1)),
    ... )
    >>> pool = pool_forecasts(forecasts, rng=rng, levels=(0.95,))
    >>> [r.metric for r in regime_calibration_metrics(pool, np.repeat(["quiet", "stressed"], 60))]
    ['PIT, quiet', 'coverage of 90%, quiet', 'PIT, stressed', 'coverage of 90%, stressed']
    """
    if labels.shape != (len(pool.dates),):
        raise ShapeError(f"labels must name every forecast date: expected {(len(pool.dates),)}, got {labels.shape}.")
    unknown = sorted(set(labels.tolist()) - set(REGIMES))
    if unknown:
        raise DataError(f"regime labels must be among {', '.join(REGIMES)}: got {unknown}. Use regime_labels.")
    results: list[MetricResult] = []
    for regime in usable_regimes(labels):
        pit = pool.pit[labels == regime]
        covered = (np.abs(pit[:, 0] - 0.5) <= 0.45).mean()
        results += [
            judged_metric((pit,), anderson_darling, group=GROUP, metric=f"PIT, {regime}"),
            judged_metric(
                (pit,),
                partial(coverage_error, coverage=0.9),
                group=GROUP,
                metric=f"coverage of 90%, {regime}",
                note=f"covered {covered:.1%}",
            ),
        ]
    return results
