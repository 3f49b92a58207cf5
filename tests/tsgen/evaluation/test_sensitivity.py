"""Sensitivity: regression against statsmodels, power against frozen and delayed forecasts."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from tests.support.volatile_windows import right_pairs, wrong_pairs
from tsgen.baselines import FilteredHistoricalSimulation, IidGaussian, StationaryBootstrap
from tsgen.errors import DataError
from tsgen.evaluation import PairedWindows, results_by_name, sensitivity, window_dates, windows_at
from tsgen.evaluation.metric_score import group_scores, metric_score
from tsgen.evaluation.sensitivity import regress
from tsgen.marketdata import ReturnPanel


def test_regression_agrees_with_statsmodels():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(50)
    y = 0.7 * x + rng.standard_normal(50)
    reference = sm.OLS(y, sm.add_constant(x)).fit()
    fit = regress(y, x)
    assert float(fit.slope) == pytest.approx(reference.params[1], rel=1e-12)
    assert float(fit.r_squared) == pytest.approx(reference.rsquared, rel=1e-12)


def test_a_forecast_that_stands_still_has_slope_zero():
    fit = regress(np.arange(5.0), np.ones(5))
    assert float(fit.slope) == float(fit.r_squared) == 0.0


def test_right_law_has_slope_one():
    results = results_by_name(sensitivity(right_pairs(300, 32, 12, 2, seed=0), seed=0))
    slope = results["slope"]
    assert slope.verdict == "at floor"
    assert slope.value == pytest.approx(1.0, abs=4 * slope.standard_error)
    assert slope.note == "two-sided"


def test_wrong_forecasts():
    delayed = results_by_name(sensitivity(wrong_pairs("delayed volatility", 200, 16, 12, 2, seed=0), seed=0))
    assert delayed["slope"].verdict == delayed["R2"].verdict == "above floor"
    assert delayed["slope"].value < delayed["slope"].floor
    # what the window before says is in the forecast twice: the error falls with it
    assert delayed["movement"].value < delayed["movement"].floor
    frozen = results_by_name(sensitivity(wrong_pairs("frozen volatility", 100, 16, 12, 2, seed=0), seed=0))
    assert frozen["movement"].verdict == "above floor"
    assert frozen["movement"].value > frozen["movement"].floor
    assert frozen["slope"].verdict == frozen["R2"].verdict == "report"
    assert "forecasts hardly move" in frozen["slope"].note


def test_movement_is_the_regression_of_the_error_on_the_window_before():
    pairs = right_pairs(80, 8, 6, 1, seed=4)
    movement = sensitivity(pairs, seed=0)[2]
    log_volatility = 0.5 * np.log((pairs.members[..., 0] ** 2).mean(axis=2))
    error = log_volatility[:, 0] - log_volatility[:, 1:].mean(axis=1)
    reference = sm.OLS(error[1:], sm.add_constant(log_volatility[:-1, 0])).fit()
    assert movement.value == pytest.approx(reference.params[1], rel=1e-9)
    assert movement.n == 79


def garch_panel(n_dates, *, seed):
    """Two GARCH(1,1) assets that share their variance: a regime lasts for weeks."""
    rng, alpha, beta, long_run = np.random.default_rng(seed), 0.1, 0.88, 1e-4
    variance, values = long_run, np.empty((n_dates, 2))
    for t in range(n_dates):
        values[t] = np.sqrt(variance) * rng.standard_normal(2)
        # the mean of the two squares has expectation variance: the recursion is that of GARCH(1,1)
        variance = (1 - alpha - beta) * long_run + alpha * (values[t] ** 2).mean() + beta * variance
    index = pd.bdate_range("2000-01-03", periods=n_dates)
    return ReturnPanel(pd.DataFrame(values, index=index, columns=["A", "B"]), kind="log")


def test_a_forecast_that_does_not_move_scores_far_below_one_that_does():
    panel = garch_panel(5000, seed=0)
    train = panel.until(panel.dates[1999])
    scores = {}
    for model in (FilteredHistoricalSimulation, StationaryBootstrap, IidGaussian):
        dates = window_dates(panel, after=train.dates[-1], horizon=20)
        pairs = windows_at(model.fit(train), panel, dates, horizon=20, n_scenarios=12, seed=0)
        scores[model] = float(group_scores(sensitivity(pairs, seed=0))["sensitivity"])
    # the filter is the process up to estimated parameters; the others condition on nothing. 150 windows
    assert scores[FilteredHistoricalSimulation] > 0.9
    assert max(scores[StationaryBootstrap], scores[IidGaussian]) < 0.65


def test_two_sided_metrics_lose_score_below_their_floor_too():
    right = sensitivity(right_pairs(60, 8, 6, 1, seed=4), seed=0)[0]
    low = dataclasses.replace(right, value=right.floor - 7 * right.floor_deviation)
    assert low.excess == pytest.approx(7.0)
    assert metric_score(low) == pytest.approx(0.5)  # five deviations beyond the two that are free
    assert dataclasses.replace(low, two_sided=False).excess == pytest.approx(-7.0)


def test_refusals():
    with pytest.raises(DataError, match="at least 2 scenarios per unit: got 1"):
        sensitivity(right_pairs(10, 1, 4, 1, seed=0), seed=0)
    pairs = right_pairs(10, 3, 4, 1, seed=0)
    realised = pairs.realised.copy()
    realised[4] = 0.0
    still = PairedWindows(realised=realised, generated=pairs.generated, assets=("A",), kind="log")
    with pytest.raises(DataError, match="stands still over a whole window"):
        sensitivity(still, seed=0)
