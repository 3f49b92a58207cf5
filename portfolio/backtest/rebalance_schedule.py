"""On which dates a policy decides: a function of the dates alone, and of none after the decision.

"Monthly" means the *first* date of each month. The last one would be more usual, but that a date is the
last of its month is known only from the next: data that end in mid-month would give other decisions.
"""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import pandas as pd

from tsgen.errors import ConfigError, DataError

Calendar = Literal["daily", "weekly", "monthly", "quarterly", "yearly"]
Schedule = Calendar | int | Iterable[Any]
CALENDARS: tuple[Calendar, ...] = ("daily", "weekly", "monthly", "quarterly", "yearly")
_PERIODS = {"weekly": "W-SUN", "monthly": "M", "quarterly": "Q", "yearly": "Y"}


def scheduled_dates(dates: pd.DatetimeIndex, schedule: Schedule) -> pd.DatetimeIndex:
    """Dates of a schedule; the first date belongs to it, unless dates are given one by one.

    Parameters
    ----------
    dates : DatetimeIndex
        Increasing.
    schedule : {"daily", "weekly", "monthly", "quarterly", "yearly"}, int or dates
        A calendar word: the first date, and then the first one of each new week (Monday to Sunday), month, quarter
        or year. A number n: every n-th date, from the first on. Dates: those of them that lie between the first and
        the last of ``dates``, and these must be among them.

    Returns
    -------
    DatetimeIndex

    Raises
    ------
    ConfigError
        If the schedule is not understood.
    DataError
        If a given date within the span is not among ``dates``, none lies within it, or they do not increase.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-30", "2024-03-04")
    >>> [str(day.date()) for day in scheduled_dates(days, "monthly")]
    ['2024-01-30', '2024-02-01', '2024-03-01']
    >>> len(scheduled_dates(days, 5))
    5
    """
    if isinstance(schedule, str):
        if schedule not in CALENDARS:
            raise ConfigError(f"rebalance must be one of {', '.join(CALENDARS)}, a number or dates: got {schedule!r}.")
        if schedule == "daily":
            return dates
        period = dates.to_period(_PERIODS[schedule]).asi8
        return dates[np.concatenate([[True], np.diff(period) != 0])] if len(dates) else dates
    if isinstance(schedule, (int, np.integer)) and not isinstance(schedule, bool):
        if schedule < 1:
            raise ConfigError(f"rebalance every n dates needs n of at least 1: got {schedule!r}.")
        return dates[:: int(schedule)]
    if isinstance(schedule, Iterable):
        return _given_dates(dates, schedule)
    raise ConfigError(f"rebalance must be one of {', '.join(CALENDARS)}, a number or dates: got {schedule!r}.")


def _given_dates(dates: pd.DatetimeIndex, given: Iterable[Any]) -> pd.DatetimeIndex:
    chosen = pd.DatetimeIndex([pd.Timestamp(date) for date in given]).as_unit(dates.unit)
    if not len(chosen) or not chosen.is_monotonic_increasing or chosen.has_duplicates:
        raise DataError(f"rebalancing dates must increase, at least one: got {len(chosen)} dates. Sort them.")
    inside = chosen[(chosen >= dates[0]) & (chosen <= dates[-1])]
    if not len(inside):
        raise DataError(f"no rebalancing date lies between {dates[0].date()} and {dates[-1].date()}. Add one.")
    unknown = inside[~inside.isin(dates)]
    if len(unknown):
        raise DataError(
            f"rebalancing dates must be dates of the panel: {unknown[0].date()} is not ({len(unknown)} in all between "
            f"{dates[0].date()} and {dates[-1].date()}). Take them from panel.dates."
        )
    return inside
