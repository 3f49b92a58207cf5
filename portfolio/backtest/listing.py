"""Which assets could be traded when: listings, delistings, and histories that are still too short.

A `ReturnPanel` has no gaps, so availability is a separate fact. Returns in cells that are not listed
are never earned and never shown to a policy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import ReturnPanel
from tsgen.return_kind import ReturnKind


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Listing:
    """Availability of assets by date.

    Parameters
    ----------
    mask : DataFrame of bool, shape (date, asset)
        True where the asset has a price at the close. Copied.
    minimum_history : int
        Listed dates in a row, up to and including the decision date, that an asset needs before it is shown to a
        policy. A policy sees the dates on which all the assets it is shown were listed.

    Raises
    ------
    DataError
        If the mask does not hold booleans.
    ConfigError
        If the minimum is not a positive integer.

    Notes
    -----
    An asset that is listed on one date and not on the next is **delisted**: its position becomes cash at its last
    price, free of cost, on the first date without a price. A delisting return belongs into the last listed row.
    A gap counts as a delisting followed by a new listing.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=3)
    >>> frame = pd.DataFrame({"A": [0.01, -0.02, 0.03], "B": [0.01, 0.02, 0.0]}, index=days)
    >>> listing = Listing.from_dates(ReturnPanel(frame, kind="simple"), last={"B": "2024-01-02"})
    >>> listing.mask["B"].tolist()
    [True, True, False]
    """

    mask: pd.DataFrame
    minimum_history: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.mask, pd.DataFrame) or not all(pd.api.types.is_bool_dtype(t) for t in self.mask.dtypes):
            raise DataError("a listing mask must be a DataFrame (date, asset) of booleans. Use prices.notna().")
        n = self.minimum_history
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ConfigError(f"minimum_history must be a positive number of dates: got {n!r}.")
        object.__setattr__(self, "mask", self.mask.copy())

    @classmethod
    def from_dates(
        cls,
        panel: ReturnPanel,
        *,
        first: Mapping[str, Any] | None = None,
        last: Mapping[str, Any] | None = None,
        minimum_history: int = 1,
    ) -> Self:
        """Listing from first and last listed dates, both included; assets not named are always listed.

        Raises
        ------
        DataError
            If an asset is not in the panel.
        """
        mask = pd.DataFrame(True, index=panel.dates, columns=list(panel.assets))
        for bound, is_first in ((first or {}, True), (last or {}, False)):
            for asset, date in bound.items():
                if asset not in panel.assets:
                    raise DataError(f"listing dates name {asset!r}, which the panel does not have: {panel.assets}.")
                stamp = pd.Timestamp(date)
                mask[asset] &= panel.dates >= stamp if is_first else panel.dates <= stamp
        return cls(mask=mask, minimum_history=minimum_history)

    def on(self, panel: ReturnPanel) -> NDArray[np.bool_]:
        """The mask in the order of a panel's dates and assets, shape (date, asset).

        Raises
        ------
        DataError
            If the mask does not cover all of them.
        """
        rows = self.mask.index.get_indexer(panel.dates)
        columns = self.mask.columns.get_indexer(pd.Index(panel.assets))
        if (rows < 0).any() or (columns < 0).any():
            dates = panel.dates[rows < 0]
            assets = [a for a, at in zip(panel.assets, columns, strict=True) if at < 0]
            raise DataError(
                f"the listing mask must cover every date and asset of the panel: missing {len(dates)} dates and assets "
                f"{assets}. Build it with Listing.from_dates, or reindex it on purpose."
            )
        return self.mask.to_numpy(dtype=bool)[np.ix_(rows, columns)]


def panel_with_listing(
    prices: pd.DataFrame, *, kind: ReturnKind = "simple", minimum_history: int = 1, source: str = "user"
) -> tuple[ReturnPanel, Listing]:
    """Panel and listing from prices with gaps: assets that come, go, or are missing for a while.

    Parameters
    ----------
    prices : DataFrame of shape (date, asset)
        Positive closes, adjusted for dividends and splits; missing where there is none.
    kind : {"simple", "log"}
    minimum_history : int
        As for `Listing`.
    source : str

    Returns
    -------
    tuple of ReturnPanel and Listing
        From the second date on. A cell is listed if there is a close on that date and on the date before, so that an
        asset can be bought from its second close on. Cells that are not listed hold zero, which is never earned and
        never shown.

    Raises
    ------
    DataError
        If a price is not positive and finite, or an asset never has two closes in a row.

    Notes
    -----
    A position in an asset whose price ends becomes cash at its last price. What holders really got has to be in that
    last price: put the delisting proceeds there.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=4)
    >>> prices = pd.DataFrame({"A": [10.0, 11.0, 11.0, 12.0], "B": [5.0, 6.0, np.nan, np.nan]}, index=days)
    >>> panel, listing = panel_with_listing(prices)
    >>> listing.mask["B"].tolist()
    [True, False, False]
    """
    if not isinstance(prices, pd.DataFrame) or len(prices) < 2:
        raise DataError("prices must be a DataFrame (date, asset) of at least two dates.")
    values = prices.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.isinf(values) | (values <= 0)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"prices must be positive and finite, or missing: {prices.columns[column]} is {values[row, column]} on "
            f"{prices.index[row]}."
        )
    growth = values[1:] / values[:-1]
    listed = np.isfinite(growth)
    never = [str(prices.columns[int(i)]) for i in np.flatnonzero(~listed.any(axis=0))]
    if never:
        raise DataError(f"no two prices in a row: {', '.join(never)}. Leave these assets out.")
    change = np.log(growth) if kind == "log" else growth - 1.0
    frame = pd.DataFrame(np.where(listed, change, 0.0), index=prices.index[1:], columns=prices.columns)
    panel = ReturnPanel(frame, kind=kind, source=source)
    mask = pd.DataFrame(listed, index=panel.dates, columns=list(panel.assets))
    return panel, Listing(mask=mask, minimum_history=minimum_history)


def listed_runs(listed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of consecutive listed dates up to and including each date, shape (date, asset).

    Examples
    --------
    >>> listed_runs(np.array([[True], [True], [False], [True]])).ravel().tolist()
    [1, 2, 0, 1]
    """
    runs = np.zeros(listed.shape, dtype=np.int64)
    before = np.zeros(listed.shape[1], dtype=np.int64)
    for row, now in enumerate(listed):
        before = np.where(now, before + 1, 0)
        runs[row] = before
    return runs
