"""From a raw table to checked prices to returns.

A raw table comes from a file, a package or a user; a price table has a clean date index and one
float64 column per asset, every entry positive and finite or missing (NaN).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tsgen.errors import DataError, ShapeError
from tsgen.marketdata.panel_checks import check_dates, check_names, day, places_of
from tsgen.return_kind import ReturnKind, check_kind


def _pick_dates(table: pd.DataFrame, origin: str) -> tuple[pd.Index, pd.DataFrame]:
    """Dates and the rest: the index if it holds dates, else the column "date", else the first column."""
    if isinstance(table.index, pd.DatetimeIndex):
        return table.index, table
    named = [c for c in table.columns if str(c).strip().lower() == "date"]
    if len(named) > 1:
        raise DataError(f"{origin} has {len(named)} columns called date: got {named}. Keep one.")
    if not named and not pd.api.types.is_integer_dtype(table.index.dtype):
        return table.index, table
    if table.shape[1] == 0:
        raise ShapeError(f"{origin} has no columns: expected a date column and one price column per asset.")
    column = named[0] if named else table.columns[0]
    return pd.Index(table[column], name="date"), table.drop(columns=column)


def _parse_dates(raw: pd.Index, origin: str) -> pd.Index:
    if isinstance(raw, pd.DatetimeIndex):
        return raw
    if isinstance(raw, (pd.PeriodIndex, pd.MultiIndex)) or pd.api.types.is_numeric_dtype(raw.dtype):
        # a number read as a date would silently count nanoseconds since 1970
        raise DataError(
            f"{origin} must have dates such as 2013-12-31: got {raw.dtype} (first entry {raw[0]}). "
            "Convert them first, for example pd.to_datetime(column, format='%Y%m%d') or .to_timestamp(how='end')."
        )
    text = pd.Series(raw).astype(str).str.strip()
    full = text.str.match(r"\d{4}-\d{2}-\d{2}")
    try:
        parsed = pd.to_datetime(text.where(full), format="ISO8601", errors="coerce")
    except ValueError as error:
        raise DataError(f"{origin} mixes time zones in its dates ({error}). Remove the offsets.") from error
    bad = np.flatnonzero(parsed.isna())
    if bad.size:
        row = int(bad[0])
        raise DataError(
            f"{origin} must have dates written as YYYY-MM-DD: row {row} (counted from 0) has {raw[row]!r}, "
            f"{bad.size} such rows in all. Other orders of day and month are ambiguous; convert them first."
        )
    return pd.DatetimeIndex(parsed)


def _numeric(column: pd.Series, *, asset: str, dates: pd.DatetimeIndex, origin: str) -> np.ndarray[Any, Any]:
    dtype = column.dtype
    usable = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)
    if (usable and not pd.api.types.is_bool_dtype(dtype)) or bool(column.isna().all()):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    present = np.flatnonzero(column.notna())
    wrong = np.flatnonzero(pd.to_numeric(column, errors="coerce").isna() & column.notna())
    row = int(wrong[0] if wrong.size else present[0])
    raise DataError(
        f"prices must be numbers: {asset} in {origin} has type {dtype}, the first at fault on {day(dates[row])} "
        f"({column.iloc[row]!r}). Expected one price column per asset; remove other columns, pivot a long table."
    )


def _check_prices(prices: pd.DataFrame, origin: str) -> None:
    values = prices.to_numpy()
    for bad, what, remedy in (
        (np.isinf(values), "finite", "A division by zero upstream?"),
        (values <= 0, "positive", "Returns need prices; is this a column of returns, or a placeholder for missing?"),
    ):
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            raise DataError(
                f"prices must be {what}: {prices.columns[column]} on {day(prices.index[row])} is "
                f"{values[row, column]:g}; {int(bad.sum())} such prices in {origin}. {remedy}"
            )


def price_table(table: pd.DataFrame, *, origin: str, wanted: Sequence[str] | None = None) -> pd.DataFrame:
    """Check a raw table of prices.

    Parameters
    ----------
    table : DataFrame
        Dates in the index, in a column "date" or in the first column; one price column per asset.
    origin : str
        How to call the table in messages.
    wanted : sequence of str, optional
        Assets to look at, in this order; nothing of the others is checked.

    Returns
    -------
    DataFrame of shape (date, asset), float64
        Strictly increasing dates; entries positive and finite, or NaN where missing.

    Raises
    ------
    DataError
        For unreadable, repeated or unsorted dates, text among the prices, infinite or non-positive prices, and wanted
        assets that are unknown or repeated.
    ShapeError
        If there are no rows or no price columns.

    Examples
    --------
    >>> raw = pd.DataFrame({"date": ["2024-01-01", "2024-01-02"], "A": [100, 101]})
    >>> price_table(raw, origin="a table")["A"].tolist()
    [100.0, 101.0]
    """
    if len(table) == 0:
        raise ShapeError(f"{origin} is empty: expected dates and prices in rows, got none.")
    raw_dates, rest = _pick_dates(table, origin)
    names = check_names(rest.columns, what=origin)
    places = range(len(names)) if wanted is None else places_of(wanted, names, what=origin)
    assets, rest = tuple(names[i] for i in places), rest.iloc[:, list(places)]
    dates = check_dates(_parse_dates(raw_dates, origin), what=origin)
    columns = [_numeric(rest.iloc[:, i], asset=asset, dates=dates, origin=origin) for i, asset in enumerate(assets)]
    prices = pd.DataFrame(np.column_stack(columns), index=dates, columns=list(assets))
    _check_prices(prices, origin)
    return prices


def returns_from_prices(prices: pd.DataFrame, *, kind: ReturnKind) -> pd.DataFrame:
    """Returns between neighbouring rows, dated by the later one.

    Parameters
    ----------
    prices : DataFrame of shape (date, asset), float64
        Positive, without missing values; at least two rows.
    kind : {"simple", "log"}
        ``P_t / P_{t-1} - 1`` or ``log(P_t / P_{t-1})``, decimals per period.

    Returns
    -------
    DataFrame of shape (date - 1, asset), float64

    Raises
    ------
    ShapeError
        If there are fewer than two prices.

    Examples
    --------
    >>> prices = pd.DataFrame({"A": [100.0, 110.0]}, index=pd.DatetimeIndex(["2024-01-01", "2024-01-02"]))
    >>> returns_from_prices(prices, kind="simple")["A"].round(12).tolist()
    [0.1]
    """
    if len(prices) < 2:
        raise ShapeError(f"a return needs two prices: got {len(prices)} row. Load a longer history.")
    values = prices.to_numpy()
    before, now = values[:-1], values[1:]
    # (now - before) / before is exact to rounding for small moves; now / before - 1 is not
    returns = (now - before) / before if check_kind(kind) == "simple" else np.log(now / before)
    return pd.DataFrame(returns, index=prices.index[1:], columns=prices.columns)
