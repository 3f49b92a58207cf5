"""Signals: known from their date on, cut at every decision, replaced by the leak check like returns."""

import numpy as np
import pandas as pd
import pytest

from portfolio.backtest import BacktestSettings, PastView, Signals, backtest, check_no_lookahead
from portfolio.backtest.replaced_future import REPLACEMENTS, signals_with_replaced_future
from tsgen.errors import ConfigError, DataError, LookAheadError


@pytest.fixture
def signals(panel):
    rows = np.random.default_rng(5).normal(size=(panel.n_dates, 3))
    return Signals(pd.DataFrame(rows, index=panel.dates, columns=list(panel.assets)))


def follow(past):
    return past.signals.iloc[-1].rank() / 10


def test_a_policy_sees_what_was_known(panel, signals):
    seen = []

    def policy(past):
        seen.append((past.date, past.signals))
        return follow(past)

    result = backtest(panel, policy, start=panel.dates[20], rebalance=10, costs=None, signals=signals)
    assert len(seen) == len(result.decisions) == 6
    for date, table in seen:
        pd.testing.assert_frame_equal(table, signals.table.loc[:date], check_freq=False)
        # own memory: no base array that still holds the future
        assert table.to_numpy().base is None or table.to_numpy().base.shape[0] <= len(table.columns) * len(table)
    seen[0][1].iloc[:] = 99.0
    assert (signals.table.to_numpy() < 99).all()
    np.testing.assert_array_equal(result.targets.iloc[0], signals.table.loc[panel.dates[20]].rank() / 10)


def test_other_dates_than_the_returns(panel):
    monthly = pd.DataFrame(
        {"growth": [1.0, 2.0, 3.0]}, index=pd.to_datetime(["2024-01-31", "2024-02-29", "2024-03-31"])
    )
    lengths = []

    def policy(past):
        lengths.append(len(past.signals))

    backtest(
        panel, policy, start="2024-01-15", end="2024-04-02", rebalance="monthly", costs=None, signals=Signals(monthly)
    )
    assert lengths == [0, 1, 2, 3]
    lengths.clear()
    delayed = Signals.delayed(monthly, "2D")
    backtest(panel, policy, start="2024-01-15", end="2024-04-02", rebalance="monthly", costs=None, signals=delayed)
    # 31 January is known on 2 February, the first February decision is on the 1st; 31 March on 2 April
    assert lengths == [0, 0, 1, 2]


def test_a_view_refuses_later_signals(panel, signals):
    date = panel.dates[30]
    known = panel.until(date)
    with pytest.raises(LookAheadError, match="must not contain later signals"):
        PastView(panel=known, date=date, recorded=signals)
    assert len(PastView(panel=known, date=date, recorded=signals.until(date)).signals) == 31
    with pytest.raises(ConfigError, match=r"asks for past\.signals, but there are none"):
        _ = PastView(panel=known, date=date).signals
    with pytest.raises(ConfigError, match=r"asks for past\.signals"):
        backtest(panel, follow, start=date, rebalance=10, costs=None)


def test_leak_check_replaces_signals(panel, signals):
    settings = BacktestSettings(rebalance=7, costs=None, signals=signals)
    start = panel.dates[20]
    report = check_no_lookahead(panel, follow, start=start, settings=settings, replacements=REPLACEMENTS)
    assert report.n_compared > 0

    def scored(data, signals):
        table = signals.table
        scores = (table - table.mean()) / table.std()  # over everything: the leak
        return lambda past: scores.loc[past.date] / 10

    for replacement in REPLACEMENTS:
        with pytest.raises(LookAheadError, match="moved"):
            check_no_lookahead(panel, build=scored, start=start, settings=settings, replacements=[replacement])

    def rolled(data, signals):
        scores = signals.table.rolling(10).mean()
        return lambda past: scores.loc[past.date] / 10

    assert check_no_lookahead(panel, build=rolled, start=start, settings=settings).rebuilt
    # signals held by the policy itself cannot be replaced: refused instead of passed
    with pytest.raises(LookAheadError, match="the policy holds data up to"):
        check_no_lookahead(panel, lambda past: signals.until(past.date).table.iloc[-1], start=start)


def test_replaced_signals_keep_the_past(signals):
    cut = signals.table.index[50]
    for replacement in ("resampled", "extreme"):
        other = signals_with_replaced_future(signals, cut, replacement, rng=np.random.default_rng(0)).table
        np.testing.assert_array_equal(other.loc[:cut], signals.table.loc[:cut])
        assert (other.iloc[51:] != signals.table.iloc[51:]).all(axis=None)
    absent = signals_with_replaced_future(signals, cut, "absent", rng=np.random.default_rng(0))
    assert absent.last_date == cut
    with pytest.raises(ConfigError, match="replacements must be among"):
        signals_with_replaced_future(signals, cut, "zero", rng=np.random.default_rng(0))


def test_fingerprints_tell_tables_apart(signals):
    table = signals.table
    assert Signals(table.copy()).fingerprint() == signals.fingerprint()
    assert Signals(table.set_axis(pd.DatetimeIndex(table.index).as_unit("s"))).fingerprint() == signals.fingerprint()
    changed = [table * 1.0000001, table.rename(columns={"A0": "Z"}), table.shift(1, freq="D"), table.iloc[1:]]
    assert len({Signals(t).fingerprint() for t in changed} | {signals.fingerprint()}) == 5
    assert "80 rows x 3 signals" in repr(signals)
    assert repr(signals.until("2000-01-01")) == "Signals(0 rows x 3 signals)"
    assert BacktestSettings(rebalance=5, costs=None, signals=signals).facts()["signals"] == signals.fingerprint()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["A0"], "must be a DataFrame indexed by dates"),
        (lambda t: t.reset_index(drop=True), "must be a DataFrame indexed by dates"),
        (lambda t: t.iloc[::-1], "strictly increasing"),
        (lambda t: pd.concat([t, t.iloc[-1:]]), "strictly increasing"),
        (lambda t: t.tz_localize("UTC"), "without time zone"),
        (lambda t: t[[]], "at least one"),
        (lambda t: t[["A0", "A0"]], "unique names"),
        (lambda t: t.assign(A0="up"), "A0 are not"),
        (lambda t: t.replace(t.iloc[3, 1], np.inf), "must not be infinite"),
    ],
)
def test_unusable_tables(signals, change, message):
    with pytest.raises(DataError, match=message):
        Signals(change(signals.table))


def test_refusals(signals):
    for delay in ("-1D", "soon", None):
        with pytest.raises(ConfigError, match="delay must"):
            Signals.delayed(signals.table, delay)
    with pytest.raises(ConfigError, match=r"signals must be Signals\(table\) or None"):
        BacktestSettings(rebalance=5, costs=None, signals=signals.table)
