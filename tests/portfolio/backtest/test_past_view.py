"""A view of the past: read-only, owns its numbers, refuses to look beyond."""

import numpy as np
import pandas as pd
import pytest

from portfolio.backtest import PastView
from tsgen.errors import ConfigError, LookAheadError


@pytest.fixture
def past(panel):
    return PastView(panel=panel.until(panel.dates[30]), date=panel.dates[30])


def test_shows_the_past_and_nothing_else(panel, past):
    assert past.dates[-1] == past.date == panel.dates[30]
    np.testing.assert_array_equal(past.values, panel.values[:31])
    np.testing.assert_array_equal(past.last(5).values, panel.values[26:31])
    assert past.last(1000).n_dates == past.n_dates == 31
    np.testing.assert_array_equal(past.until(panel.dates[3]).values, panel.values[:4])
    np.testing.assert_array_equal(past.at(panel.dates[7]).to_numpy(), panel.values[7])
    assert past.assets == panel.assets


def test_arrays_are_read_only_and_own_their_memory(panel, past):
    with pytest.raises(ValueError, match="read-only"):
        past.values[0, 0] = 1.0
    base = past.values
    while base.base is not None:
        base = base.base
    # a view on the whole history would have a base with all its rows
    assert base.size == 31 * panel.n_assets
    assert not np.shares_memory(past.values, panel.values)
    frame = past.returns
    frame.iloc[0, 0] = 5.0
    assert past.values[0, 0] == panel.values[0, 0]
    row = past.at(panel.dates[0])
    row.iloc[0] = 7.0
    assert past.values[0, 0] == panel.values[0, 0]


def test_looking_beyond_is_refused(panel, past):
    tomorrow = panel.dates[31]
    with pytest.raises(LookAheadError, match="asked for returns up to 2024-02-13, which lie in its future"):
        past.until(tomorrow)
    with pytest.raises(LookAheadError, match="asked for returns of 2024-02-13"):
        past.at(tomorrow)
    with pytest.raises(LookAheadError, match="must not contain later returns"):
        PastView(panel=panel, date=panel.dates[30])


def test_other_refusals(panel, past):
    with pytest.raises(ConfigError, match="must end on that date"):
        PastView(panel=panel.until(panel.dates[5]), date=panel.dates[6])
    with pytest.raises(ConfigError, match="not a date of this view"):
        past.at(pd.Timestamp("2024-01-06"))
    for bad in (0, -1, True, 2.5):
        with pytest.raises(ConfigError, match="must be a positive integer"):
            past.last(bad)
