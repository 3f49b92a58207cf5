"""Return records in the shape that reporting libraries such as quantstats expect."""

import numpy as np
import pandas as pd

from portfolio.backtest.backtest_result import BacktestResult
from tsgen.errors import DataError


def quantstats_returns(result: BacktestResult | pd.Series, *, name: str = "strategy") -> pd.Series:
    """Simple returns per period after costs, as quantstats reads them.

    Parameters
    ----------
    result : BacktestResult or Series of simple returns indexed by dates
    name : str

    Returns
    -------
    Series, float64
        Named; index a DatetimeIndex without time zone in nanoseconds, strictly increasing. A fresh copy.

    Raises
    ------
    DataError
        If the series has no dates, repeated or unordered ones, or values that are no returns.

    Notes
    -----
    quantstats guesses whether a series holds prices or returns; below -1 or above 1 every period it guesses wrongly,
    so that such series are refused.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=2, tz="UTC")
    >>> quantstats_returns(pd.Series([0.01, -0.02], index=days)).index.tz is None
    True
    """
    record = result.returns if isinstance(result, BacktestResult) else result
    if not isinstance(record, pd.Series) or not isinstance(record.index, pd.DatetimeIndex) or not len(record):
        raise DataError(f"returns must be a BacktestResult or a Series indexed by dates: got {type(record).__name__}.")
    index = record.index.tz_localize(None).as_unit("ns").rename("date")
    if index.has_duplicates or not index.is_monotonic_increasing or index.hasnans:
        raise DataError("dates of returns must be complete and strictly increasing. Sort them, and drop repeated ones.")
    values = record.to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(values).all() or values.min() <= -1.0 or values.min() >= 1.0:
        raise DataError(
            "simple returns must be finite and above -1, and not look like prices: got values from "
            f"{np.nanmin(values):.4g} to {np.nanmax(values):.4g}."
        )
    return pd.Series(values, index=index, name=name)
