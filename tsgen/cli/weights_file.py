"""Weights in CSV: a column of asset names and one column per policy, exact to the bit."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from tsgen.complete_files import complete_file
from tsgen.errors import ConfigError, DataError, StorageError


def write_weights(table: pd.DataFrame, path: Path) -> None:
    """Write a table (index asset, one column per policy), complete or not at all."""
    with complete_file(path) as temporary:
        table.rename_axis("asset").to_csv(temporary, lineterminator="\n")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def read_weight_table(path: Path) -> pd.DataFrame:
    """Read weights of one or more policies.

    Returns
    -------
    DataFrame
        Index asset, float64 columns, finite.

    Raises
    ------
    StorageError
        If the file is missing or is not CSV.
    DataError
        If there is no column ``asset``, an asset repeats, or a weight is missing, infinite or not a number.
    """
    try:
        # as text: an asset may be called NA, and float() reads back every bit, which pandas does not promise
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise StorageError(
            f"cannot read the weights {path}: {error}. Expected a CSV with columns asset, weight."
        ) from error
    if "asset" not in table.columns or table.shape[1] < 2 or table.empty:
        raise DataError(
            f"{path.name} must have a column asset and at least one of weights: got "
            f"{', '.join(map(str, table.columns))}."
        )
    if table["asset"].duplicated().any():
        raise DataError(f"{path.name} names {table['asset'][table['asset'].duplicated()].iloc[0]} more than once.")
    table = table.set_index("asset")
    numbers = table.map(_number)
    bad = ~np.isfinite(numbers.to_numpy())
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"{path.name}: the weight of {table.index[row]} in column {table.columns[column]} must be a finite number: "
            f"got {table.iat[row, column]!r}. Write 0 if nothing is held."
        )
    return numbers


def read_weights(path: Path, *, column: str | None = None) -> pd.Series:
    """One policy's weights; ``column`` may be left out if there is only one.

    Raises
    ------
    ConfigError
        If the column is unknown, or has to be named.
    """
    table = read_weight_table(path)
    names = ", ".join(table.columns)
    if column is None and table.shape[1] > 1:
        raise ConfigError(
            f"{path.name} has several columns of weights ({names}): say which one holds what is held now."
        )
    if column is not None and column not in table.columns:
        raise ConfigError(f"{path.name} has no column {column!r} of weights: it has {names}.")
    return table.iloc[:, 0] if column is None else table[column]
