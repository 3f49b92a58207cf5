"""`PastView`: what a policy may know at the close of its decision date, and nothing else.

It owns copies, not views: no array in it has a base that still holds the future. Every look beyond the
decision date is a `LookAheadError`. Bottom of `portfolio.backtest`, above `tsgen.marketdata`.
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from portfolio.backtest.signals import Signals
from tsgen.errors import ConfigError, LookAheadError
from tsgen.marketdata import ReturnPanel


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PastView:
    """Returns up to and including one decision date, of the assets that can be traded then.

    Parameters
    ----------
    panel : ReturnPanel
        Must end on ``date``. Copied by the backtest; its arrays are read-only.
    date : Timestamp
        Decision date; the decision is made after this date's close.
    recorded : Signals, optional
        What was known besides returns; policies read it as `signals`.

    Raises
    ------
    LookAheadError
        If the panel or the signals reach beyond the date.
    ConfigError
        If the panel ends before the date.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=3)
    >>> panel = ReturnPanel(pd.DataFrame({"A": [0.01, -0.02, 0.03]}, index=days), kind="simple")
    >>> past = PastView(panel=panel.until("2024-01-02"), date=pd.Timestamp("2024-01-02"))
    >>> past
    PastView(2 dates x 1 assets, up to 2024-01-02)
    >>> past.until("2024-01-03")
    Traceback (most recent call last):
        ...
    tsgen.errors.LookAheadError: the decision of 2024-01-02 asked for returns up to 2024-01-03, ...
    """

    panel: ReturnPanel
    date: pd.Timestamp
    recorded: Signals | None = None

    def __post_init__(self) -> None:
        stamp = pd.Timestamp(self.date)
        last = self.panel.dates[-1]
        if last > stamp:
            raise LookAheadError(
                f"a view of the past at {_day(stamp)} must not contain later returns: the panel ends on {_day(last)}. "
                "Cut it with panel.until(date)."
            )
        if last < stamp:
            raise ConfigError(
                f"a view of the past at {_day(stamp)} must end on that date: the panel ends on {_day(last)}. "
                "Use a date of the panel."
            )
        known = None if self.recorded is None else self.recorded.last_date
        if known is not None and known > stamp:
            raise LookAheadError(
                f"a view of the past at {_day(stamp)} must not contain later signals: their last row is known from "
                f"{_day(known)}. Cut them with signals.until(date)."
            )
        object.__setattr__(self, "date", stamp)

    @property
    def signals(self) -> pd.DataFrame:
        """Signals known at the decision date, a new DataFrame (date, signal); changing it changes nothing here.

        Raises
        ------
        ConfigError
            If the backtest was given none.
        """
        if self.recorded is None:
            raise ConfigError("the policy asks for past.signals, but there are none: pass signals=Signals(table).")
        return self.recorded.table.copy()

    @property
    def assets(self) -> tuple[str, ...]:
        """Assets that can be traded at this close, in the order of the weights expected."""
        return self.panel.assets

    @property
    def dates(self) -> pd.DatetimeIndex:
        """Dates of the view; the last one is the decision date."""
        return self.panel.dates

    @property
    def n_dates(self) -> int:
        """Number of dates."""
        return self.panel.n_dates

    @property
    def values(self) -> NDArray[np.float64]:
        """Returns of shape (date, asset), float64, read-only, decimals in the panel's convention."""
        return self.panel.values

    @property
    def returns(self) -> pd.DataFrame:
        """The view as a new DataFrame (date, asset); changing it changes nothing here."""
        return self.panel.returns

    def last(self, n_dates: int) -> ReturnPanel:
        """Panel of the last ``n_dates`` dates, or of all if there are fewer.

        Raises
        ------
        ConfigError
            If the number is not a positive integer.
        """
        if isinstance(n_dates, bool) or not isinstance(n_dates, (int, np.integer)) or n_dates < 1:
            raise ConfigError(f"the number of past dates must be a positive integer: got {n_dates!r}.")
        if n_dates >= self.n_dates:
            return self.panel
        return self.panel.after(self.dates[-int(n_dates) - 1])

    def until(self, date: Any) -> ReturnPanel:
        """Panel up to and including an earlier date.

        Raises
        ------
        LookAheadError
            If the date is after the decision date.
        DataError
            If nothing is left, or the date is not written in full.
        """
        self._refuse_future(date, "returns up to")
        return self.panel.until(date)

    def at(self, date: Any) -> pd.Series:
        """Returns of one date, index asset.

        Raises
        ------
        LookAheadError
            If the date is after the decision date.
        ConfigError
            If the date is not in the view.
        """
        stamp = self._refuse_future(date, "returns of")
        if stamp not in self.dates:
            raise ConfigError(f"{_day(stamp)} is not a date of this view ({_day(self.dates[0])} to {_day(self.date)}).")
        row = self.values[int(self.dates.get_indexer(pd.DatetimeIndex([stamp]))[0])]
        return pd.Series(row.copy(), index=pd.Index(self.assets, name="asset"), name=stamp)

    def _refuse_future(self, date: Any, what: str) -> pd.Timestamp:
        stamp = pd.Timestamp(date)
        if stamp > self.date:
            raise LookAheadError(
                f"the decision of {_day(self.date)} asked for {what} {_day(stamp)}, which lie in its future. "
                "Use past.date as the latest date."
            )
        return stamp

    def __repr__(self) -> str:
        return f"PastView({self.n_dates} dates x {len(self.assets)} assets, up to {_day(self.date)})"


def _day(stamp: pd.Timestamp) -> str:
    return str(stamp.date()) if stamp == stamp.normalize() else str(stamp)
