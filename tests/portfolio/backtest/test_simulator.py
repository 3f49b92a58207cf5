"""The simulator against hand computation, identities, and everything that can go wrong on the way."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.allocation import Allocation
from portfolio.backtest import BacktestSettings, EqualWeightPolicy, FixedWeightsPolicy, Listing, backtest
from portfolio.costs import LinearCost
from portfolio.errors import InfeasibleError, PortfolioError, SolverError
from tsgen.errors import ConfigError, DataError, LookAheadError
from tsgen.marketdata import ReturnPanel
from tsgen.random_streams import dated_seed


def by_hand_panel():
    days = pd.bdate_range("2024-01-01", periods=4)
    rows = {"A": [0.0, 0.10, 0.20, -0.10], "B": [0.0, 0.05, -0.10, 0.20]}
    return ReturnPanel(pd.DataFrame(rows, index=days), kind="simple")


def test_three_days_by_hand_with_lag_and_costs():
    panel = by_hand_panel()
    days = panel.dates
    policy = FixedWeightsPolicy(weights={"A": 0.5, "B": 0.5})
    result = backtest(panel, policy, start=days[0], rebalance="daily", costs=LinearCost(0.01))
    # day 0: decide. Day 1: +10 % and +5 % are not earned; buy both halves, k = 1 - 0.01 k
    first = 1 / 1.01
    # day 2: +20 % and -10 %, each on a half
    grown = np.array([0.5 * 1.2, 0.5 * 0.9]) * first
    held = grown / grown.sum()
    # decided on day 1, traded on day 2: sell A, buy B; |k/2 - v| sums to v_A - v_B for every k in between
    k2 = 1 - 0.01 * (held[0] - held[1])
    second = grown.sum() * k2
    final = 0.5 * second * (0.9 + 1.2)
    grown3 = 0.5 * second * np.array([0.9, 1.2])
    held3 = grown3 / grown3.sum()
    k3 = 1 - 0.01 * (held3[1] - held3[0])
    np.testing.assert_allclose(result.wealth, [1.0, first, second, final * k3], rtol=1e-14)
    np.testing.assert_allclose(result.returns, [first - 1, second / first - 1, final * k3 / second - 1], rtol=1e-12)
    np.testing.assert_allclose(result.costs, [0, 1 - first, 1 - k2, 1 - k3], atol=1e-15)
    assert result.turnover.iloc[2] == pytest.approx(held[0] - held[1], rel=1e-12)
    np.testing.assert_allclose(result.weights.to_numpy()[1:], 0.5, atol=1e-15)
    assert result.decisions["executed"].tolist()[:3] == list(days[1:])
    assert result.decisions["executed"].isna().tolist() == [False, False, False, True]


@pytest.mark.parametrize("lag", [1, 2, 3])
def test_a_decision_earns_from_the_date_after_its_execution(lag):
    days = pd.bdate_range("2024-01-01", periods=8)
    rows = np.zeros((8, 1))
    rows[:, 0] = 0.1 * 2.0 ** -np.arange(8)
    panel = ReturnPanel(pd.DataFrame(rows, index=days, columns=["A"]), kind="simple")
    result = backtest(panel, lambda past: {"A": 1.0}, start=days[1], rebalance=[days[1]], costs=None, lag=lag)
    expected = np.where(np.arange(2, 8) > 1 + lag, rows[2:, 0], 0.0)
    np.testing.assert_allclose(result.returns, expected, atol=1e-15)
    assert result.decisions["executed"].iloc[0] == days[1 + lag]
    # the wrong convention, earning on the execution date itself, would show
    assert not np.allclose(result.returns, np.where(np.arange(2, 8) >= 1 + lag, rows[2:, 0], 0.0))


def test_trades_do_not_depend_on_what_happens_between_decision_and_execution(panel_of):
    panel = panel_of(30)
    rows = panel.returns
    rows.iloc[21:] = -rows.iloc[21:] * 3
    other = ReturnPanel(rows, kind="simple")
    signal = lambda past: past.at(past.date).rank() / 10  # noqa: E731
    a, b = (backtest(p, signal, start=p.dates[5], rebalance="daily", costs=None, lag=2) for p in (panel, other))
    pd.testing.assert_frame_equal(a.targets.iloc[:16], b.targets.iloc[:16], check_exact=True)
    assert a.targets.index[15] == panel.dates[20]
    # the targets decided up to row 20 are what is held up to row 22, whatever the returns of rows 21 and 22
    held = b.weights.loc[panel.dates[22]]
    np.testing.assert_allclose(held, a.targets.loc[panel.dates[20]], atol=1e-14)


def test_weights_drift_between_trades(panel):
    result = backtest(panel, EqualWeightPolicy(), start=panel.dates[10], rebalance=[panel.dates[10]], costs=None)
    grown = np.cumprod(1 + panel.values[12:], axis=0) / 3
    np.testing.assert_allclose(result.weights.iloc[2:], grown / grown.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(result.wealth.iloc[2:], grown.sum(axis=1), rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    lag=st.integers(1, 4),
    every=st.integers(1, 9),
    rate=st.floats(0, 0.02),
    log=st.booleans(),
)
def test_identities_of_the_books(seed, lag, every, rate, log):
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2024-01-01", periods=25)
    rows = pd.DataFrame(rng.normal(0, 0.03, (25, 3)), index=days, columns=list("ABC"))
    panel = ReturnPanel(rows, kind="log" if log else "simple")
    listing = Listing.from_dates(panel, first={"A": days[4]}, last={"B": days[15]})

    def policy(past, *, seed):
        drawn = np.random.default_rng(seed).normal(0.3, 0.4, len(past.assets))
        return pd.Series(drawn, index=list(past.assets))

    result = backtest(
        panel, policy, start=days[3], rebalance=every, costs=LinearCost(rate), lag=lag, seed=seed, listing=listing
    )
    ledger, weights = result.ledger, result.weights.to_numpy()
    wealth = ledger["wealth"].to_numpy()
    tolerance = 1e-13  # some 20 dates of a few roundings of numbers of order one each
    np.testing.assert_allclose(np.diff(wealth), (ledger["gain"] - ledger["cost"]).to_numpy()[1:], atol=tolerance)
    np.testing.assert_allclose(weights.sum(axis=1) * wealth + ledger["cash"], wealth, atol=tolerance)
    traded = np.zeros(len(wealth))
    traded[result.ledger.index.get_indexer(result.trades.index)] = result.trades.sum(axis=1)
    before = wealth + ledger["cost"].to_numpy()
    cash_flow = ledger["delisted"].to_numpy() - traded * before - ledger["cost"].to_numpy()
    np.testing.assert_allclose(np.diff(ledger["cash"]), cash_flow[1:], atol=tolerance)
    np.testing.assert_allclose(ledger["cost_fraction"], rate * ledger["turnover"], atol=tolerance)
    np.testing.assert_allclose(np.cumprod(1 + result.returns), wealth[1:], rtol=1e-12)
    assert (result.weights.loc[days[16] :, "B"] == 0).all()
    assert (result.weights.loc[: days[3], "A"] == 0).all()


def test_a_delisted_asset_becomes_cash_at_its_last_price(panel_of):
    panel = panel_of(20)
    last = panel.dates[10]
    listing = Listing.from_dates(panel, last={"A1": last})
    seen = {}

    def policy(past, previous):
        seen[past.date] = (past.assets, previous)
        return pd.Series(0.3, index=list(past.assets))

    start = panel.dates[5]
    # decisions on rows 5, 8 and 11; the order of row 10 for a dead asset is planted by hand below
    result = backtest(panel, policy, start=start, rebalance=3, costs=LinearCost(0.001), listing=listing)
    gone = panel.dates[11]
    before = result.ledger.loc[last]
    position = result.weights.loc[last, "A1"] * before["wealth"]
    assert result.ledger.loc[gone, "delisted"] == pytest.approx(position, rel=1e-14)
    assert result.weights.loc[gone, "A1"] == 0
    # its return of the first date without a price is not earned, those of the others are
    others = result.weights.loc[last, ["A0", "A2"]].to_numpy() @ panel.returns.loc[gone, ["A0", "A2"]].to_numpy()
    assert result.returns[gone] == pytest.approx(others, rel=1e-12)
    # known only from the first date without a price on
    assert seen[panel.dates[8]][0] == panel.assets
    assert seen[gone][0] == ("A0", "A2")
    assert list(seen[gone][1].index) == ["A0", "A2"]


def test_an_order_for_an_asset_that_died_meanwhile_stays_in_cash(panel_of):
    panel = panel_of(20)
    listing = Listing.from_dates(panel, last={"A1": panel.dates[8]})
    result = backtest(
        panel, lambda past: pd.Series(0.3, index=list(past.assets)), start=panel.dates[8], rebalance=[panel.dates[8]],
        costs=None, listing=listing,
    )  # fmt: skip
    np.testing.assert_allclose(result.weights.loc[panel.dates[9]], [0.3, 0.0, 0.3], atol=1e-15)
    assert result.ledger.loc[panel.dates[9], "cash"] == pytest.approx(0.4, abs=1e-15)
    assert result.decisions["not_tradable"].tolist() == ["A1"]


def test_returns_of_unlisted_cells_do_not_matter(panel_of):
    panel = panel_of(30)
    listing = Listing.from_dates(panel, first={"A0": panel.dates[12]}, last={"A1": panel.dates[20]}, minimum_history=4)
    rows = panel.returns
    rows.iloc[:12, 0] = 9.0 + np.arange(12)
    rows.iloc[21:, 1] = 7.0 + np.arange(9)
    other = ReturnPanel(rows, kind="simple")

    def policy(past):
        score = past.returns.sum().to_numpy()
        return pd.Series(score, index=list(past.assets))

    a, b = (backtest(p, policy, start=p.dates[5], rebalance=2, costs=None, listing=listing) for p in (panel, other))
    pd.testing.assert_frame_equal(a.ledger, b.ledger, check_exact=True)
    pd.testing.assert_frame_equal(a.targets, b.targets, check_exact=True)


def test_a_young_asset_is_shown_when_it_has_a_history(panel_of):
    panel = panel_of(30)
    listing = Listing.from_dates(panel, first={"A0": panel.dates[12]}, minimum_history=5)
    seen = {}

    def policy(past):
        seen[past.date] = (past.assets, past.n_dates)

    backtest(panel, policy, start=panel.dates[14], rebalance="daily", costs=None, listing=listing)
    assert seen[panel.dates[15]] == (("A1", "A2"), 16)
    assert seen[panel.dates[16]] == (panel.assets, 5)


def test_nothing_listed_is_a_date_without_decision(panel):
    mask = pd.DataFrame(False, index=panel.dates, columns=list(panel.assets))
    result = backtest(
        panel, EqualWeightPolicy(), start=panel.dates[70], rebalance=4, costs=None, listing=Listing(mask=mask)
    )
    assert result.decisions["status"].tolist() == ["no assets"] * 3
    assert (result.wealth == 1.0).all()


@pytest.mark.parametrize("error", [InfeasibleError("too tight"), SolverError("stopped")])
def test_a_failed_solve_holds_and_is_counted(panel, error):
    fails_on = panel.dates[20]

    def policy(past):
        if past.date == fails_on:
            raise error
        return pd.Series(1 / 3, index=list(past.assets))

    result = backtest(panel, policy, start=panel.dates[10], rebalance=5, costs=LinearCost(0.001))
    assert result.n_failed == 1
    row = result.decisions.loc[fails_on]
    assert row["status"] == "failed"
    assert row["reason"] == f"{type(error).__name__}: {error}"
    assert pd.isna(row["executed"])
    assert fails_on not in result.targets.index
    following = panel.dates[21]
    assert result.turnover[following] == 0
    drifted = result.weights.loc[fails_on] * (1 + panel.returns.loc[following])
    np.testing.assert_allclose(result.weights.loc[following], drifted / drifted.sum(), rtol=1e-12)
    assert "1 failed" in repr(result)


def test_other_errors_are_not_swallowed(panel):
    def broken(past):
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        backtest(panel, broken, start=panel.dates[10], rebalance=5, costs=None)
    assert not issubclass(ZeroDivisionError, PortfolioError)


def test_policies_may_take_anything_by_name(panel):
    seen = []
    backtest(panel, lambda past, **given: seen.append(sorted(given)), start=panel.dates[79], rebalance=5, costs=None)
    assert seen == [["previous", "seed"]]


def test_none_holds(panel):
    result = backtest(panel, lambda past: None, start=panel.dates[10], rebalance=5, costs=None)
    assert set(result.decisions["status"]) == {"held"}
    assert (result.returns == 0).all()


def test_policy_sees_held_weights_and_dated_seeds(panel):
    seen = []

    def policy(past, *, previous, seed):
        seen.append((past.date, previous, seed))
        return Allocation(weights=pd.Series(0.3, index=list(past.assets)), status="optimal", objective=0.5)

    result = backtest(panel, policy, start=panel.dates[10], rebalance=3, costs=LinearCost(0.01), seed=5)
    for date, previous, seed in seen:
        np.testing.assert_array_equal(previous, result.weights.loc[date])
        assert seed == dated_seed(5, date.isoformat())
    assert (result.decisions["status"] == "optimal").all()
    assert (result.decisions["objective"] == 0.5).all()


def test_log_and_simple_panels_give_the_same_wealth(panel):
    a, b = (
        backtest(p, EqualWeightPolicy(), start=panel.dates[10], rebalance="weekly", costs=LinearCost(0.001))
        for p in (panel, panel.to_kind("log"))
    )
    np.testing.assert_allclose(a.wealth, b.wealth, rtol=1e-12)


def test_same_close_execution_is_refused(panel):
    with pytest.raises(LookAheadError, match="lag=0 trades at the close that the decision has just seen"):
        backtest(panel, EqualWeightPolicy(), start=panel.dates[10], rebalance="daily", costs=None, lag=0)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"lag": -1}, ConfigError, "lag must be a positive number of dates"),
        ({"lag": 1.5}, ConfigError, "lag must be a positive number of dates"),
        ({"seed": -1}, ConfigError, "seed must be a non-negative integer"),
        ({"costs": 0.001}, ConfigError, "costs must be a cost object"),
        ({"listing": 3}, ConfigError, "listing must be a Listing or None"),
        ({"start": "2030-01-01"}, DataError, "no dates to test from 2030-01-01 to the end"),
        ({"end": "2023-01-01"}, DataError, "no dates to test from"),
        ({"policy": 3}, ConfigError, "a policy must be an object with decide"),
        ({"policy": EqualWeightPolicy}, ConfigError, "a policy must be an object with decide"),
        ({"policy": lambda past, model: None}, ConfigError, "this one also needs model"),
        ({"policy": lambda: None}, ConfigError, "this one takes nothing"),
        ({"policy": lambda past: [0.3, 0.3, 0.4]}, ConfigError, "must return an Allocation, a Series or a mapping"),
        ({"policy": lambda past: {"A0": 1.0}}, DataError, "the policy's weights must name exactly the 3 assets"),
        ({"policy": lambda past: dict.fromkeys(past.assets, np.nan)}, DataError, "must be finite for every asset"),
        ({"panel": "prices.csv"}, ConfigError, "panel must be a ReturnPanel: got str"),
    ],
)
def test_refusals(panel, changes, error, message):
    arguments = {"panel": panel, "policy": EqualWeightPolicy(), "start": panel.dates[10], "rebalance": 5, "costs": None}
    arguments |= changes
    with pytest.raises(error, match=message):
        backtest(arguments.pop("panel"), arguments.pop("policy"), **arguments)


def test_bankruptcy_is_an_error_with_a_date():
    days = pd.bdate_range("2024-01-01", periods=4)
    panel = ReturnPanel(pd.DataFrame({"A": [0.0, 0.01, -0.3, 0.1]}, index=days), kind="simple")
    with pytest.raises(DataError, match="the portfolio is bankrupt on 2024-01-03"):
        backtest(panel, lambda past: {"A": 5.0}, start=days[0], rebalance="daily", costs=None)


def test_listing_refusals(panel):
    with pytest.raises(DataError, match="listing dates name 'Z'"):
        Listing.from_dates(panel, last={"Z": "2024-01-05"})
    with pytest.raises(DataError, match="a listing mask must be a DataFrame"):
        Listing(mask=pd.DataFrame({"A0": [1.0]}))
    with pytest.raises(ConfigError, match="minimum_history must be a positive number"):
        Listing.from_dates(panel, minimum_history=0)
    short = Listing(mask=Listing.from_dates(panel).mask.iloc[:-2].drop(columns="A1"))
    with pytest.raises(DataError, match=r"missing 2 dates and assets \['A1'\]"):
        short.on(panel)


def test_settings_describe_themselves():
    facts = BacktestSettings(rebalance=["2024-01-01"], costs=LinearCost(0.001)).facts()
    assert facts["costs"] == "LinearCost(rate=0.001)"
    assert facts["lag"] == 1
