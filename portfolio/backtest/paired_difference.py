"""How much better than a benchmark, with an interval: paired differences, which are far sharper than two intervals.

Two strategies that hold the same stocks move together; resampling their returns date by date *together* keeps that.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from numpy.typing import NDArray

from portfolio.backtest.backtest_result import BacktestResult
from portfolio.backtest.performance_summary import periods_per_year
from portfolio.backtest.strategy_comparison import aligned_returns
from portfolio.performance import annualised
from tsgen.errors import ConfigError, DataError
from tsgen.random_streams import numpy_stream

MEASURES = ("annualised return", "annualised volatility", "Sharpe ratio", "certainty equivalent")


def differences_to(
    benchmark: str,
    results: Mapping[str, BacktestResult | pd.Series] | pd.DataFrame,
    *,
    periods: float,
    risk_aversion: float = 5.0,
    level: float = 0.95,
    replications: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Annualised differences of every strategy to a benchmark on the same dates, with bootstrap intervals.

    The certainty equivalent is that of quadratic utility, :math:`\bar r - \tfrac{\gamma}{2} s^2` per period, times
    the periods per year.

    Parameters
    ----------
    benchmark : str
        Name of one of the results.
    results : mapping of name to BacktestResult or Series of returns, or DataFrame (date, strategy)
        At least two, the same dates for all, at least 20 of them.
    periods : float
        Periods per year.
    risk_aversion : float
        :math:`\gamma \ge 0`.
    level : float in (0, 1)
        Coverage of the intervals, each on its own.
    replications, seed : int
        Of the stationary bootstrap.

    Returns
    -------
    DataFrame
        Index (strategy, measure); columns ``difference`` (strategy less benchmark), ``standard_error``, ``low``,
        ``high``: basic bootstrap intervals (Hall's). Decimals per year.

    Raises
    ------
    DataError
        If there are fewer than two strategies or 20 dates, or dates differ.
    ConfigError
        If the benchmark is unknown or a setting is outside its range.

    Notes
    -----
    All strategies and the benchmark are resampled with the same blocks; the mean block length is the largest of the
    optimal ones of the differences of returns. Several intervals are several chances to be wrong: for "which is best"
    use `compare_strategies`.

    References
    ----------
    Politis and Romano (1994), "The stationary bootstrap". Ledoit and Wolf (2008), "Robust performance hypothesis
    testing with the Sharpe ratio" (why the pairs are resampled, section 3.2).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> market = rng.normal(0.0005, 0.01, 500)
    >>> days = pd.bdate_range("2020-01-01", periods=500)
    >>> frame = pd.DataFrame({"market": market, "cheaper": market + 0.0001}, index=days)
    >>> table = differences_to("market", frame, periods=252, replications=50)
    >>> round(float(table.loc[("cheaper", "certainty equivalent"), "difference"]), 4)
    0.0252
    """
    per_year = periods_per_year("", periods)
    if not np.isfinite(risk_aversion) or risk_aversion < 0:
        raise ConfigError(f"risk_aversion must be finite and not negative: got {risk_aversion!r}.")
    if not 0.0 < level < 1.0:
        raise ConfigError(f"level must be between 0 and 1, for example 0.95: got {level!r}.")
    if isinstance(replications, bool) or not isinstance(replications, (int, np.integer)) or replications < 2:
        raise ConfigError(f"replications must be an integer of at least 2: got {replications!r}. 1000 is usual.")
    frame = aligned_returns(results)
    if benchmark not in frame.columns:
        raise ConfigError(f"the benchmark must be one of {', '.join(frame.columns)}: got {benchmark!r}.")
    if len(frame) < 20:
        raise DataError(f"differences need at least 20 returns: got {len(frame)}. Test a longer span.")
    others = [name for name in frame.columns if name != benchmark]
    values = frame[[benchmark, *others]].to_numpy(np.float64)

    def measured(sample: NDArray[np.float64]) -> NDArray[np.float64]:
        table = np.array([_measures(column, per_year, risk_aversion) for column in sample.T])
        return (table[1:] - table[0]).ravel()

    bootstrap = StationaryBootstrap(_block_length(values), values, seed=numpy_stream(seed, "paired differences"))
    known = measured(values)
    draws = bootstrap.apply(measured, reps=int(replications))
    tails = np.quantile(draws, [(1 + level) / 2, (1 - level) / 2], axis=0)
    columns = {"difference": known, "standard_error": draws.std(axis=0, ddof=1)}
    columns |= {"low": 2 * known - tails[0], "high": 2 * known - tails[1]}
    return pd.DataFrame(columns, index=pd.MultiIndex.from_product([others, MEASURES], names=["strategy", "measure"]))


def _measures(returns: NDArray[np.float64], per_year: float, risk_aversion: float) -> NDArray[np.float64]:
    equivalent = (returns.mean() - 0.5 * risk_aversion * returns.var(ddof=1)) * per_year
    return np.append(annualised(returns, per_year), equivalent)


def _block_length(values: NDArray[np.float64]) -> int:
    gaps = values[:, 1:] - values[:, :1]
    moving = gaps[:, np.ptp(gaps, axis=0) > 1e-13]
    if not moving.shape[1]:  # constant differences have no serial dependence; the returns themselves may
        moving = values[:, :1]
    if float(np.ptp(moving, axis=0).min()) <= 1e-13:
        return 1
    return max(round(float(optimal_block_length(moving)["stationary"].max())), 1)
