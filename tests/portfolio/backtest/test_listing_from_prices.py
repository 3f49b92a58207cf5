"""Prices with gaps become a panel and a listing whose backtest is that of a hand-kept account."""

import numpy as np
import pandas as pd
import pytest

from portfolio.backtest import EqualWeightPolicy, backtest, panel_with_listing
from tsgen.errors import DataError

NAN = np.nan
DAYS = pd.bdate_range("2024-01-01", periods=7)
PRICES = pd.DataFrame(
    {
        "stays": [10.0, 11.0, 11.0, 12.0, 12.0, 15.0, 15.0],
        "leaves": [5.0, 5.0, 6.0, 3.0, NAN, NAN, NAN],
        "comes": [NAN, NAN, 2.0, 2.2, 2.2, 1.1, 2.2],
    },
    index=DAYS,
)


@pytest.mark.parametrize("kind", ["simple", "log"])
def test_cells_with_two_closes_are_listed(kind):
    panel, listing = panel_with_listing(PRICES, kind=kind, source="mine")
    assert panel.dates.equals(DAYS[1:].rename("date"))
    assert listing.mask["leaves"].tolist() == [True, True, True, False, False, False]
    assert listing.mask["comes"].tolist() == [False, False, True, True, True, True]
    change = PRICES.pct_change(fill_method=None).iloc[1:]
    expected = np.log1p(change) if kind == "log" else change
    np.testing.assert_allclose(panel.values, expected.fillna(0.0), atol=1e-15)
    assert (panel.kind, panel.source) == (kind, "mine")


def test_the_account_by_hand():
    panel, listing = panel_with_listing(PRICES)
    result = backtest(
        panel, EqualWeightPolicy(), start=DAYS[1], rebalance=list(DAYS[[1, 4]]), costs=None, listing=listing
    )
    # decided on day 1 over stays and leaves, bought at the close of day 2 at 11 and 6; leaves ends at 3
    wealth = 0.5 * 12 / 11 + 0.5 * 3 / 6
    assert result.wealth.iloc[3] == pytest.approx(wealth, rel=1e-12)
    assert result.ledger["delisted"].iloc[3] == pytest.approx(0.25, rel=1e-12)
    # decided on day 4 over stays and comes, bought at the close of day 5 at 15 and 1.1
    before = 0.5 * 15 / 11 + 0.25
    assert result.wealth.iloc[4] == pytest.approx(before, rel=1e-12)
    assert result.wealth.iloc[5] == pytest.approx(before * (0.5 + 0.5 * 2), rel=1e-12)


def test_a_policy_never_sees_a_filled_cell():
    panel, listing = panel_with_listing(PRICES, minimum_history=2)
    seen = []
    backtest(
        panel, lambda past: seen.append(past.returns), start=DAYS[1], rebalance="daily", costs=None, listing=listing
    )
    assert all((frame.to_numpy() != 0.0).any() for frame in seen)
    assert all("comes" not in frame or frame.index[0] >= DAYS[3] for frame in seen)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p["stays"], "must be a DataFrame"),
        (lambda p: p.iloc[:1], "at least two dates"),
        (lambda p: p.replace(15.0, 0.0), "stays is 0.0 on 2024-01-08"),
        (lambda p: p.replace(15.0, np.inf), "stays is inf"),
        (lambda p: p.assign(never=[1.0, NAN] * 3 + [1.0]), "no two prices in a row: never"),
    ],
)
def test_unusable_prices(change, message):
    with pytest.raises(DataError, match=message):
        panel_with_listing(change(PRICES))
