"""Missing prices: an error that names asset and date, or a choice that is written down.

Works on a table of prices (NaN = missing) before returns exist. Nothing is ever filled in: an
invented price gives a zero return, which is a statement about risk.
"""

from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from tsgen.errors import ConfigError, DataError
from tsgen.marketdata.panel_checks import day

MissingPolicy = Literal["error", "drop_dates", "drop_assets", "align"]
MISSING_POLICIES: tuple[MissingPolicy, ...] = ("error", "drop_dates", "drop_assets", "align")

_DATES_LISTED = 20


def check_missing_policy(missing: str) -> MissingPolicy:
    """Return ``missing`` if it is a known policy; raise `ConfigError` otherwise."""
    if missing not in MISSING_POLICIES:
        raise ConfigError(f"missing must be one of {', '.join(MISSING_POLICIES)}: got {missing!r}.")
    return cast("MissingPolicy", missing)


def _refuse_holes(prices: pd.DataFrame, *, remedy: str) -> None:
    holes = prices.isna().to_numpy()
    if not holes.any():
        return
    row, column = (int(i) for i in np.argwhere(holes)[0])
    per_asset = ", ".join(f"{name}: {n}" for name, n in prices.isna().sum().items() if n)
    raise DataError(
        f"prices must not be missing: the first hole is {prices.columns[column]} on {day(prices.index[row])}; "
        f"{int(holes.sum())} in all ({per_asset}). {remedy}"
    )


def _common_span(prices: pd.DataFrame) -> pd.DataFrame:
    spans = [(prices[name].first_valid_index(), prices[name].last_valid_index()) for name in prices.columns]
    empty = [name for name, (first, _) in zip(prices.columns, spans, strict=True) if first is None]
    if empty:
        raise DataError(
            f"align needs at least one price per asset: {', '.join(empty)} has none. Use missing='drop_assets'."
        )
    start, end = max(cast("Any", first) for first, _ in spans), min(cast("Any", last) for _, last in spans)
    if start > end:
        late = next(n for n, (first, _) in zip(prices.columns, spans, strict=True) if first == start)
        early = next(n for n, (_, last) in zip(prices.columns, spans, strict=True) if last == end)
        raise DataError(
            f"align found no common span: {late} starts on {day(start)}, {early} already ends on {day(end)}. "
            "Remove one of them."
        )
    return prices.loc[start:end]


def apply_missing_policy(prices: pd.DataFrame, missing: MissingPolicy) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Deal with missing prices as told, and say what was dropped.

    Parameters
    ----------
    prices : DataFrame of shape (date, asset), float64
        NaN marks a missing price; dates strictly increasing.
    missing : {"error", "drop_dates", "drop_assets", "align"}
        ``drop_dates``: remove every date with a hole (a return then spans several periods);
        ``drop_assets``: remove every asset with a hole; ``align``: keep the dates between the latest
        first price and the earliest last price, and refuse holes inside.

    Returns
    -------
    prices : DataFrame
        Without missing values.
    facts : dict
        ``policy``, ``n_missing``, ``dropped_assets``, ``n_dropped_dates`` and the first dropped dates.

    Raises
    ------
    DataError
        If holes remain, or nothing does.

    Examples
    --------
    >>> dates = pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-03"], name="date")
    >>> prices = pd.DataFrame({"A": [1.0, 1.1, 1.2], "B": [np.nan, 2.0, 2.1]}, index=dates)
    >>> kept, facts = apply_missing_policy(prices, "align")
    >>> len(kept), facts["n_dropped_dates"], facts["dropped_dates"]
    (2, 1, ['2024-01-01'])
    """
    kept = prices
    match check_missing_policy(missing):
        case "error":
            _refuse_holes(prices, remedy="Repair the source, or choose missing='drop_dates', 'drop_assets' or 'align'.")
        case "drop_dates":
            kept = prices.dropna(axis="index", how="any")
        case "drop_assets":
            kept = prices.dropna(axis="columns", how="any")
        case "align":
            kept = _common_span(prices)
            _refuse_holes(kept, remedy="Inside the common span: repair these or use missing='drop_dates'.")
    if 0 in kept.shape:
        what = "asset" if kept.shape[1] == 0 else "date"
        raise DataError(
            f"missing={missing!r} leaves no {what}: every one of {prices.shape[1 if what == 'asset' else 0]} has a "
            "missing price. Choose another option or repair the source."
        )
    dropped = prices.index.difference(kept.index)
    facts = {
        "policy": missing,
        "n_missing": int(prices.isna().to_numpy().sum()),
        "dropped_assets": [name for name in prices.columns if name not in kept.columns],
        "n_dropped_dates": len(dropped),
        "dropped_dates": [day(stamp) for stamp in dropped[:_DATES_LISTED]],
    }
    return kept, facts
