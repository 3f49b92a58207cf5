"""Sensitivity: regression against statsmodels, power against frozen and delayed forecasts."""

import numpy as np
import pytest
import statsmodels.api as sm

from tests.support.volatile_windows import right_pairs, wrong_pairs
from tsgen.errors import DataError
from tsgen.evaluation import PairedWindows, results_by_name, sensitivity
from tsgen.evaluation.sensitivity import regress


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
    # it moves as much as reality, only too late
    assert delayed["movement"].verdict != "above floor"
    frozen = results_by_name(sensitivity(wrong_pairs("frozen volatility", 100, 16, 12, 2, seed=0), seed=0))
    assert frozen["movement"].verdict == "above floor"
    assert "forecasts hardly move" in frozen["slope"].note


def test_refusals():
    with pytest.raises(DataError, match="at least 2 scenarios per unit: got 1"):
        sensitivity(right_pairs(10, 1, 4, 1, seed=0), seed=0)
    pairs = right_pairs(10, 3, 4, 1, seed=0)
    realised = pairs.realised.copy()
    realised[4] = 0.0
    still = PairedWindows(realised=realised, generated=pairs.generated, assets=("A",), kind="log")
    with pytest.raises(DataError, match="stands still over a whole window"):
        sensitivity(still, seed=0)
