"""Value at risk and expected shortfall of daily forecasts on the scorecard, judged by stand-ins.

The statistics are those of `value_at_risk_tests`, `expected_shortfall_tests` and `joint_var_es_score`, averaged
over assets and test portfolios. Their null is simulated from the forecasts themselves with all dependence between
series, so neither asymptotics nor the finite number of scenarios can make a right model fail.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from tsgen.errors import DataError
from tsgen.evaluation.expected_shortfall_tests import z1_statistic, z2_statistic
from tsgen.evaluation.forecast_pool import ForecastPool, judged_metric
from tsgen.evaluation.joint_var_es_score import joint_var_es_score
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.pooled_ensemble import TailForecast
from tsgen.evaluation.value_at_risk_tests import (
    duration_statistic,
    independence_statistic,
    kupiec_statistic,
)

VAR_GROUP = "value at risk"
ES_GROUP = "expected shortfall"
VAR_LEVELS = (0.95, 0.975, 0.99)
ES_LEVELS = (0.975,)


def value_at_risk_metrics(pool: ForecastPool, *, levels: tuple[float, ...] = VAR_LEVELS) -> list[MetricResult]:
    """Coverage, independence, conditional coverage and duration tests of value at risk.

    Parameters
    ----------
    pool : ForecastPool
    levels : tuple of float

    Returns
    -------
    list of MetricResult
        Group "value at risk": likelihood ratios averaged over series, larger is worse. A record without enough
        exceedances for a test counts zero, in the realised world as among the stand-ins.

    Raises
    ------
    ConfigError
        If the pool has no tails at a level.

    Examples
    --------
    >>> from tsgen.evaluation.daily_forecasts import DailyForecasts
    >>> from tsgen.evaluation.forecast_pool import pool_forecasts
    >>> rng = np.random.default_rng(0)
    >>> forecasts = DailyForecasts(
    ...     dates=pd.bdate_range("2024-01-01", periods=300), series=("A",),
    ...     realised=2.0 * rng.standard_normal((300, 1)), scenarios=rng.standard_normal((300, 99, 1)),
    ... )
    >>> results = value_at_risk_metrics(pool_forecasts(forecasts, rng=rng, levels=(0.95,)), levels=(0.95,))
    >>> results[0].metric, results[0].verdict
    ('VaR 95% Kupiec', 'above floor')
    """
    results: list[MetricResult] = []
    for level in levels:
        tail = pool.tail(level)
        hits = tail.losses > tail.var
        rejected = int((chi2.sf(kupiec_statistic(hits[:, 0], level=level), 1) < 0.05).sum())
        notes = {
            "Kupiec": f"exceeded on {hits[:, 0].mean():.2%} of days, promised {1.0 - level:.2%}; asymptotically "
            f"rejected for {rejected} of {hits.shape[2]} series"
        }
        prefix = f"VaR {100 * level:g}%"
        results += [
            judged_metric((hits,), statistic, group=VAR_GROUP, metric=f"{prefix} {name}", note=notes.get(name, ""))
            for name, statistic in _hit_statistics(level).items()
        ]
    return results


def expected_shortfall_metrics(pool: ForecastPool, *, levels: tuple[float, ...] = ES_LEVELS) -> list[MetricResult]:
    """Acerbi-Szekely statistics and the joint score of value at risk and expected shortfall.

    Parameters
    ----------
    pool : ForecastPool
    levels : tuple of float

    Returns
    -------
    list of MetricResult
        Group "expected shortfall": sizes of Z1 and Z2 averaged over series (the signed average is in the note, negative
        means risk is understated) and the Fissler-Ziegel score (reported; lower is better).

    Raises
    ------
    ConfigError
        If the pool has no tails at a level.
    DataError
        If a forecast shortfall is not positive: the loss scale of the tests does not exist then.

    Examples
    --------
    >>> from tsgen.evaluation.daily_forecasts import DailyForecasts
    >>> from tsgen.evaluation.forecast_pool import pool_forecasts
    >>> rng = np.random.default_rng(0)
    >>> forecasts = DailyForecasts(
    ...     dates=pd.bdate_range("2024-01-01", periods=300), series=("A",),
    ...     realised=2.0 * rng.standard_normal((300, 1)), scenarios=rng.standard_normal((300, 99, 1)),
    ... )
    >>> results = expected_shortfall_metrics(pool_forecasts(forecasts, rng=rng, levels=(0.975,)))
    >>> [(r.metric, r.verdict) for r in results]
    [('ES 97.5% Z1', 'above floor'), ('ES 97.5% Z2', 'above floor'), ('ES 97.5% joint score', 'report')]
    """
    results: list[MetricResult] = []
    for level in levels:
        tail = pool.tail(level)
        _check_shortfall(tail, level)
        name = f"ES {100 * level:g}%"
        realised = TailForecast(*(a[:, 0] for a in tail))
        sizes = {
            "Z1": (_size_of_z1, np.nan_to_num(z1_statistic(*realised)).mean()),
            "Z2": (partial(_size_of_z2, level=level), z2_statistic(*realised, level=level).mean()),
        }
        for test, (statistic, signed) in sizes.items():
            note = f"signed average {signed:+.3f}; negative: risk is understated"
            results.append(judged_metric(tail, statistic, group=ES_GROUP, metric=f"{name} {test}", note=note))
        score = judged_metric(tail, partial(_mean_score, level=level), group=ES_GROUP, metric=f"{name} joint score")
        results.append(replace(score, verdict="report", p_value=None))
    return results


def daily_scores(pool: ForecastPool) -> pd.DataFrame:
    """Proper scores of every date, averaged over series: the records on which models are compared.

    Returns
    -------
    DataFrame of shape (date, score), float64
        Columns "CRPS" and "joint VaR-ES score 97.5%" (if the pool has these tails); lower is better.

    Examples
    --------
    >>> from tsgen.evaluation.daily_forecasts import DailyForecasts
    >>> from tsgen.evaluation.forecast_pool import pool_forecasts
    >>> rng = np.random.default_rng(0)
    >>> forecasts = DailyForecasts(
    ...     dates=pd.bdate_range("2024-01-01", periods=60), series=("A",),
    ...     realised=rng.standard_normal((60, 1)), scenarios=rng.standard_normal((60, 99, 1)),
    ... )
    >>> list(daily_scores(pool_forecasts(forecasts, rng=rng)).columns)
    ['CRPS', 'joint VaR-ES score 97.5%']
    """
    scores = {"CRPS": pool.crps[:, 0].mean(axis=1)}
    for level in ES_LEVELS:
        if level in pool.tails:
            tail = pool.tail(level)
            _check_shortfall(tail, level)
            scores[f"joint VaR-ES score {100 * level:g}%"] = _scores(*(a[:, 0] for a in tail), level=level).mean(axis=1)
    return pd.DataFrame(scores, index=pool.dates)


def _hit_statistics(level: float) -> dict[str, Callable[[NDArray[np.bool_]], NDArray[np.float64]]]:
    coverage = partial(kupiec_statistic, level=level)
    return {
        "Kupiec": coverage,
        "independence": independence_statistic,
        "conditional coverage": lambda hits: coverage(hits) + independence_statistic(hits),
        "duration": lambda hits: np.nan_to_num(duration_statistic(hits)),
    }


def _size_of_z1(losses: NDArray[np.float64], var: NDArray[np.float64], es: NDArray[np.float64]) -> NDArray[np.float64]:
    # no exceedance, nothing to say on their size: zero, for the realised returns and for stand-ins alike
    return np.nan_to_num(np.abs(z1_statistic(losses, var, es)))


def _size_of_z2(
    losses: NDArray[np.float64], var: NDArray[np.float64], es: NDArray[np.float64], *, level: float
) -> NDArray[np.float64]:
    return np.abs(z2_statistic(losses, var, es, level=level))


def _scores(
    losses: NDArray[np.float64], var: NDArray[np.float64], es: NDArray[np.float64], *, level: float
) -> NDArray[np.float64]:
    flat = joint_var_es_score(losses.ravel(), var.ravel(), es.ravel(), level=level)
    return flat.reshape(losses.shape)


def _mean_score(
    losses: NDArray[np.float64], var: NDArray[np.float64], es: NDArray[np.float64], *, level: float
) -> NDArray[np.float64]:
    return _scores(losses, var, es, level=level).mean(axis=0)


def _check_shortfall(tail: TailForecast, level: float) -> None:
    if tail.es.min() <= 0.0:
        raise DataError(
            f"the forecast expected shortfall at {level:g} is not positive on some date: the smallest is "
            f"{tail.es.min():.4g}, even the worst scenarios are gains. Check the sign and the units of the returns."
        )
