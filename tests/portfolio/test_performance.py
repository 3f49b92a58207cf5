"""Realised performance: by hand, and its standard errors against sampling theory."""

import numpy as np
import pandas as pd
import pytest

from portfolio.equal_weight import equal_weight
from portfolio.performance import realised_performance
from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata import ReturnPanel
from tsgen.return_kind import ReturnKind


def _panel(values, kind: ReturnKind = "simple", freq="B"):
    index = pd.date_range("2020-01-01", periods=len(values), freq=freq)
    return ReturnPanel(pd.DataFrame(values, index=index, columns=[f"A{i}" for i in range(values.shape[1])]), kind=kind)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(0.001, 0.02, (60, 3))


def test_buy_and_hold_by_hand(values):
    w = np.array([0.5, 0.3, 0.1])
    wealth = [1.0]
    shares = w.copy()
    for row in values:
        shares = shares * (1 + row)
        wealth.append(0.1 + shares.sum())
    result = realised_performance(_panel(values), w, rebalancing="none", replications=20)
    np.testing.assert_allclose(result.wealth, wealth[1:], rtol=1e-13)
    assert result.annualised_return == pytest.approx(wealth[-1] ** (252 / 60) - 1, rel=1e-12)
    peak, worst = 1.0, 0.0
    for now in wealth:
        peak = max(peak, now)
        worst = max(worst, 1 - now / peak)
    assert result.maximum_drawdown == pytest.approx(worst, rel=1e-12)


def test_daily_rebalancing_by_hand(values):
    w = np.array([0.5, 0.3, 0.1])
    result = realised_performance(_panel(values), w, rebalancing="daily", replications=20)
    returns = values @ w
    np.testing.assert_allclose(result.returns, returns, atol=1e-15)
    assert result.annualised_volatility == pytest.approx(returns.std(ddof=1) * np.sqrt(252), rel=1e-12)
    assert result.sharpe_ratio == pytest.approx(returns.mean() / returns.std(ddof=1) * np.sqrt(252), rel=1e-12)
    held = realised_performance(_panel(values), w, rebalancing="none", replications=20)
    assert abs(held.annualised_return - result.annualised_return) > 1e-4


def test_one_asset_is_itself_either_way_and_in_either_unit(values):
    one = values[:, :1]
    for panel in (_panel(one), _panel(np.log1p(one), kind="log")):
        for rebalancing in ("daily", "none"):
            result = realised_performance(panel, [1.0], rebalancing=rebalancing, replications=20)
            np.testing.assert_allclose(result.returns, one[:, 0], atol=1e-14)


def test_a_fall_from_the_first_day_counts_from_the_start():
    falling = np.full((30, 1), -0.01)
    falling[10] = -0.02
    result = realised_performance(_panel(falling), [1.0], replications=20)
    assert result.maximum_drawdown == pytest.approx(1 - 0.99**29 * 0.98, rel=1e-12)


def test_standard_errors_of_independent_normal_returns():
    rows, sharpe = 4000, 0.05
    x = np.random.default_rng(1).normal(sharpe * 0.01, 0.01, (rows, 1))
    result = realised_performance(_panel(x), [1.0], replications=1000)
    errors = result.standard_errors
    # Lo (2002), equation 6; 1000 replications give 2.2 % error, the estimated block length some more
    expected = np.sqrt((1 + sharpe**2 / 2) / rows) * np.sqrt(252)
    assert errors["sharpe_ratio"] == pytest.approx(expected, rel=0.15)
    assert errors["annualised_volatility"] == pytest.approx(0.01 / np.sqrt(2 * rows) * np.sqrt(252), rel=0.15)
    assert errors["annualised_return"] == pytest.approx(
        0.01 / np.sqrt(rows) * 252 * (1 + result.annualised_return), rel=0.15
    )


def test_standard_error_sees_serial_dependence():
    # moving average of 10: the variance of the mean is 10 times that of independent values of the same variance
    noise = np.random.default_rng(2).normal(0, 0.01, 6009)
    x = np.convolve(noise, np.ones(10) / 10, mode="valid")[:, None]
    result = realised_performance(_panel(x), [1.0], replications=500)
    independent = np.sqrt(252 / len(x))
    assert 2.3 < result.standard_errors["sharpe_ratio"] / independent < 3.8


def test_seed_decides_and_nothing_else(values):
    a, b, c = (realised_performance(_panel(values), [0.2, 0.3, 0.5], replications=50, seed=s) for s in (1, 1, 2))
    assert a.to_dict() == b.to_dict()
    assert a.standard_errors != c.standard_errors
    assert a.sharpe_ratio == c.sharpe_ratio


def test_accepts_allocations_and_names(values):
    panel = _panel(values)
    a = realised_performance(panel, equal_weight(panel.assets), replications=20)
    b = realised_performance(panel, {"A2": 1 / 3, "A1": 1 / 3, "A0": 1 / 3}, replications=20)
    assert a.to_dict() == b.to_dict()
    assert a.to_dict()["n_periods"] == 60
    assert "Sharpe" in a._repr_html_()


@pytest.mark.parametrize(("freq", "per_year"), [("B", 252), ("W-FRI", 52), ("ME", 12)])
def test_periods_per_year_follow_the_panel(values, freq, per_year):
    result = realised_performance(_panel(values, freq=freq), [0.2, 0.3, 0.5], replications=20)
    assert result.diagnostics["periods_per_year"] == per_year


def test_periods_per_year_of_irregular_dates_must_be_given(values):
    panel = _panel(values, freq="3D")
    with pytest.raises(ConfigError, match="dates are irregular, so periods_per_year cannot be inferred"):
        realised_performance(panel, [0.2, 0.3, 0.5])
    result = realised_performance(panel, [0.2, 0.3, 0.5], periods_per_year=121, replications=20)
    assert result.diagnostics["periods_per_year"] == 121


@pytest.mark.parametrize(
    ("weights", "settings", "error", "message"),
    [
        ([0.5, 0.5], {}, ShapeError, "weights must have one entry per asset"),
        ([np.nan, 0.5, 0.5], {}, DataError, "weights must be finite"),
        ([0.0, 0.0, 0.0], {}, DataError, "the portfolio's return does not vary"),
        ([0.2, 0.3, 0.5], {"rebalancing": "monthly"}, ConfigError, "rebalancing must be 'daily' or 'none'"),
        ([0.2, 0.3, 0.5], {"periods_per_year": 0}, ConfigError, "periods_per_year must be a positive number"),
        ([0.2, 0.3, 0.5], {"replications": 1}, ConfigError, "replications must be an integer of at least 2"),
        ([0.2, 0.3, 0.5], {"seed": -1}, ConfigError, "seed must be a non-negative integer"),
        ([60.0, 0.0, 0.0], {}, DataError, "wealth is not positive after row"),
        ([60.0, 0.0, 0.0], {"rebalancing": "daily"}, DataError, "wealth is not positive after row"),
    ],
)
def test_refusals(values, weights, settings, error, message):
    with pytest.raises(error, match=message):
        realised_performance(_panel(values), weights, **settings)


def test_too_few_rows(values):
    with pytest.raises(DataError, match="at least 20 rows of returns: got 19"):
        realised_performance(_panel(values[:19]), [0.2, 0.3, 0.5])
