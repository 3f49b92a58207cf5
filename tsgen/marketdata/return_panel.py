"""`ReturnPanel`: one history of returns of several assets, validated, immutable, with its units.

The type in which market data travels: axes (date, asset), decimals per period, "simple" or "log".
It never drops, fills or sorts anything; it refuses what it cannot vouch for. Sits above
`panel_checks`, below the readers.
"""

import copy
import hashlib
import html
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Self, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata.panel_checks import (
    as_timestamp,
    check_above_total_loss,
    check_dates,
    check_names,
    check_not_constant,
    check_not_prices,
    check_values,
    day,
    places_of,
)
from tsgen.return_kind import ReturnKind, check_kind, convert_returns

Frequency = Literal["daily", "weekly", "monthly", "quarterly", "yearly", "irregular"]

# median gap in days between neighbouring dates: (smallest, largest); weekends and holidays move it little
_ENOUGH_TO_FALL = 20  # dates over which returns have a fall among them

_GAPS: dict[Frequency, tuple[float, float]] = {
    "daily": (0.5, 1.5),
    "weekly": (6.0, 8.0),
    "monthly": (27.0, 33.0),
    "quarterly": (88.0, 94.0),
    "yearly": (363.0, 368.0),
}


def _infer_frequency(dates: pd.DatetimeIndex) -> Frequency:
    if len(dates) < 2:
        return "irregular"
    gap = float(np.median(np.diff(dates.asi8))) / 86_400e6
    for name, (low, high) in _GAPS.items():
        if low <= gap <= high:
            return name
    return "irregular"


def _as_float64(frame: pd.DataFrame) -> NDArray[np.float64]:
    for name, dtype in zip(frame.columns, frame.dtypes, strict=True):
        real = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)
        if not real or pd.api.types.is_bool_dtype(dtype):
            raise DataError(f"returns must be real numbers: column {name} has type {dtype}. Use .astype(float).")
    return frame.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)


class PanelSplit(NamedTuple):
    """Two panels that partition one: ``train`` up to and including the date, ``test`` after it."""

    train: "ReturnPanel"
    test: "ReturnPanel"


