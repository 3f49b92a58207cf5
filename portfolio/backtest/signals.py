"""`Signals`: numbers other than returns that a policy may use, each row dated by when it became known.

Market views, macro data, scores of a model: a policy reads them as ``past.signals``, cut at the decision date like
the returns. Beside `past_view` at the bottom of `portfolio.backtest`.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
import pandas as pd

from tsgen.errors import ConfigError, DataError


@final
@dataclass(frozen=True, eq=False, repr=False)
class Signals:
    """A table of signals, by the date from which each row is known.

    Parameters
    ----------
    table : DataFrame of shape (date, signal), real numbers
        Index: strictly increasing dates without time zone, **the first close at which the row was known**, which for
        published figures is not the period they describe (see `delayed`). Need not be the dates of the returns.
        Values may be missing, not infinite. Copied.

    Raises
    ------
    DataError
        If the table has no dates, or columns that repeat or are no numbers, or infinite values.

    Notes
    -----
    Revised figures: give every vintage a row of its own date, or the backtest knows revisions before they were made.

    Examples
    --------
    >>> table = pd.DataFrame({"spread": [0.01, 0.02]}, index=pd.to_datetime(["2024-01-31", "2024-02-29"]))
    >>> Signals(table).until("2024-02-15")
    Signals(1 rows x 1 signals, known from 2024-01-31 to 2024-01-31)
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        table = self.table
        if not isinstance(table, pd.DataFrame) or not isinstance(table.index, pd.DatetimeIndex):
            raise DataError(f"signals must be a DataFrame indexed by dates: got {type(table).__name__}.")
        index = table.index
        if index.tz is not None or index.hasnans or not index.is_monotonic_increasing or index.has_duplicates:
            raise DataError("dates of signals must be complete, strictly increasing and without time zone. Sort them.")
        if table.shape[1] == 0 or table.columns.has_duplicates:
            raise DataError(f"signals need unique names, at least one: got {list(table.columns)}.")
        bad = [str(c) for c, t in table.dtypes.items() if not pd.api.types.is_numeric_dtype(t)]
        if bad:
            raise DataError(f"signals must be real numbers: {', '.join(bad)} are not. Code categories as numbers.")
        own = table.astype(np.float64).copy()
        if np.isinf(own.to_numpy()).any():
            raise DataError("signals must not be infinite: use missing values (NaN) for what is not known.")
        object.__setattr__(self, "table", own)

    @classmethod
    def delayed(cls, table: pd.DataFrame, delay: Any) -> Self:
        """Signals indexed by the period they describe, known ``delay`` later.

        Parameters
        ----------
        table : DataFrame of shape (date, signal)
        delay : Timedelta-like
            Not negative, for example ``"45D"`` for figures that are published after six weeks.

        Raises
        ------
        ConfigError
            If the delay is negative or not understood.

        Examples
        --------
        >>> table = pd.DataFrame({"growth": [0.02]}, index=pd.to_datetime(["2024-03-31"]))
        >>> Signals.delayed(table, "30D").table.index[0]
        Timestamp('2024-04-30 00:00:00')
        """
        try:
            later = pd.Timedelta(delay)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"delay must be a span of time such as '45D': got {delay!r}.") from error
        if later is pd.NaT or later < pd.Timedelta(0):
            raise ConfigError(f"delay must not be negative, or signals are known before they exist: got {delay!r}.")
        checked = cls(table).table
        return cls(checked.set_axis(pd.DatetimeIndex(checked.index) + later, axis=0))

    @property
    def last_date(self) -> pd.Timestamp | None:
        """Date from which the last row is known; ``None`` if there is no row."""
        return self.table.index[-1] if len(self.table) else None

    def until(self, date: Any) -> Self:
        """The rows known on a date; a copy that holds nothing later."""
        end = int(self.table.index.searchsorted(pd.Timestamp(date), side="right"))
        return type(self)(self.table.iloc[:end])

    def fingerprint(self) -> str:
        """Hexadecimal digest of dates, names and values."""
        digest = hashlib.sha256("\x1f".join(str(c) for c in self.table.columns).encode())
        digest.update(
            np.ascontiguousarray(pd.DatetimeIndex(self.table.index).as_unit("ns").asi8, dtype="<i8").tobytes()
        )
        # adding zero turns -0.0 into 0.0: equal tables must have equal fingerprints
        digest.update(np.ascontiguousarray(self.table.to_numpy() + 0.0, dtype="<f8").tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        rows, columns = self.table.shape
        span = f", known from {self.table.index[0].date()} to {self.table.index[-1].date()}" if rows else ""
        return f"Signals({rows} rows x {columns} signals{span})"
