"""Paired differences: known values, coverage, and why pairs matter."""

import numpy as np
import pandas as pd
import pytest

from portfolio.backtest import EqualWeightPolicy, backtest, differences_to
from portfolio.backtest.paired_difference import MEASURES
from tsgen.errors import ConfigError, DataError


def records(seed=0, n=1000, gap=0.0, noise=0.001):
    rng = np.random.default_rng(seed)
    market = rng.normal(0.0005, 0.01, n)
    other = market + gap + rng.normal(0.0, noise, n)
    return pd.DataFrame({"market": market, "other": other}, index=pd.bdate_range("2018-01-01", periods=n))


def test_values_by_hand():
    frame = records(gap=0.0001)
    table = differences_to("market", frame, periods=252, risk_aversion=4.0, replications=20)
    assert list(table.index.get_level_values("measure")) == list(MEASURES)
    a, b = frame["other"], frame["market"]
    expected = {
        "annualised return": np.exp(np.log1p(a).mean() * 252) - np.exp(np.log1p(b).mean() * 252),
        "annualised volatility": (a.std() - b.std()) * np.sqrt(252),
        "Sharpe ratio": (a.mean() / a.std() - b.mean() / b.std()) * np.sqrt(252),
        "certainty equivalent": ((a.mean() - 2 * a.var()) - (b.mean() - 2 * b.var())) * 252,
    }
    for measure, value in expected.items():
        assert table.loc[("other", measure), "difference"] == pytest.approx(value, rel=1e-10)


def test_the_error_is_that_of_the_difference():
    table = differences_to("market", records(), periods=252, replications=400).loc["other"]
    # independent noise of 0.1 % a day: standard error of the mean difference over 1000 days, a year
    expected = 0.001 / np.sqrt(1000) * 252
    assert table.loc["certainty equivalent", "standard_error"] == pytest.approx(expected, rel=0.25)
    # unpaired it would be that of the market itself, ten times as large and more
    unpaired = 0.01 * np.sqrt(2) / np.sqrt(1000) * 252
    assert table.loc["certainty equivalent", "standard_error"] < unpaired / 5


def test_intervals_cover():
    gaps = np.linspace(-1e-4, 1e-4, 60)
    hits = []
    for seed, gap in enumerate(gaps):
        frame = records(seed=seed, n=300, gap=gap)
        row = differences_to("market", frame, periods=252, risk_aversion=0.0, level=0.9, replications=120)
        low, high = row.loc[("other", "certainty equivalent"), ["low", "high"]]
        hits.append(low <= gap * 252 <= high)
    # 60 trials at 90 %: standard error 3.9 %; the bootstrap of 300 dates may fall a little short of its level
    assert 0.76 <= np.mean(hits) <= 1.0


def test_results_and_seeds(panel):
    books = {
        name: backtest(panel, EqualWeightPolicy(), start=panel.dates[10], rebalance=rebalance, costs=None)
        for name, rebalance in (("monthly", "monthly"), ("daily", "daily"))
    }
    one = differences_to("monthly", books, periods=252, replications=50, seed=1)
    pd.testing.assert_frame_equal(one, differences_to("monthly", books, periods=252, replications=50, seed=1))
    assert not one.equals(differences_to("monthly", books, periods=252, replications=50, seed=2))
    back = differences_to("daily", books, periods=252, replications=50)
    np.testing.assert_allclose(back["difference"], -one["difference"], atol=1e-15)


def test_a_constant_gap_has_no_error_in_the_mean():
    frame = records(noise=0.0, gap=0.0001)
    table = differences_to("market", frame, periods=252, risk_aversion=0.0, replications=30)
    assert table.loc[("other", "certainty equivalent"), "standard_error"] == pytest.approx(0.0, abs=1e-12)
    flat = pd.DataFrame(
        {"a": np.full(30, 0.01), "b": np.full(30, 0.02)}, index=pd.bdate_range("2024-01-01", periods=30)
    )
    assert differences_to("a", flat, periods=252, replications=5).loc[("b", "Sharpe ratio"), "difference"] is not None


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"benchmark": "index"}, ConfigError, "benchmark must be one of market, other"),
        ({"periods": 0}, ConfigError, "periods per year must be a positive number"),
        ({"risk_aversion": -1}, ConfigError, "risk_aversion must be finite"),
        ({"level": 1.0}, ConfigError, "level must be between 0 and 1"),
        ({"replications": 1}, ConfigError, "replications must be an integer of at least 2"),
        ({"results": records(n=19)}, DataError, "at least 20 returns"),
        ({"results": records()[["market"]]}, DataError, "at least two strategies"),
    ],
)
def test_refusals(changes, error, message):
    arguments = {"benchmark": "market", "results": records(), "periods": 252} | changes
    with pytest.raises(error, match=message):
        differences_to(**arguments)
