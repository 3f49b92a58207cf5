"""The catalogue: named data sets, where they come from, and what is wrong with them.

The facts stand in ``manifest.toml`` (top-level ``data/`` in a checkout, packaged beside this module in
a wheel); the numbers come from installed packages or from the synthetic sample. Nothing is downloaded.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, final

import pandas as pd

from tsgen.errors import StorageError

SAMPLE_FILE = "sample/synthetic_prices.csv"


@final
@dataclass(frozen=True, kw_only=True)
class DatasetEntry:
    """Facts on one data set, as written in the manifest.

    ``rows``, ``first_date`` and ``last_date`` describe the source table: for ``content = "prices"`` the
    return panel has one row less and starts one date later.
    """

    description: str
    content: Literal["prices", "simple returns"]
    rows: int
    assets: int
    first_date: date
    last_date: date
    frequency: str
    source_package: str
    licence: str
    known_biases: str


def _data_folder() -> Traversable:
    """The packaged copy if there is one, else ``data/`` beside the package in a checkout."""
    checkout = Path(__file__).resolve().parents[2] / "data"
    for folder in (files("tsgen.marketdata") / "catalogue", checkout):
        if (folder / "manifest.toml").is_file():
            return folder
    raise StorageError(
        f"manifest.toml of the data catalogue was not found in the package nor in {checkout}: "
        "the installation is incomplete. Install tsgen-toolkit again."
    )


def read_manifest() -> dict[str, DatasetEntry]:
    """All data sets by name, in the order of the manifest.

    Examples
    --------
    >>> read_manifest()["us_index"].source_package
    'skfolio'
    """
    content = tomllib.loads((_data_folder() / "manifest.toml").read_text(encoding="utf-8"))
    return {name: DatasetEntry(**facts) for name, facts in content.items()}


def list_datasets() -> pd.DataFrame:
    """Overview of the catalogue, one row per data set, for `load_returns`.

    Returns
    -------
    DataFrame
        Columns name, description, rows, assets, first_date, last_date, frequency, known_biases,
        source_package, licence. Rows and dates are those of the source table (prices, or returns for
        ``fama_french``).

    Examples
    --------
    >>> list_datasets()["name"].tolist()
    ['us_stocks', 'us_index', 'factor_etfs', 'fama_french', 'sample']
    """
    columns = ["name", "description", "rows", "assets", "first_date", "last_date", "frequency"]
    columns += ["known_biases", "source_package", "licence"]
    rows = [{"name": name} | vars(entry) for name, entry in read_manifest().items()]
    table = pd.DataFrame(rows)[columns]
    for column in ("first_date", "last_date"):
        table[column] = pd.to_datetime(table[column])
    return table


# the packages take one to two seconds to import, so each loader imports its own
def _us_stocks() -> pd.DataFrame:
    from skfolio.datasets import load_sp500_dataset

    return load_sp500_dataset()


def _us_index() -> pd.DataFrame:
    from skfolio.datasets import load_sp500_index

    return load_sp500_index()


def _factor_etfs() -> pd.DataFrame:
    from skfolio.datasets import load_factors_dataset

    return load_factors_dataset()


def _fama_french() -> pd.DataFrame:
    from linearmodels.datasets import french

    table = french.load().set_index("dates").rename_axis("date")
    # the package dates January's return 1 January; it is known only when January is over
    return table.set_axis(pd.DatetimeIndex(table.index) + pd.offsets.MonthEnd(0), axis="index")


def _sample() -> pd.DataFrame:
    with (_data_folder() / SAMPLE_FILE).open("rb") as handle:
        return pd.read_csv(handle)


_TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "us_stocks": _us_stocks,
    "us_index": _us_index,
    "factor_etfs": _factor_etfs,
    "fama_french": _fama_french,
    "sample": _sample,
}


def dataset_names() -> tuple[str, ...]:
    """Names that `load_returns` knows."""
    return tuple(_TABLES)


def load_table(name: str) -> pd.DataFrame:
    """The raw table of one data set: prices, or simple returns where the manifest says so.

    Parameters
    ----------
    name : str
        One of `dataset_names`.

    Returns
    -------
    DataFrame
        Dates and one column per asset, as the source gives them (month ends for ``fama_french``).
    """
    return _TABLES[name]()
