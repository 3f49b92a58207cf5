"""Return records as quantstats reads them."""

import numpy as np
import pandas as pd
import pytest

import portfolio
from portfolio.interop import quantstats_returns
from tsgen.errors import DataError


def test_a_backtest_becomes_a_series(panel):
    costs = portfolio.LinearCost(0.001)
    result = portfolio.backtest(
        panel, portfolio.EqualWeightPolicy(), start=panel.dates[10], rebalance="weekly", costs=costs
    )
    series = quantstats_returns(result, name="equal weight")
    assert series.name == "equal weight"
    assert series.index.dtype == "datetime64[ns]"
    assert series.dtype == np.float64
    np.testing.assert_array_equal(series, result.returns)
    series[:] = 0.0
    assert result.returns.abs().sum() > 0


@pytest.mark.filterwarnings("ignore")  # deprecations inside that library are not ours
def test_in_the_real_library(panel):
    """Optional: run where quantstats happens to be installed."""
    stats = pytest.importorskip("quantstats.stats")
    result = portfolio.backtest(
        panel, portfolio.EqualWeightPolicy(), start=panel.dates[10], rebalance="weekly", costs=None
    )
    series = quantstats_returns(result)
    summary = result.summary(replications=20)["value"]
    assert stats.sharpe(series, periods=252) == pytest.approx(summary["Sharpe ratio"], rel=1e-9)
    assert stats.max_drawdown(series) == pytest.approx(-summary["maximum drawdown"], rel=1e-9)


@pytest.mark.parametrize(
    ("values", "index", "message"),
    [
        ([0.1, 0.2], [0, 1], "indexed by dates"),
        ([], [], "indexed by dates"),
        ([0.1, 0.2], ["2024-01-02", "2024-01-01"], "strictly increasing"),
        ([0.1, 0.2], ["2024-01-01", "2024-01-01"], "strictly increasing"),
        ([0.1, np.nan], ["2024-01-01", "2024-01-02"], "must be finite"),
        ([0.1, -1.0], ["2024-01-01", "2024-01-02"], "above -1"),
        ([100.0, 101.0], ["2024-01-01", "2024-01-02"], "not look like prices"),
    ],
)
def test_what_is_no_return_record(values, index, message):
    dates = pd.DatetimeIndex(index) if index and isinstance(index[0], str) else index
    with pytest.raises(DataError, match=message):
        quantstats_returns(pd.Series(values, index=dates, dtype=float))
    with pytest.raises(DataError, match="got list"):
        quantstats_returns([0.1])
