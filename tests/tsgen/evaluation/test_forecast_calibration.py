"""Forecast calibration: statistics against other libraries and closed forms, size under the truth, power."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tsgen.errors import ConfigError, DataError
from tsgen.evaluation.daily_forecasts import DailyForecasts, series_names, series_of
from tsgen.evaluation.forecast_calibration import (
    coverage_error,
    forecast_calibration_metrics,
    horizon_calibration_metrics,
    uniformity_by_series,
)
from tsgen.evaluation.forecast_pool import judged_metric, pool_forecasts
from tsgen.evaluation.metric_result import results_by_name
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.tail_risk_metrics import daily_scores, expected_shortfall_metrics, value_at_risk_metrics
from tsgen.evaluation.uniformity_tests import (
    berkowitz_statistic,
    clustering_statistic,
)

N_DATES, N_SCENARIOS, N_ASSETS = 300, 99, 3


def make_forecasts(law="true", *, seed=0, n_dates=N_DATES):
    """A market with slow volatility, Student-t(5) shocks and correlation 1/2, and forecasts right or wrong."""
    rng = np.random.default_rng(seed)
    factor = np.linalg.cholesky(0.5 * np.eye(N_ASSETS) + 0.5)
    volatility = 0.01 * np.exp(0.8 * np.sin(np.arange(n_dates) / 12.0))
    scale = {
        "delayed volatility": np.roll(volatility, 25),
        "too narrow": 0.7 * volatility,
        "too wide": 1.4 * volatility,
    }.get(law, volatility)[:, None, None]
    shape = (n_dates, N_SCENARIOS, N_ASSETS)
    shocks = rng.standard_normal(shape) * np.sqrt(5 / 3) if law == "thin tails" else rng.standard_t(5, shape)
    mixing = np.eye(N_ASSETS) if law == "no correlation" else factor
    realised = volatility[:, None] * (rng.standard_t(5, (n_dates, N_ASSETS)) @ factor.T)
    return DailyForecasts(
        dates=pd.bdate_range("2020-01-01", periods=n_dates),
        series=series_names(("A", "B", "C")),
        realised=series_of(realised),
        scenarios=series_of(scale * (shocks @ mixing.T)),
    )


@cache
def metrics_of(law, seed=0, n_dates=N_DATES):
    pool = pool_forecasts(make_forecasts(law, seed=seed, n_dates=n_dates), rng=np.random.default_rng(seed))
    results = [*forecast_calibration_metrics(pool), *value_at_risk_metrics(pool), *expected_shortfall_metrics(pool)]
    return results_by_name(results), daily_scores(pool)


def test_statistics_have_their_size():
    pit = np.random.default_rng(0).random((400, 4000))
    # 4000 records: 5 % +- 0.35 %; the asymptotic laws are off by about as much at 400 dates
    assert abs((berkowitz_statistic(pit) > stats.chi2.ppf(0.95, 3)).mean() - 0.05) < 0.015
    assert abs((clustering_statistic(pit) > stats.chi2.ppf(0.95, 5)).mean() - 0.05) < 0.015
    assert coverage_error(pit, coverage=0.9).mean() == pytest.approx(np.sqrt(2 / np.pi * 0.09 / 400), rel=0.05)


def test_a_true_forecast_is_at_its_floor():
    results, _ = metrics_of("true")
    above = [name for name, r in results.items() if r.verdict == "above floor"]
    # 20 judged metrics, many of them alike: more than 4 rejections of 4 % each are beyond one in a hundred
    assert len(above) <= 4, above


@pytest.mark.parametrize(
    ("law", "detectors"),
    [
        ("too narrow", ["PIT Anderson-Darling", "coverage of 90% intervals", "VaR 97.5% Kupiec", "ES 97.5% Z2"]),
        ("too wide", ["PIT Anderson-Darling", "coverage of 90% intervals", "PIT Berkowitz", "VaR 95% Kupiec"]),
        ("delayed volatility", ["PIT clustering", "VaR 95% duration"]),
        ("no correlation", ["PIT Anderson-Darling", "coverage of 90% intervals"]),
    ],
)
def test_wrong_forecasts_are_found(law, detectors):
    results, _ = metrics_of(law)
    assert {name: results[name].verdict for name in detectors} == dict.fromkeys(detectors, "above floor")


def test_thin_tails_are_found_by_the_size_of_losses():
    results, _ = metrics_of("thin tails", n_dates=1500)
    assert results["ES 97.5% Z1"].verdict == "above floor"
    assert "negative" in results["ES 97.5% Z1"].note
    assert results["coverage of 50% intervals"].verdict == "above floor"


def test_scores_rank_the_true_forecast_first():
    _, true = metrics_of("true")
    for law in ("too narrow", "too wide", "delayed volatility", "no correlation"):
        _, wrong = metrics_of(law)
        assert (true.mean() < wrong.mean()).all(), law


def test_numbers_of_a_result_are_what_they_say():
    pool = pool_forecasts(make_forecasts("true"), rng=np.random.default_rng(0))
    result = results_by_name(forecast_calibration_metrics(pool))["CRPS"]
    assert result.value == pytest.approx(float(daily_scores(pool)["CRPS"].mean()))
    assert (result.verdict, result.n) == ("report", N_DATES)
    # floor: a true forecast expects of itself what it gets; shocks of one day are independent
    assert abs(result.value - result.floor) < 4 * result.floor_deviation
    per_series = uniformity_by_series(pool, rng=np.random.default_rng(0))
    assert list(per_series) == list(pool.series)


@pytest.mark.slow
def test_rejection_rate_under_the_truth_is_nominal():
    rejections: dict[str, int] = {}
    for seed in range(200):
        for name, result in metrics_of.__wrapped__("true", seed=1000 + seed, n_dates=250)[0].items():
            rejections[name] = rejections.get(name, 0) + (result.verdict == "above floor")
    rates = {name: count / 200 for name, count in rejections.items()}
    # p < 0.05 with 99 stand-ins is p <= 0.04; 200 repetitions: 4 % +- 1.4 %; ties of discrete statistics only lower it
    assert max(rates.values()) <= 0.04 + 3.5 * 0.014, rates
    continuous = ["PIT Kolmogorov-Smirnov", "PIT Anderson-Darling", "PIT Berkowitz", "PIT clustering"]
    assert np.mean([rates[name] for name in continuous]) > 0.01, rates


def test_horizon_calibration_sees_a_wrong_term_structure():
    rng = np.random.default_rng(0)
    realised = 0.01 * np.repeat(rng.standard_normal((120, 1, 2)), 10, axis=1)  # ten equal days: variance grows as T^2
    persistent = 0.01 * np.repeat(rng.standard_normal((120, 40, 1, 2)), 10, axis=2)
    shuffled = 0.01 * rng.standard_normal((120, 40, 10, 2))
    right, wrong = (
        results_by_name(
            horizon_calibration_metrics(
                PairedWindows(realised=realised, generated=generated, assets=("A", "B"), kind="log"), rng=rng
            )
        )
        for generated in (persistent, shuffled)
    )
    assert right["horizon PIT Anderson-Darling"].verdict == "at floor"
    assert wrong["horizon PIT Anderson-Darling"].verdict == "above floor"
    assert wrong["horizon coverage of 90% intervals"].verdict == "above floor"
    assert right["horizon CRPS"].value < wrong["horizon CRPS"].value


def test_bad_input_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="pit must be finite: 1"):
        coverage_error(np.append(rng.random(30), np.nan), coverage=0.9)
    with pytest.raises(ConfigError, match="coverage must be a share"):
        coverage_error(rng.random(30), coverage=90.0)
    forecasts = make_forecasts()
    with pytest.raises(ConfigError, match="at least 19"):
        pool_forecasts(forecasts, rng=rng, n_stand_ins=10)
    with pytest.raises(DataError, match="needs at least 199 scenarios"):
        pool_forecasts(forecasts, rng=rng, levels=(0.995,))
    pool = pool_forecasts(forecasts, rng=rng, levels=(0.95,), n_stand_ins=19)
    with pytest.raises(ConfigError, match=r"tails were made at levels \[0\.95\]"):
        value_at_risk_metrics(pool)
    with pytest.raises(DataError, match="is not finite for some stand-in"):
        judged_metric((pool.pit,), lambda pit: pit.mean(axis=0) * np.nan, group="g", metric="m")
    windows = PairedWindows(
        realised=rng.standard_normal((20, 3, 1)),
        generated=rng.standard_normal((20, 5, 3, 1)),
        assets=("A",),
        kind="log",
    )
    with pytest.raises(DataError, match="at least 50 windows and 20 scenarios"):
        horizon_calibration_metrics(windows, rng=rng)


def test_gains_in_the_worst_case_have_no_shortfall_test():
    forecasts = make_forecasts()
    gains = DailyForecasts(
        dates=forecasts.dates,
        series=forecasts.series,
        realised=np.abs(forecasts.realised) + 1.0,
        scenarios=np.abs(forecasts.scenarios) + 1.0,
    )
    pool = pool_forecasts(gains, rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="even the worst scenarios are gains"):
        expected_shortfall_metrics(pool)
