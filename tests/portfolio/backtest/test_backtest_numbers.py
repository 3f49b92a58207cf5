"""Performance, Sharpe tests, comparison and storage against published numbers, theory and arch."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from portfolio.backtest import (
    BacktestResult,
    EqualWeightPolicy,
    backtest,
    compare_strategies,
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    performance_summary,
    probabilistic_sharpe_ratio,
    sharpe_probability,
)
from portfolio.backtest.performance_summary import periods_per_year
from portfolio.costs import LinearCost
from tsgen.errors import ConfigError, DataError, StorageError


def record(n=1000, mean=0.0005, seed=0):
    days = pd.bdate_range("2015-01-01", periods=n)
    return pd.Series(np.random.default_rng(seed).normal(mean, 0.01, n), index=days)


@pytest.fixture
def result(panel):
    return backtest(panel, EqualWeightPolicy(), start=panel.dates[10], rebalance=7, costs=LinearCost(0.001))


def test_published_deflated_sharpe_ratios():
    # Bailey and Lopez de Prado (2014), numerical example: 5 years of daily data, annualised Sharpe ratio 2.5,
    # variance of the trials' annualised Sharpe ratios 1/2, skewness -3, kurtosis 10
    sharpe, variance = 2.5 / np.sqrt(250), 0.5 / 250
    for n_trials, expected in ((100, 0.9004), (46, 0.9505)):
        threshold = expected_maximum_sharpe(n_trials, variance=variance)
        got = sharpe_probability(sharpe, benchmark=threshold, n_periods=1250, skewness=-3, kurtosis=10)
        assert got == pytest.approx(expected, abs=5e-5)
    assert expected_maximum_sharpe(100, variance=variance) == pytest.approx(0.1132, abs=5e-5)
    # the excess kurtosis instead of the kurtosis, the usual mistake, would show
    wrong = sharpe_probability(sharpe, benchmark=0.1132, n_periods=1250, skewness=-2, kurtosis=7)
    assert wrong > 0.905


def test_expected_maximum_against_simulation():
    # the formula is asymptotic: about 1 % high at 100 trials; 4,000 repetitions leave 0.4 %
    draws = np.random.default_rng(0).normal(0, 0.1, (4000, 100)).max(axis=1).mean()
    assert expected_maximum_sharpe(100, variance=0.01) == pytest.approx(draws, rel=0.02)
    assert expected_maximum_sharpe(1, variance=0.01) == 0.0


def test_probability_is_calibrated_under_its_assumptions():
    # zero true Sharpe ratio: probabilities are uniform; 500 of them, Kolmogorov distance 1.63 / sqrt(500) at 1 %
    rng = np.random.default_rng(1)
    values = np.sort([probabilistic_sharpe_ratio(x) for x in rng.normal(0, 0.01, (500, 250))])
    distance = np.abs(values - (np.arange(500) + 0.5) / 500).max()
    assert distance < 1.63 / np.sqrt(500)


def test_normal_case_by_hand():
    x = record().to_numpy()
    sharpe = x.mean() / x.std(ddof=1)
    expected = norm.cdf(sharpe * np.sqrt(999) / np.sqrt(1 + sharpe**2 / 2))
    assert sharpe_probability(sharpe, n_periods=1000) == pytest.approx(expected, rel=1e-14)
    assert probabilistic_sharpe_ratio(x) == pytest.approx(expected, abs=0.01)  # sample skewness and kurtosis
    many, few = (deflated_sharpe_ratio(x, trial_sharpes=[0.0, 0.05, sharpe], n_trials=n) for n in (1000, 3))
    assert many < few < probabilistic_sharpe_ratio(x)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: sharpe_probability(0.1, n_periods=1), ConfigError, "more than one period"),
        (lambda: sharpe_probability(0.1, n_periods=9, skewness=-3, kurtosis=7), ConfigError, r"at least 1 \+ skewness"),
        (lambda: sharpe_probability(np.nan, n_periods=9), ConfigError, "Sharpe ratios must be finite"),
        # kurtosis at its lower bound, and the Sharpe ratio that this law estimates without error
        (
            lambda: sharpe_probability(1.0, n_periods=9, skewness=2, kurtosis=5),
            ConfigError,
            "variance .* is not positive",
        ),
        (lambda: expected_maximum_sharpe(0, variance=1), ConfigError, "n_trials must be at least 1"),
        (lambda: expected_maximum_sharpe(3, variance=-1), ConfigError, "must be finite, not negative"),
        (lambda: probabilistic_sharpe_ratio(np.ones(9)), DataError, "at least 20 returns"),
        (lambda: probabilistic_sharpe_ratio(np.full(30, 0.01)), DataError, "the returns do not vary"),
        (lambda: deflated_sharpe_ratio(record(), trial_sharpes=[0.1]), DataError, "two or more trials"),
    ],
)
def test_sharpe_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_summary_of_independent_normal_returns():
    x = record(2500)
    table = performance_summary(x, periods=252, replications=1000)
    sharpe = x.mean() / x.std() * np.sqrt(252)
    assert table.loc["Sharpe ratio", "value"] == pytest.approx(sharpe, rel=1e-12)
    # Lo (2002): standard error of an annualised Sharpe ratio of independent returns
    error = np.sqrt((1 + (sharpe / np.sqrt(252)) ** 2 / 2) / 2500) * np.sqrt(252)
    assert table.loc["Sharpe ratio", "standard_error"] == pytest.approx(error, rel=0.15)
    low, high = table.loc["Sharpe ratio", ["low", "high"]]
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.2)
    assert low < sharpe < high
    wealth = np.concatenate([[1.0], np.cumprod(1 + x)])
    assert table.loc["maximum drawdown", "value"] == pytest.approx(
        (1 - wealth / np.maximum.accumulate(wealth)).max(), rel=1e-12
    )
    assert table.loc["probabilistic Sharpe ratio", "value"] == probabilistic_sharpe_ratio(x)
    narrow = performance_summary(x, periods=252, level=0.5, replications=1000)
    assert narrow.loc["Sharpe ratio", "high"] < high


@pytest.mark.slow
def test_intervals_cover_as_often_as_they_say():
    # 200 records of independent returns, true Sharpe ratio 0.79 a year: coverage 95 %, error sqrt(.95 * .05 / 200)
    true, inside = 0.0005 / 0.01 * np.sqrt(252), 0
    for seed in range(200):
        table = performance_summary(record(500, seed=seed), periods=252, replications=400, seed=seed)
        inside += table.loc["Sharpe ratio", "low"] <= true <= table.loc["Sharpe ratio", "high"]
    assert inside / 200 == pytest.approx(0.95, abs=3 * 0.0154)


def test_summary_refusals():
    with pytest.raises(ConfigError, match="level must be between 0 and 1"):
        performance_summary(record(), periods=252, level=95)
    with pytest.raises(DataError, match="at least 20 returns: got 19"):
        performance_summary(record(19), periods=252)
    with pytest.raises(DataError, match="the returns do not vary"):
        performance_summary(record() * 0, periods=252)
    with pytest.raises(ConfigError, match="cannot be inferred from irregular dates"):
        periods_per_year("irregular")
    with pytest.raises(ConfigError, match="periods per year must be a positive number"):
        periods_per_year("daily", 0)


def test_result_summary(result):
    table = result.summary(replications=50)
    years = len(result.returns) / 252
    assert table.loc["turnover", "value"] == pytest.approx(result.turnover.sum() / years)
    assert table.loc["cost", "value"] == pytest.approx(result.costs.sum() / years)
    assert table.loc["decisions", "value"] == len(result.decisions)
    assert table.loc["failed decisions", "value"] == 0
    assert "Sharpe ratio" in result._repr_html_()
    assert isinstance(result.returns.index, pd.DatetimeIndex)
    assert result.returns.name == "return"


def test_short_results_can_still_be_shown(panel):
    short = backtest(panel, EqualWeightPolicy(), start=panel.dates[-5], rebalance=2, costs=None)
    assert "at least 20 returns" in short._repr_html_()
    with pytest.raises(DataError, match="at least 20 returns"):
        short.summary()


def test_storage_is_exact(result, panel, tmp_path):
    result.to_parquet(tmp_path / "run")
    again = BacktestResult.from_parquet(tmp_path / "run")
    for name in ("ledger", "weights", "trades", "targets", "decisions"):
        pd.testing.assert_frame_equal(
            getattr(result, name), getattr(again, name), check_exact=True, check_freq=False, check_column_type=False
        )
    assert again.facts == json.loads(json.dumps(result.facts))
    result.to_csv(tmp_path / "csv")
    assert sorted(p.name for p in (tmp_path / "csv").iterdir()) == [
        "decisions.csv", "facts.json", "ledger.csv", "targets.csv", "trades.csv", "weights.csv",
    ]  # fmt: skip
    read = pd.read_csv(tmp_path / "csv" / "ledger.csv", index_col="date", parse_dates=True)
    np.testing.assert_array_equal(read["wealth"], result.wealth)
    empty = backtest(panel, lambda past: None, start=panel.dates[70], rebalance=3, costs=None)
    empty.to_parquet(tmp_path / "empty")
    pd.testing.assert_frame_equal(BacktestResult.from_parquet(tmp_path / "empty").targets, empty.targets)


def test_storage_refusals(result, tmp_path):
    with pytest.raises(StorageError, match="is not a complete backtest of this toolkit"):
        BacktestResult.from_parquet(tmp_path / "nothing")
    result.to_parquet(tmp_path / "run")
    facts = tmp_path / "run" / "facts.json"
    facts.write_text(facts.read_text().replace('"schema_version": 1', '"schema_version": 9'))
    with pytest.raises(StorageError, match="written by another version"):
        BacktestResult.from_parquet(tmp_path / "run")


def test_comparison_excludes_the_costly_twin_and_keeps_the_equal():
    base = record(1500)
    noise = [record(1500, mean=0.0, seed=s) * 0.2 for s in (1, 2)]
    table = compare_strategies(pd.DataFrame({"a": base + noise[0], "b": base + noise[1], "c": base - 0.001}))
    assert table["included"].tolist() == [True, True, False]
    # a level shift keeps the spread: the deflated Sharpe ratio falls
    assert table.loc["c", "deflated_sharpe"] < table["deflated_sharpe"].iloc[:2].min()
    same = compare_strategies(pd.DataFrame({"a": base + noise[0], "b": base + noise[1], "c": base - 0.001}))
    pd.testing.assert_frame_equal(table, same)


def test_comparison_weighs_risk():
    calm = record(2000, mean=0.0004)
    wild = calm * 3 - 2 * 0.0004 + record(2000, mean=0.0, seed=5) * 0.1  # the same mean, three times the risk
    pair = {"calm": calm, "wild": wild}
    assert compare_strategies(pair, risk_aversion=10.0).loc["wild", "p_value"] < 0.4
    assert compare_strategies(pair, risk_aversion=0.0)["included"].all()


def test_comparison_takes_results(panel, result):
    other = backtest(
        panel, lambda past: {"A0": 1.0, "A1": 0.0, "A2": 0.0}, start=panel.dates[10], rebalance=7, costs=None
    )
    table = compare_strategies({"equal": result, "one": other}, replications=100)
    assert list(table.index) == ["equal", "one"]


def test_comparison_refusals():
    a, b = record(100), record(100, seed=1)
    with pytest.raises(DataError, match="at least two strategies"):
        compare_strategies({"a": a})
    with pytest.raises(DataError, match="'a' and 'b' differ"):
        compare_strategies({"a": a, "b": b.iloc[1:]})
    with pytest.raises(DataError, match="same returns up to a constant"):
        compare_strategies({"a": a, "b": a}, risk_aversion=0.0)
    with pytest.raises(DataError, match="returns to compare must be finite"):
        compare_strategies({"a": a, "b": b.where(b > 0)})
    with pytest.raises(ConfigError, match="size must be between 0 and 1"):
        compare_strategies({"a": a, "b": b}, size=0)
    with pytest.raises(ConfigError, match="risk_aversion must be finite"):
        compare_strategies({"a": a, "b": b}, risk_aversion=-1)