@final
@dataclass(frozen=True, eq=False, repr=False)
class ReturnPanel:
    """A validated history of returns of one or more assets.

    Parameters
    ----------
    returns : DataFrame of shape (date, asset)
        Decimals per period; index of unique, strictly increasing dates without time zone. A return is
        dated by the end of its period. Copied.
    kind : {"simple", "log"}
        Return convention of every entry.
    source : str
        Where the numbers come from, in one word.
    provenance : dict, optional
        JSON-able facts on the origin (file digest, what was dropped, known biases). Copied.

    Attributes
    ----------
    values : ndarray of shape (date, asset), float64, read-only
    dates : DatetimeIndex named "date"
    assets : tuple of str
    frequency : {"daily", "weekly", "monthly", "quarterly", "yearly", "irregular"}
        Label from the median gap between dates; parts of a panel keep the label of the whole.

    Raises
    ------
    DataError
        If dates repeat or step back, values are missing, infinite or not above -100 %, names repeat,
        an asset is constant over three or more dates, or all positive
        over twenty or more and half of them above 50 %: these are prices.
    ShapeError
        If there is no row or no asset.

    Notes
    -----
    A panel may be short (a history of one date is a valid condition). Call `require_history` where a
    model needs enough dates and assets that move.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"A": [0.01, -0.02, 0.03], "B": [0.0, 0.01, 0.02]}, index=pd.bdate_range("2024-01-01", periods=3)
    ... )
    >>> panel = ReturnPanel(frame, kind="simple")
    >>> panel
    ReturnPanel(3 dates x 2 assets, simple returns, daily, 2024-01-01 to 2024-01-03, source 'user')
    >>> train, test = panel.split("2024-01-02")
    >>> train.n_dates, test.n_dates
    (2, 1)
    """

    values: NDArray[np.float64]
    dates: pd.DatetimeIndex
    assets: tuple[str, ...]
    kind: ReturnKind
    frequency: Frequency
    source: str = "user"
    provenance: dict[str, Any] = field(default_factory=dict)

    def __init__(
        self,
        returns: pd.DataFrame,
        *,
        kind: ReturnKind,
        source: str = "user",
        provenance: dict[str, Any] | None = None,
    ) -> None:
        if not isinstance(returns, pd.DataFrame):
            raise ShapeError(
                f"returns must be a pandas DataFrame (date, asset): got {type(returns).__name__}. "
                "For a Series use series.to_frame()."
            )
        kind = check_kind(kind)
        assets = check_names(returns.columns, what="a return panel")
        if len(returns) == 0:
            raise ShapeError("a return panel must have at least one date: got an empty table. Check the source.")
        dates = check_dates(returns.index, what="a return panel")
        values = _as_float64(returns)
        check_values(values, dates=dates, assets=assets)
        check_above_total_loss(values, dates=dates, assets=assets, kind=kind)
        if len(dates) >= 3:
            check_not_constant(values, assets=assets)
        if len(dates) >= _ENOUGH_TO_FALL:
            check_not_prices(values, assets=assets)
        self._assign(
            values=values,
            dates=dates,
            assets=assets,
            kind=kind,
            frequency=_infer_frequency(dates),
            source=str(source),
            provenance=copy.deepcopy(provenance or {}),
        )

    def _assign(self, **fields: Any) -> None:
        for name, value in fields.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            object.__setattr__(self, name, value)

    def _with(self, **fields: Any) -> Self:
        # parts of a checked panel are not checked for constancy again: three days at one price are legitimate
        part = copy.copy(self)
        part._assign(**(fields | {"provenance": copy.deepcopy(self.provenance)}))
        return part

    def _rows(self, rows: slice) -> Self:
        # a copy, not a view: the base of a view would still hold the future
        return self._with(values=self.values[rows].copy(), dates=self.dates[rows].copy())

    @property
    def returns(self) -> pd.DataFrame:
        """The panel as a new DataFrame (date, asset); changing it changes nothing here."""
        return pd.DataFrame(self.values.copy(), index=self.dates, columns=list(self.assets))

    @property
    def n_dates(self) -> int:
        """Number of dates."""
        return self.values.shape[0]

    @property
    def n_assets(self) -> int:
        """Number of assets."""
        return self.values.shape[1]

    def until(self, date: Any) -> Self:
        """The part up to and including ``date`` (``'YYYY-MM-DD'`` or a datetime).

        Raises
        ------
        DataError
            If nothing is left, or the date is not written in full.
        """
        stamp = as_timestamp(date)
        end = int(self.dates.searchsorted(stamp, side="right"))
        if end == 0:
            raise DataError(f"no returns up to {day(stamp)}: the panel starts on {day(self.dates[0])}. Go later.")
        return self._rows(slice(0, end))

    def after(self, date: Any) -> Self:
        """The part strictly after ``date``.

        Raises
        ------
        DataError
            If nothing is left, or the date is not written in full.
        """
        stamp = as_timestamp(date)
        start = int(self.dates.searchsorted(stamp, side="right"))
        if start == self.n_dates:
            raise DataError(f"no returns after {day(stamp)}: the panel ends on {day(self.dates[-1])}. Go earlier.")
        return self._rows(slice(start, None))

    def split(self, date: Any) -> PanelSplit:
        """Cut in two: up to and including ``date``, and after it; both parts are non-empty.

        Returns
        -------
        PanelSplit
            ``(train, test)``, also by name.

        Raises
        ------
        DataError
            If either part would be empty.
        """
        return PanelSplit(train=self.until(date), test=self.after(date))

    def select(self, assets: str | Iterable[str]) -> Self:
        """The named assets, in the order given.

        Raises
        ------
        DataError
            If a name is unknown or repeated, or none is given.
        """
        names = (assets,) if isinstance(assets, str) else tuple(str(a) for a in assets)
        columns = places_of(names, self.assets, what="this panel")
        return self._with(values=self.values[:, columns].copy(), assets=names)

    def to_kind(self, kind: ReturnKind) -> Self:
        """Same history in the other return convention (exact)."""
        values = convert_returns(self.values, from_kind=self.kind, to_kind=kind).copy()
        return self._with(values=values, kind=kind)

    def require_history(self, n_dates: int, *, purpose: str) -> None:
        """Raise unless there are at least ``n_dates`` dates and every asset moves.

        Parameters
        ----------
        n_dates : int
            Smallest sufficient number of dates.
        purpose : str
            Ends the sentence "... dates are needed to ...", for example ``"fit a GARCH model"``.

        Raises
        ------
        DataError
            If the history is too short or an asset is constant in it.
        """
        if isinstance(n_dates, bool) or not isinstance(n_dates, (int, np.integer)) or n_dates < 1:
            raise ConfigError(f"n_dates must be a positive integer: got {n_dates!r}. Ask for at least 1 date.")
        if self.n_dates < n_dates:
            raise DataError(
                f"at least {n_dates} dates are needed to {purpose}: got {self.n_dates} "
                f"({day(self.dates[0])} to {day(self.dates[-1])}). Load a longer history or use a simpler model."
            )
        if self.n_dates >= 2:
            check_not_constant(self.values, assets=self.assets)

    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 over dates, assets, kind and values; the same on every platform.

        Examples
        --------
        >>> frame = pd.DataFrame({"A": [0.01, -0.02]}, index=pd.DatetimeIndex(["2024-01-01", "2024-01-02"]))
        >>> nanoseconds = frame.set_index(pd.DatetimeIndex(frame.index).as_unit("ns"))
        >>> ReturnPanel(frame, kind="log").fingerprint() == ReturnPanel(nanoseconds, kind="log").fingerprint()
        True
        """
        digest = hashlib.sha256(json.dumps([self.kind, self.assets], ensure_ascii=True).encode())
        digest.update(np.ascontiguousarray(self.dates.asi8, dtype="<i8").tobytes())
        # adding zero turns -0.0 into 0.0: equal panels must have equal fingerprints
        digest.update(np.ascontiguousarray(self.values + 0.0, dtype="<f8").tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        return (
            f"ReturnPanel({self.n_dates} dates x {self.n_assets} assets, {self.kind} returns, {self.frequency}, "
            f"{day(self.dates[0])} to {day(self.dates[-1])}, source {self.source!r})"
        )

    def _repr_html_(self) -> str:
        spread = self.values.std(axis=0, ddof=1) if self.n_dates > 1 else np.full(self.n_assets, np.nan)
        columns = {"mean": self.values.mean(axis=0), "volatility": spread}
        columns |= {"smallest": self.values.min(axis=0), "largest": self.values.max(axis=0)}
        table = pd.DataFrame(columns, index=pd.Index(self.assets, name="asset"))
        biases = self.provenance.get("known_biases")
        warning = f"<br>Known biases: {html.escape(str(biases))}" if biases else ""
        numbers = table.to_html(float_format="{:+.3%}".format, max_rows=20)
        return f"<p><b>{html.escape(repr(self))}</b><br>Per period{warning}</p>{numbers}"
