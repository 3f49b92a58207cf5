"""`load_returns`: from a catalogue name, a CSV or Parquet file or a table of prices to a `ReturnPanel`.

The one door for market data. It decides nothing silently: what was dropped stands in the panel's
provenance. Sits on the price table, the missing-value policies and the catalogue.
"""

import csv
import os
from collections.abc import Iterable
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from tsgen.complete_files import sha256_of
from tsgen.errors import ConfigError, DataError, ShapeError, StorageError
from tsgen.marketdata.dataset_catalogue import DatasetEntry, dataset_names, load_table, read_manifest
from tsgen.marketdata.missing_values import MissingPolicy, apply_missing_policy, check_missing_policy
from tsgen.marketdata.panel_checks import as_timestamp, day
from tsgen.marketdata.price_table import price_table, returns_from_prices
from tsgen.marketdata.return_panel import ReturnPanel
from tsgen.return_kind import ReturnKind, check_kind

_SUFFIXES = (".csv", ".parquet")


def _read_csv(path: Path) -> pd.DataFrame:
    with path.open(newline="", encoding="utf-8-sig") as handle:
        header = next(csv.reader(handle), [])
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        # pandas would rename the second "A" to "A.1" and carry on
        raise DataError(f"{path.name} has columns of the same name: {', '.join(repeated)}. Rename them.")
    table = pd.read_csv(path, encoding="utf-8-sig")
    if not isinstance(table.index, pd.RangeIndex):
        raise DataError(f"{path.name} has rows with more fields than its header ({len(header)}). Name every column.")
    return table


def _read_file(path: Path) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise ConfigError(f"prices are read from {' or '.join(_SUFFIXES)} files: got {path.name!r}. Convert the file.")
    if not path.is_file():
        raise StorageError(f"there is no file {path}. Check the path; it is relative to {Path.cwd()}.")
    try:
        return _read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    except pd.errors.EmptyDataError as error:
        raise ShapeError(f"{path.name} is empty: expected a header, dates and prices.") from error
    except (OSError, UnicodeDecodeError, csv.Error, pd.errors.ParserError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise StorageError(
            f"{path.name} is not a readable {suffix[1:]} file ({type(error).__name__}: {reason}). "
            "Expected a UTF-8 CSV with commas, or Parquet; write it again."
        ) from error


class _Wanted(NamedTuple):
    """What may be looked at: nothing else is checked, or decides what missing prices take with them."""

    assets: tuple[str, ...] | None
    until: pd.Timestamp | None

    def of_panel(self, panel: ReturnPanel) -> ReturnPanel:
        chosen = panel if self.assets is None else panel.select(self.assets)
        return chosen if self.until is None else chosen.until(self.until)

    def of_prices(self, prices: pd.DataFrame) -> pd.DataFrame:
        seen = prices if self.until is None else prices.loc[: self.until]
        if len(seen) == 0:
            raise DataError(
                f"no returns up to {day(self.until)}: the prices start on {day(prices.index[0])}. Go later."
            )
        return seen


def _from_prices(
    table: pd.DataFrame,
    *,
    kind: ReturnKind,
    missing: MissingPolicy,
    wanted: _Wanted,
    source: str,
    facts: dict[str, Any],
) -> ReturnPanel:
    prices = wanted.of_prices(price_table(table, origin=source, wanted=wanted.assets))
    kept, dropped = apply_missing_policy(prices, missing)
    provenance = facts | {
        "prices": {"rows": len(prices), "first_date": day(prices.index[0]), "last_date": day(prices.index[-1])},
        "missing": dropped,
    }
    return ReturnPanel(returns_from_prices(kept, kind=kind), kind=kind, source=source, provenance=provenance)


def _from_catalogue(
    name: str, entry: DatasetEntry, *, kind: ReturnKind, missing: MissingPolicy, wanted: _Wanted
) -> ReturnPanel:
    facts = {"catalogue": name} | {k: str(v) for k, v in asdict(entry).items() if k not in ("rows", "assets")}
    table = load_table(name)
    if entry.content == "simple returns":
        return wanted.of_panel(ReturnPanel(table, kind="simple", source=name, provenance=facts).to_kind(kind))
    return _from_prices(table, kind=kind, missing=missing, wanted=wanted, source=name, facts=facts)


def _unknown_name(source: str) -> ConfigError:
    close = get_close_matches(source.lower(), dataset_names(), n=2)
    hint = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
    return ConfigError(
        f"unknown data set {source!r}: known are {', '.join(dataset_names())} (see list_datasets()), "
        f"or give a path that ends in {' or '.join(_SUFFIXES)}.{hint}"
    )


def load_returns(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    kind: ReturnKind = "log",
    missing: MissingPolicy = "error",
    assets: Iterable[str] | None = None,
    until: Any = None,
) -> ReturnPanel:
    """Load prices from anywhere and return their validated returns.

    Parameters
    ----------
    source : str, path or DataFrame
        A catalogue name (see `list_datasets`), the path of a ``.csv`` or ``.parquet`` file, or a table. Files
        and tables hold **prices**, one column per asset; the dates stand in the index, in a column "date",
        or in the first column, written as YYYY-MM-DD, sorted and unique.
    kind : {"log", "simple"}
        Return convention of the result.
    missing : {"error", "drop_dates", "drop_assets", "align"}
        What to do with missing prices: raise; drop dates with a hole (a return then spans several periods);
        drop assets with a hole; restrict to the span that all assets cover and refuse holes inside.
        Prices are never filled.
    assets : iterable of str, optional
        Assets to load, in this order; holes of others decide nothing.
    until : str or datetime, optional
        Last date to look at (``'YYYY-MM-DD'``); holes after it decide nothing.

    Returns
    -------
    ReturnPanel
        Decimals per period, dated by the later price. ``provenance["missing"]`` says what was dropped.

    Raises
    ------
    DataError, ShapeError
        If dates or prices cannot be used; the message names asset and date.
    ConfigError
        For an unknown name, kind, option or type of file.
    StorageError
        If the file is absent or unreadable.

    Examples
    --------
    >>> load_returns("sample")
    ReturnPanel(1499 dates x 5 assets, log returns, daily, 2015-01-02 to 2020-09-30, source 'sample')
    """
    check_kind(kind)
    check_missing_policy(missing)
    names = None if assets is None else (assets,) if isinstance(assets, str) else tuple(str(a) for a in assets)
    wanted = _Wanted(names, None if until is None else as_timestamp(until))
    if isinstance(source, pd.DataFrame):
        return _from_prices(source, kind=kind, missing=missing, wanted=wanted, source="table", facts={})
    if not isinstance(source, (str, os.PathLike)):
        raise ConfigError(
            f"source must be a catalogue name, a path or a DataFrame of prices: got {type(source).__name__}. "
            "For a Series use series.to_frame(); returns go into ReturnPanel(frame, kind=...)."
        )
    if isinstance(source, str) and source in dataset_names():
        return _from_catalogue(source, read_manifest()[source], kind=kind, missing=missing, wanted=wanted)
    path = Path(source)
    if isinstance(source, str) and not path.suffix and path.name == source:
        raise _unknown_name(source)
    table = _read_file(path)
    facts = {"path": str(path), "sha256": sha256_of(path)}
    return _from_prices(table, kind=kind, missing=missing, wanted=wanted, source=path.name, facts=facts)
