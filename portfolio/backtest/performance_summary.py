"""Performance of a return record with intervals: a few years of returns say little, and this says how little."""

import numpy as np
import pandas as pd
from arch.bootstrap import StationaryBootstrap
from numpy.typing import NDArray

from portfolio.backtest.sharpe_tests import probabilistic_sharpe_ratio
from portfolio.performance import RealisedPerformance, annualised, realised_performance
from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import ReturnPanel
from tsgen.random_streams import numpy_stream

PER_YEAR = {"daily": 252.0, "weekly": 52.0, "monthly": 12.0, "quarterly": 4.0, "yearly": 1.0}
MEASURES = ("annualised return", "annualised volatility", "Sharpe ratio")


def periods_per_year(frequency: str, wanted: float | None = None) -> float:
    """Periods per year of a panel's frequency, unless given.

    Raises
    ------
    ConfigError
        If it is not positive, or cannot be inferred.

    Examples
    --------
    >>> periods_per_year("monthly")
    12.0
    """
    number = PER_YEAR.get(frequency) if wanted is None else wanted
    if number is None:
        raise ConfigError(f"periods per year cannot be inferred from {frequency} dates. Pass periods=252, for example.")
    if isinstance(number, (bool, str)) or not np.isfinite(number) or number <= 0:
        raise ConfigError(f"periods per year must be a positive number: got {wanted!r}. Daily returns have 252.")
    return float(number)


def performance_summary(
    returns: pd.Series, *, periods: float, level: float = 0.95, replications: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Annualised return, volatility, Sharpe ratio, maximum drawdown and probabilistic Sharpe ratio.

    Parameters
    ----------
    returns : Series, index date
        Simple returns per period, decimals, at least 20.
    periods : float
        Periods per year.
    level : float in (0, 1)
        Coverage of the intervals.
    replications, seed : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        Index measure; columns ``value``, ``standard_error``, ``low``, ``high``. Intervals are basic bootstrap ones
        (Hall's): the percentiles of the bootstrap error, turned around the value. NaN where there is none.

    Raises
    ------
    DataError
        If there are fewer than 20 returns, or they do not vary.
    ConfigError
        If a setting is outside its range.

    Notes
    -----
    Resampled in blocks of random length (stationary bootstrap; mean length by Patton, Politis and White), so that
    serial dependence within blocks is kept. The maximum drawdown gets no interval: resampled blocks break the
    paths on which it depends. The probabilistic Sharpe ratio is against zero and assumes independent returns.

    References
    ----------
    Politis and Romano (1994), "The stationary bootstrap"; computed by `arch`.

    Examples
    --------
    >>> days = pd.bdate_range("2020-01-01", periods=500)
    >>> r = pd.Series(np.random.default_rng(0).normal(0.001, 0.01, 500), index=days)
    >>> table = performance_summary(r, periods=252, replications=100)
    >>> bool(table.loc["Sharpe ratio", "low"] < table.loc["Sharpe ratio", "value"])
    True
    """
    if not 0.0 < level < 1.0:
        raise ConfigError(f"level must be between 0 and 1, for example 0.95: got {level!r}.")
    if not isinstance(returns, pd.Series) or len(returns) < 20:
        raise DataError(f"performance needs a Series of at least 20 returns: got {len(returns)}. Test a longer span.")
    known = _measured(returns, periods, replications, seed)
    low, high = _intervals(returns.to_numpy(np.float64), known, level)
    values = [known.annualised_return, known.annualised_volatility, known.sharpe_ratio]
    errors = [known.standard_errors[name.lower().replace(" ", "_")] for name in MEASURES]
    table = pd.DataFrame(
        {"value": values, "standard_error": errors, "low": low, "high": high},
        index=pd.Index(MEASURES, name="measure"),
    )
    table.loc["maximum drawdown"] = [known.maximum_drawdown, np.nan, np.nan, np.nan]
    table.loc["probabilistic Sharpe ratio"] = [probabilistic_sharpe_ratio(returns), np.nan, np.nan, np.nan]
    return table


def _measured(returns: pd.Series, periods: float, replications: int, seed: int) -> RealisedPerformance:
    if float(np.ptp(returns.to_numpy())) < 1e-14:
        raise DataError("the returns do not vary, so there is no Sharpe ratio. Did the policy never trade?")
    panel = ReturnPanel(returns.rename("strategy").to_frame(), kind="simple", source="backtest")
    return realised_performance(panel, [1.0], periods_per_year=periods, replications=replications, seed=seed)


def _intervals(
    values: NDArray[np.float64], known: RealisedPerformance, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    facts = known.diagnostics
    bootstrap = StationaryBootstrap(
        facts["mean_block_length"], values, seed=numpy_stream(facts["seed"], "performance intervals")
    )
    low, high = bootstrap.conf_int(
        lambda sample: annualised(sample, facts["periods_per_year"]),
        reps=facts["replications"],
        method="basic",
        size=level,
    )
    return low, high
