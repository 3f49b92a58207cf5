"""Forecast calibration with daily re-conditioning: whether what happened is a typical draw from what was forecast.

The probability integral transforms (PIT) of a right forecast are uniform and independent over dates. Tested are
their law (Kolmogorov-Smirnov, Anderson-Darling), mean, spread and memory (Berkowitz), the memory of their
distance from the middle (volatility that comes late), and the coverage of central intervals. The continuous ranked
probability score ranks models. Floors and p-values come from stand-ins, see `forecast_pool`.
"""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import chi2, kstwo

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.daily_forecasts import MIN_DATES, MIN_SCENARIOS, series_of
from tsgen.evaluation.forecast_pool import ForecastPool, judged_metric
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.model_comparison import BLOCK, MIN_BLOCKS, block_standard_error
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.pooled_ensemble import PooledEnsemble
from tsgen.return_kind import convert_returns

GROUP = "forecast calibration"
COVERAGES = (0.5, 0.9)
_CLUSTERING_LAGS = 5


class UniformityTest(NamedTuple):
    """Tests of uniform probability integral transforms of one record."""

    kolmogorov_smirnov: float
    kolmogorov_smirnov_p_value: float
    """Exact."""
    anderson_darling: float
    anderson_darling_p_value: float
    """By simulation of uniform records of the same length."""


class BerkowitzTest(NamedTuple):
    """Joint test of mean 0, variance 1 and no first-order memory of normal scores."""

    statistic: float
    p_value: float
    mean: float
    standard_deviation: float
    autocorrelation: float


def kolmogorov_smirnov(pit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest distance of the empirical from the uniform distribution function; (date, ...) to (...)."""
    n = pit.shape[0]
    ordered = np.sort(pit, axis=0)
    steps = np.arange(1, n + 1).reshape(-1, *([1] * (pit.ndim - 1))) / n
    return np.maximum((steps - ordered).max(axis=0), (ordered - steps + 1.0 / n).max(axis=0))


def anderson_darling(pit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Anderson-Darling distance from the uniform law, tails weighted up; (date, ...) to (...)."""
    n = pit.shape[0]
    ordered = np.sort(pit, axis=0)
    weights = (2.0 * np.arange(1, n + 1) - 1.0).reshape(-1, *([1] * (pit.ndim - 1)))
    return -n - (weights * (np.log(ordered) + np.log1p(-ordered[::-1]))).sum(axis=0) / n


def berkowitz_statistic(pit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Likelihood ratio of a Gaussian AR(1) against white standard normal scores; (date, ...) to (...)."""
    _, _, _, residual, scores = _normal_score_fit(pit)
    n = scores.shape[0] - 1
    variance = (residual**2).mean(axis=0)
    # both likelihoods condition on the first score
    return (scores[1:] ** 2).sum(axis=0) - n * (np.log(variance) + 1.0)


def clustering_statistic(pit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ljung-Box statistic (5 lags) of the squared distance of the PIT from 1/2; (date, ...) to (...).

    Large if surprises come in clusters: the forecast of volatility is late or absent.
    """
    n = pit.shape[0]
    distance = (2.0 * pit - 1.0) ** 2
    deviation = distance - distance.mean(axis=0)
    variance = (deviation**2).sum(axis=0)
    total = np.zeros(pit.shape[1:])
    for lag in range(1, _CLUSTERING_LAGS + 1):
        total += ((deviation[lag:] * deviation[:-lag]).sum(axis=0) / variance) ** 2 / (n - lag)
    return n * (n + 2.0) * total


def uniformity_test(pit: ArrayLike, *, rng: np.random.Generator, simulations: int = 999) -> UniformityTest:
    """Test one record of probability integral transforms for the uniform law.

    Parameters
    ----------
    pit : array of shape (date,), float64, strictly between 0 and 1
        From a finite ensemble: randomised ranks, `PooledEnsemble.randomised_pit`. Plain ranks are discrete, and both
        tests would reject a right forecast.
    rng : numpy.random.Generator
    simulations : int
        Uniform records behind the Anderson-Darling p-value, at least 19.

    Raises
    ------
    ShapeError, DataError
        If ``pit`` is no record of at least 20 values strictly between 0 and 1, or constant.
    ConfigError
        If there are fewer than 19 simulations.

    References
    ----------
    Diebold, Gunther, Tay (1998), "Evaluating density forecasts", International Economic Review 39.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> uniformity_test(rng.random(500) ** 1.5, rng=rng).anderson_darling_p_value
    0.001
    """
    record = _checked_pit(pit)
    if isinstance(simulations, bool) or not isinstance(simulations, (int, np.integer)) or simulations < 19:
        raise ConfigError(f"simulations must be an integer of at least 19 for a p-value of 5 %: got {simulations!r}.")
    ks, ad = float(kolmogorov_smirnov(record)), float(anderson_darling(record))
    null = anderson_darling(rng.random((record.size, simulations)))
    ad_p = float((1 + (null >= ad).sum()) / (1 + simulations))
    return UniformityTest(ks, float(kstwo.sf(ks, record.size)), ad, ad_p)


def berkowitz_test(pit: ArrayLike) -> BerkowitzTest:
    """Berkowitz's test: normal scores of the PIT have mean 0, variance 1 and no memory.

    Parameters
    ----------
    pit : array of shape (date,), float64, strictly between 0 and 1

    Raises
    ------
    ShapeError, DataError
        If ``pit`` is no record of at least 20 values strictly between 0 and 1, or constant.

    References
    ----------
    Berkowitz (2001), "Testing density forecasts, with applications to risk management", JBES 19, equation 7
    (chi-squared with 3 degrees of freedom).

    Examples
    --------
    >>> berkowitz_test(np.random.default_rng(0).random(1000)).p_value > 0.01
    True
    """
    record = _checked_pit(pit)
    statistic = float(berkowitz_statistic(record))
    mean, slope, spread, _, _ = _normal_score_fit(record)
    return BerkowitzTest(statistic, float(chi2.sf(statistic, 3)), float(mean), float(spread), float(slope))


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


def _normal_score_fit(pit: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Stationary mean, slope and deviation of an AR(1) of the normal scores, its residuals and the scores."""
    scores = ndtri(pit)
    before, now = scores[:-1], scores[1:]
    centred = before - before.mean(axis=0)
    slope = (centred * now).sum(axis=0) / (centred**2).sum(axis=0)
    residual = now - now.mean(axis=0) - slope * centred
    return scores.mean(axis=0), slope, scores.std(axis=0), residual, scores


def _checked_pit(pit: ArrayLike) -> NDArray[np.float64]:
    record = np.asarray(pit, dtype=np.float64)
    if record.ndim != 1 or record.size < 20:
        raise ShapeError(f"pit must be one record of at least 20 dates, shape (date,): got shape {record.shape}.")
    if not ((record > 0.0) & (record < 1.0)).all():
        raise DataError(
            "pit must lie strictly between 0 and 1 on every date: some values do not. Ranks of a finite ensemble must "
            "be randomised, see PooledEnsemble.randomised_pit."
        )
    if np.ptp(record) == 0.0:
        raise DataError(f"pit is {record[0]:.6g} on all {record.size} dates: a constant series has no law to test.")
    return record
