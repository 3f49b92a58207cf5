"""Forecast calibration with daily re-conditioning: whether what happened is a typical draw from what was forecast.

The probability integral transforms (PIT) of a right forecast are uniform and independent over dates. Tested are
their law (Kolmogorov-Smirnov, Anderson-Darling), mean, spread and memory (Berkowitz), the memory of their
distance from the middle (volatility that comes late), and the coverage of central intervals. The continuous ranked
probability score ranks models. Floors and p-values come from stand-ins, see `forecast_pool`.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError, DataError
from tsgen.evaluation.daily_forecasts import MIN_DATES, MIN_SCENARIOS, series_of
from tsgen.evaluation.forecast_pool import ForecastPool, judged_metric
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.model_comparison import BLOCK, MIN_BLOCKS, block_standard_error
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.pooled_ensemble import PooledEnsemble
from tsgen.evaluation.uniformity_tests import (
    UniformityTest,
    anderson_darling,
    berkowitz_statistic,
    clustering_statistic,
    kolmogorov_smirnov,
    uniformity_test,
)
from tsgen.return_kind import convert_returns

GROUP = "forecast calibration"
COVERAGES = (0.5, 0.9)


def coverage_error(pit: NDArray[np.float64], *, coverage: float) -> NDArray[np.float64]:
    """Distance of the share inside the central interval from its promise; (date, ...) to (...)."""
    if not 0.0 < coverage < 1.0:
        raise ConfigError(f"coverage must be a share between 0 and 1, for example 0.9: got {coverage!r}.")
    # a missing value would count as outside
    if not np.isfinite(pit).all():
        raise DataError(f"pit must be finite: {int((~np.isfinite(pit)).sum())} values are not.")
    return np.abs(_inside(pit, coverage).mean(axis=0) - coverage)


def forecast_calibration_metrics(pool: ForecastPool) -> list[MetricResult]:
    """Calibration of daily one-step forecasts, averaged over assets and test portfolios.

    Returns
    -------
    list of MetricResult
        Group "forecast calibration"; larger is worse. The CRPS is reported, not judged: its floor is what the forecast
        expects of itself.

    Examples
    --------
    >>> import pandas as pd
    >>> from tsgen.evaluation.daily_forecasts import DailyForecasts
    >>> from tsgen.evaluation.forecast_pool import pool_forecasts
    >>> rng = np.random.default_rng(0)
    >>> forecasts = DailyForecasts(
    ...     dates=pd.bdate_range("2024-01-01", periods=200), series=("A",),
    ...     realised=2.0 * rng.standard_normal((200, 1)), scenarios=rng.standard_normal((200, 40, 1)),
    ... )
    >>> results = forecast_calibration_metrics(pool_forecasts(forecasts, rng=rng, levels=(0.95,)))
    >>> results[1].metric, results[1].verdict
    ('PIT Anderson-Darling', 'above floor')
    """
    named = (
        ("PIT Kolmogorov-Smirnov", kolmogorov_smirnov),
        ("PIT Anderson-Darling", anderson_darling),
        ("PIT Berkowitz", berkowitz_statistic),
        ("PIT clustering", clustering_statistic),
    )
    results = [judged_metric((pool.pit,), statistic, group=GROUP, metric=name) for name, statistic in named]
    results += [
        judged_metric(
            (pool.pit,),
            partial(coverage_error, coverage=coverage),
            group=GROUP,
            metric=f"coverage of {coverage:.0%} intervals",
            note=_coverage_note(pool.pit[:, 0], coverage),
        )
        for coverage in COVERAGES
    ]
    return [*results, _reported_score(pool)]


def horizon_calibration_metrics(windows: PairedWindows, *, rng: np.random.Generator) -> list[MetricResult]:
    """Calibration of returns cumulated over the whole horizon, on windows that do not overlap.

    Parameters
    ----------
    windows : PairedWindows
        At least 50 units and 20 scenarios.
    rng : numpy.random.Generator

    Raises
    ------
    DataError
        If there are too few units or scenarios.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> windows = PairedWindows(
    ...     realised=rng.standard_normal((60, 5, 1)), generated=rng.standard_normal((60, 30, 5, 1)),
    ...     assets=("A",), kind="log",
    ... )
    >>> [r.metric for r in horizon_calibration_metrics(windows, rng=rng)]
    ['horizon PIT Anderson-Darling', 'horizon coverage of 90% intervals', 'horizon CRPS']
    """
    if windows.n_units < MIN_DATES or windows.n_scenarios < MIN_SCENARIOS:
        raise DataError(
            f"calibration over the horizon needs at least {MIN_DATES} windows and {MIN_SCENARIOS} scenarios each: got "
            f"{windows.n_units} and {windows.n_scenarios}. Use a longer period, a shorter horizon or more scenarios."
        )
    members = np.moveaxis(windows.members, 2, 0)
    cumulated = np.expm1(convert_returns(members, from_kind=windows.kind, to_kind="log").sum(axis=0))
    values = series_of(cumulated)
    pit, crps = np.empty(values.shape), np.empty(values.shape)
    for p in range(values.shape[2]):
        realised, scenarios = values[:, 0, p], values[:, 1:, p]
        pool = PooledEnsemble.of(realised, scenarios, n_stand_ins=windows.n_scenarios, rng=rng)
        pit[:, :, p], crps[:, :, p] = pool.randomised_pit(rng=rng), pool.crps() / realised.std()
    score = judged_metric((crps,), lambda c: c.mean(axis=0), group=GROUP, metric="horizon CRPS")
    return [
        judged_metric((pit,), anderson_darling, group=GROUP, metric="horizon PIT Anderson-Darling"),
        judged_metric(
            (pit,),
            partial(coverage_error, coverage=0.9),
            group=GROUP,
            metric="horizon coverage of 90% intervals",
            note=f"{windows.horizon} periods; covered {_inside(pit[:, 0], 0.9).mean():.1%}",
        ),
        replace(score, verdict="report", p_value=None),
    ]


def uniformity_by_series(pool: ForecastPool, *, rng: np.random.Generator) -> dict[str, UniformityTest]:
    """Uniformity of the realised PIT series by series, for a reader who asks which one fails."""
    return {name: uniformity_test(pool.pit[:, 0, p], rng=rng) for p, name in enumerate(pool.series)}


def _reported_score(pool: ForecastPool) -> MetricResult:
    result = judged_metric(
        (pool.crps,),
        lambda crps: crps.mean(axis=0),
        group=GROUP,
        metric="CRPS",
        note="in standard deviations of each series; floor: what the forecast expects of itself",
    )
    return replace(result, verdict="report", p_value=None)


def _coverage_note(pit: NDArray[np.float64], coverage: float) -> str:
    daily = _inside(pit, coverage).mean(axis=1)
    note = f"covered {daily.mean():.1%}"
    if daily.size >= BLOCK * MIN_BLOCKS and np.ptp(daily) > 0.0:
        note += f" +- {block_standard_error(daily):.1%} (blocks of {BLOCK} days)"
    return note


def _inside(pit: NDArray[np.float64], coverage: float) -> NDArray[np.bool_]:
    return np.abs(pit - 0.5) <= coverage / 2.0
