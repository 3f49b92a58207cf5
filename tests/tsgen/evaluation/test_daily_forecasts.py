"""Daily forecasts pair each date with the next return; test portfolios are fixed and dollar neutral."""

import numpy as np
import pandas as pd
import pytest

from tsgen.errors import DataError, ShapeError
from tsgen.evaluation.daily_forecasts import DailyForecasts, forecast_daily, long_short_weights, series_names, series_of
from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet


def parts(n_dates=60, n_scenarios=30, n_series=2):
    rng = np.random.default_rng(0)
    return {
        "dates": pd.bdate_range("2024-01-01", periods=n_dates),
        "series": tuple("AB"[:n_series]),
        "realised": rng.standard_normal((n_dates, n_series)),
        "scenarios": rng.standard_normal((n_dates, n_scenarios, n_series)),
    }


@pytest.mark.parametrize("n_assets", [2, 3, 6, 20])
def test_long_short_portfolios_are_neutral_orthogonal_and_scaled(n_assets):
    weights = long_short_weights(n_assets)
    assert weights.shape == (min(5, n_assets - 1), n_assets)
    np.testing.assert_allclose(weights.sum(axis=1), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.abs(weights).sum(axis=1), 2.0)
    gram = weights @ weights.T
    np.testing.assert_allclose(gram - np.diag(np.diag(gram)), 0.0, atol=1e-12)


def test_series_are_assets_then_portfolios():
    returns = np.array([[0.01, 0.03]])
    np.testing.assert_allclose(series_of(returns), [[0.01, 0.03, 0.02, -0.02]])
    assert series_names(("A", "B")) == ("A", "B", "equally weighted", "long-short 1")
    assert series_of(returns[:, :1]).shape == (1, 1)
    assert series_names(("A",)) == ("A",)


class Oracle:
    """Knows the panel: its scenarios are tomorrow's return, so any shift of dates shows."""

    assets, kind = ("A", "B"), "log"

    def __init__(self, panel):
        self.panel = panel

    def sample(self, n_scenarios, horizon, *, history=None, seed):
        row = history.n_dates
        path = self.panel.values[row : row + horizon]
        return ScenarioSet(np.broadcast_to(path, (n_scenarios, *path.shape)), assets=self.assets, kind=self.kind)


def test_a_forecast_is_paired_with_the_following_date_in_simple_returns():
    values = np.random.default_rng(0).normal(0.0, 0.01, (80, 2))
    frame = pd.DataFrame(values, index=pd.bdate_range("2024-01-01", periods=80), columns=["A", "B"])
    panel = ReturnPanel(frame, kind="log")
    forecasts = forecast_daily(Oracle(panel), panel, panel.dates[9:-1], n_scenarios=20, seed=0)
    np.testing.assert_array_equal(forecasts.scenarios[:, 0], forecasts.realised)
    np.testing.assert_allclose(forecasts.realised[0, :2], np.expm1(values[10]))
    np.testing.assert_allclose(forecasts.realised[0, 2], np.expm1(values[10]).mean())
    with pytest.raises(DataError, match="what followed is not known"):
        forecast_daily(Oracle(panel), panel, panel.dates[9:], n_scenarios=20, seed=0)


def test_selection_by_date_and_series():
    forecasts = DailyForecasts(**parts(n_dates=120))
    half = forecasts.at(np.arange(120) < 60)
    np.testing.assert_array_equal(half.realised, forecasts.realised[:60])
    np.testing.assert_array_equal(forecasts.of(["B"]).scenarios[:, :, 0], forecasts.scenarios[:, :, 1])
    with pytest.raises(DataError, match="unknown series"):
        forecasts.of(["C"])


def test_bad_forecasts_are_refused():
    with pytest.raises(ShapeError, match="realised must have axes"):
        DailyForecasts(**(parts() | {"realised": np.zeros((60, 3))}))
    with pytest.raises(ShapeError, match="scenarios must have axes"):
        DailyForecasts(**(parts() | {"scenarios": np.zeros((59, 30, 2))}))
    with pytest.raises(DataError, match="at least 50 forecast dates"):
        DailyForecasts(**parts(n_dates=49))
    with pytest.raises(DataError, match="at least 20 scenarios"):
        DailyForecasts(**parts(n_scenarios=19))
    broken = parts()
    broken["scenarios"][3, 4, 1] = np.nan
    with pytest.raises(DataError, match="scenarios must be finite: 1 values"):
        DailyForecasts(**broken)
    flat = parts()
    flat["realised"][:, 1] = 0.0
    with pytest.raises(DataError, match="realised returns of B are constant"):
        DailyForecasts(**flat)
    still = parts()
    still["scenarios"][:, :, 0] = 1.0
    with pytest.raises(DataError, match="scenarios of A are constant"):
        DailyForecasts(**still)
