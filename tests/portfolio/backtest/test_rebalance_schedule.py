"""Schedules: by the calendar, and never by what comes later."""

import pandas as pd
import pytest

from portfolio.backtest.rebalance_schedule import CALENDARS, scheduled_dates
from tsgen.errors import ConfigError, DataError

DAYS = pd.bdate_range("2023-12-27", "2025-02-05")


def test_by_the_calendar():
    weekly = scheduled_dates(DAYS, "weekly")
    assert (weekly[1:].day_name() == "Monday").all()
    assert len(weekly) == 59
    monthly = scheduled_dates(DAYS, "monthly")
    assert [d.month for d in monthly] == [12, *range(1, 13), 1, 2]
    assert str(monthly[6].date()) == "2024-06-03"  # the first of June 2024 is a Saturday
    assert [str(d.date()) for d in scheduled_dates(DAYS, "yearly")] == ["2023-12-27", "2024-01-01", "2025-01-01"]
    assert len(scheduled_dates(DAYS, "quarterly")) == 6
    assert scheduled_dates(DAYS, "daily").equals(DAYS)
    assert scheduled_dates(DAYS, 100).tolist() == [DAYS[0], DAYS[100], DAYS[200]]
    assert scheduled_dates(DAYS, [DAYS[3], DAYS[9]]).tolist() == [DAYS[3], DAYS[9]]


@pytest.mark.parametrize("schedule", [*CALENDARS, 7])
def test_does_not_depend_on_later_dates(schedule):
    whole = scheduled_dates(DAYS, schedule)
    for stop in range(1, len(DAYS), 13):
        part = scheduled_dates(DAYS[:stop], schedule)
        assert part.equals(whole[whole <= DAYS[stop - 1]])


def test_month_ends_would_depend_on_later_dates():
    # the deliberately wrong schedule: the last date of each month, which the property above excludes
    def month_ends(dates):
        return dates[(pd.Series(dates.to_period("M")).ne(pd.Series(dates.to_period("M")).shift(-1))).to_numpy()]

    whole = month_ends(DAYS)
    assert any(not month_ends(DAYS[:n]).equals(whole[whole <= DAYS[n - 1]]) for n in range(1, 60, 13))


def test_refusals():
    for bad in ("montly", None, 1.5, True):
        with pytest.raises(ConfigError, match="rebalance must be one of daily, weekly"):
            scheduled_dates(DAYS, bad)
    with pytest.raises(ConfigError, match="n of at least 1"):
        scheduled_dates(DAYS, 0)
    with pytest.raises(DataError, match="must be dates of the panel: 2024-01-06 is not"):
        scheduled_dates(DAYS, ["2024-01-05", "2024-01-06"])
    with pytest.raises(DataError, match="no rebalancing date lies between 2023-12-27 and 2025-02-05"):
        scheduled_dates(DAYS, ["2022-01-05"])
    # folds share one list of dates: those of other spans are left out
    assert scheduled_dates(DAYS, ["2022-01-05", "2024-01-05"]).tolist() == [pd.Timestamp("2024-01-05")]
    for bad in ([], ["2024-01-05", "2024-01-04"]):
        with pytest.raises(DataError, match="rebalancing dates must increase"):
            scheduled_dates(DAYS, bad)
