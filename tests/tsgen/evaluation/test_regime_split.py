"""Regime labels use the past only; calibration by regime finds a model that is right on average only."""

import numpy as np
import pandas as pd
import pytest

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.daily_forecasts import DailyForecasts
from tsgen.evaluation.forecast_pool import pool_forecasts
from tsgen.evaluation.metric_result import results_by_name
from tsgen.evaluation.regime_split import REGIMES, regime_calibration_metrics, regime_labels, usable_regimes
from tsgen.marketdata import ReturnPanel


def make_panel(scale, seed=0):
    values = np.random.default_rng(seed).standard_normal((len(scale), 2)) * np.asarray(scale)[:, None]
    return ReturnPanel(
        pd.DataFrame(values, index=pd.bdate_range("2010-01-01", periods=len(scale)), columns=["A", "B"]), kind="simple"
    )


def test_labels_follow_volatility():
    panel = make_panel(np.repeat([0.01, 0.03, 0.005], [500, 200, 200]))
    labels = regime_labels(panel, panel.dates[400:])
    assert (labels[180:290] == "stressed").all()  # the window lies inside the volatile period
    assert (labels[-100:] == "quiet").all()


def test_labels_do_not_know_the_future():
    calm = np.full(600, 0.01)
    wild = calm.copy()
    wild[450:] = 0.2
    first, second = make_panel(calm), make_panel(wild)
    dates = first.dates[350:450]
    np.testing.assert_array_equal(regime_labels(first, dates), regime_labels(second, dates))
    later = first.dates[451:480]
    assert (regime_labels(first, later) != regime_labels(second, later)).any()


def test_one_label_equals_its_definition():
    panel = make_panel(0.01 * np.exp(np.sin(np.arange(400) / 30.0)))
    row, window = 370, 60
    market = panel.values.mean(axis=1)
    trailing = [np.mean(market[i - window + 1 : i + 1] ** 2) for i in range(window - 1, row + 1)]
    rank = np.mean(np.array(trailing) <= trailing[-1])
    expected = REGIMES[int(rank > 1 / 3) + int(rank > 2 / 3)]
    assert regime_labels(panel, panel.dates[[row]]).tolist() == [expected]


def test_a_model_that_is_right_on_average_only_is_found():
    rng = np.random.default_rng(0)
    labels = np.tile(np.repeat(["quiet", "stressed"], 50), 6)
    scale = np.where(labels == "stressed", 1.6, 0.6)
    forecasts = DailyForecasts(
        dates=pd.bdate_range("2020-01-01", periods=600),
        series=("A",),
        realised=(rng.standard_normal(600) * scale)[:, None],
        scenarios=rng.standard_normal((600, 60, 1)),
    )
    pool = pool_forecasts(forecasts, rng=rng, levels=(0.95,))
    results = results_by_name(regime_calibration_metrics(pool, labels))
    assert len(results) == 4
    assert {r.verdict for r in results.values()} == {"above floor"}
    assert results["PIT, quiet"].n == 300


def test_bad_input_is_refused():
    panel = make_panel(np.full(400, 0.01))
    with pytest.raises(DataError, match="need 309 periods up to the first as-of date: got 101"):
        regime_labels(panel, panel.dates[100:])
    with pytest.raises(ConfigError, match="window must be an integer of at least 2"):
        regime_labels(panel, panel.dates[350:], window=1)
    assert usable_regimes(np.array(["quiet"] * 49)) == ()
    rng = np.random.default_rng(0)
    forecasts = DailyForecasts(
        dates=panel.dates[:60],
        series=("A",),
        realised=rng.standard_normal((60, 1)),
        scenarios=rng.standard_normal((60, 30, 1)),
    )
    pool = pool_forecasts(forecasts, rng=rng, levels=(0.95,))
    with pytest.raises(ShapeError, match="labels must name every forecast date"):
        regime_calibration_metrics(pool, np.array(["quiet"]))
    with pytest.raises(DataError, match=r"got \['calm'\]"):
        regime_calibration_metrics(pool, np.array(["calm"] * 60))
