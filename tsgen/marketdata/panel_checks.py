"""What a return panel may contain: the checks, one function per kind of mistake.

Used by `return_panel` only (and by the price table for the shared ones); every message names the
asset and the date at fault.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsgen.errors import DataError, ShapeError
from tsgen.return_kind import ReturnKind

# a ratio of two float64 prices carries a relative error of about 2e-16
_CONSTANT_SPREAD = 1e-14
_FULL_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def day(stamp: Any) -> str:
    """Text of a time stamp: the date alone where there is no time of day."""
    stamp = pd.Timestamp(stamp)
    return str(stamp.date()) if stamp == stamp.normalize() else str(stamp)


def as_timestamp(date: Any) -> pd.Timestamp:
    """Turn a user's date into a time stamp; half-written dates are refused, not completed.

    Raises
    ------
    DataError
        For numbers, for text other than ``YYYY-MM-DD[...]``, for NaT and for dates with a time zone.

    Examples
    --------
    >>> as_timestamp("2013-12-31")
    Timestamp('2013-12-31 00:00:00')
    """
    stamp: Any = pd.NaT
    # "2013" would silently become 1 January 2013, and the integer 2013 would become 1 January 1970
    written_in_full = not isinstance(date, str) or _FULL_DATE.match(date)
    if written_in_full and not isinstance(date, (bool, int, float, np.number)):
        try:
            stamp = pd.Timestamp(date)
        except (ValueError, TypeError):
            stamp = pd.NaT
    if stamp is pd.NaT:
        raise DataError(
            f"expected a date written in full, such as '2013-12-31', or a datetime: got {date!r}. "
            "Write year, month and day."
        )
    if stamp.tzinfo is not None:
        raise DataError(f"dates carry no time zone here: got {stamp}. Use .tz_localize(None) first.")
    return stamp


def check_dates(index: pd.Index, *, what: str) -> pd.DatetimeIndex:
    """Return a `DatetimeIndex` named "date" in microseconds, unique and strictly increasing.

    Raises
    ------
    DataError
        If the index holds no dates, a missing date, a time zone, a repeated date or a step back.
    """
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError(
            f"{what} must be indexed by dates (a DatetimeIndex): got {type(index).__name__}. "
            "Use frame.set_index(pd.to_datetime(frame['date'], format='ISO8601'))."
        )
    if index.tz is not None:
        raise DataError(f"{what} must have dates without time zone: got {index.tz}. Use .tz_localize(None) first.")
    if index.hasnans:
        row = int(np.flatnonzero(index.isna())[0])
        raise DataError(f"{what} must have a date in every row: row {row} (counted from 0) has none. Repair it.")
    # one resolution for all, so that seconds, micro- and nanoseconds mean the same panel
    dates = pd.DatetimeIndex(index.as_unit("us").to_numpy(), name="date")
    steps = np.diff(dates.asi8)
    if dates.has_duplicates:
        repeated = dates[dates.duplicated()]
        raise DataError(
            f"{what} must have unique dates: {day(repeated[0])} occurs more than once "
            f"({len(repeated)} repeated rows in all). Keep one row per date."
        )
    if (steps < 0).any():
        at = int(np.flatnonzero(steps < 0)[0])
        raise DataError(
            f"{what} must be sorted by date: {day(dates[at + 1])} comes after {day(dates[at])}. "
            "Sort deliberately with frame.sort_index() after checking why."
        )
    return dates


def check_names(columns: pd.Index, *, what: str) -> tuple[str, ...]:
    """Return the asset names as text; they must be single-level and unique."""
    if isinstance(columns, pd.MultiIndex):
        raise ShapeError(
            f"{what} must have one level of column names, one column per asset: got {columns.nlevels} levels. "
            "Select one field first, for example frame['Close']."
        )
    names = tuple(str(c) for c in columns)
    if not names:
        raise ShapeError(f"{what} must have at least one asset column: got none. Check the separator (a comma).")
    repeated = sorted({a for a in names if names.count(a) > 1})
    if repeated:
        raise DataError(f"asset names must be unique: {', '.join(repeated)} occur more than once in {what}.")
    return names


def places_of(wanted: Sequence[str], names: Sequence[str], *, what: str) -> list[int]:
    """Where the wanted assets stand among the names.

    Raises
    ------
    DataError
        If a name is unknown or repeated, or none is given.

    Examples
    --------
    >>> places_of(["B", "A"], ("A", "B", "C"), what="this panel")
    [1, 0]
    """
    if not wanted or len(set(wanted)) != len(wanted):
        raise DataError(f"select needs one or more different asset names: got {list(wanted)}. Name each asset once.")
    for name in wanted:
        if name not in names:
            close = get_close_matches(name, names, n=3)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise DataError(f"unknown asset {name!r}: {what} has {', '.join(names)}.{hint}")
    return [names.index(name) for name in wanted]


def check_values(values: NDArray[np.float64], *, dates: pd.DatetimeIndex, assets: tuple[str, ...]) -> None:
    """Raise `DataError` naming asset and date of the first value that is missing or infinite."""
    bad, missing, infinite = ~np.isfinite(values), int(np.isnan(values).sum()), int(np.isinf(values).sum())
    if not bad.any():
        return
    row, column = (int(i) for i in np.argwhere(bad)[0])
    raise DataError(
        f"returns must be finite: {missing} are missing and {infinite} infinite, "
        f"the first for {assets[column]} on {day(dates[row])} ({values[row, column]}). "
        "Load prices with load_returns(..., missing='drop_dates' | 'drop_assets' | 'align') to decide what goes."
    )


def check_above_total_loss(
    values: NDArray[np.float64], *, dates: pd.DatetimeIndex, assets: tuple[str, ...], kind: ReturnKind
) -> None:
    """Raise `DataError` if a simple return is -100 % or less."""
    if kind == "log" or not (values <= -1.0).any():
        return
    row, column = (int(i) for i in np.argwhere(values <= -1.0)[0])
    raise DataError(
        f"simple returns must be above -1 (-100 %): {assets[column]} on {day(dates[row])} has "
        f"{values[row, column]:.6g}. Are the returns in percent? Divide by 100; or remove the delisted asset."
    )


def check_not_prices(values: NDArray[np.float64], *, assets: tuple[str, ...]) -> None:
    """Raise `DataError` naming the first asset whose returns are all positive and half of them above 50 %."""
    like_prices = np.flatnonzero((values.min(axis=0) > 0.0) & (np.median(values, axis=0) > 0.5))
    if like_prices.size:
        first = int(like_prices[0])
        raise DataError(
            f"returns must be decimals per period: {assets[first]} lies between {values[:, first].min():.6g} and "
            f"{values[:, first].max():.6g}, all positive. If these are prices, pass them to tsgen.load_returns; if "
            "they are gross returns (1 + r), subtract 1; if log prices, take differences."
        )


def check_not_constant(values: NDArray[np.float64], *, assets: tuple[str, ...]) -> None:
    """Raise `DataError` naming the first asset whose returns never change (needs two rows or more)."""
    spread = np.ptp(values, axis=0)
    flat = np.flatnonzero(spread <= _CONSTANT_SPREAD)
    if flat.size == 0:
        return
    first = int(flat[0])
    others = "" if flat.size == 1 else f" (and {flat.size - 1} more)"
    raise DataError(
        f"asset {assets[first]}{others} is constant: all {len(values)} returns equal {values[0, first]:.6g}. "
        "It has no risk to learn; remove it with panel.select or frame.drop(columns=...)."
    )
