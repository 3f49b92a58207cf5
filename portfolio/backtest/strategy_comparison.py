"""Which strategies can be told from the best one: model confidence set and deflated Sharpe ratios."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from arch.bootstrap import MCS, optimal_block_length
from numpy.typing import NDArray

from portfolio.backtest.backtest_result import BacktestResult
from portfolio.backtest.sharpe_tests import deflated_sharpe_ratio, per_period_sharpe
from tsgen.errors import ConfigError, DataError
from tsgen.random_streams import check_seed


def compare_strategies(
    results: Mapping[str, BacktestResult | pd.Series] | pd.DataFrame,
    *,
    risk_aversion: float = 5.0,
    size: float = 0.1,
    replications: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Compare strategies on the same dates by quadratic utility, with a model confidence set.

    The loss of a date is :math:`-(r_t - \tfrac{\gamma}{2} r_t^2)`.

    Parameters
    ----------
    results : mapping of name to BacktestResult or Series of returns, or DataFrame (date, strategy)
        At least two, the same dates for all. **Everything that was tried belongs in here**, not only what looked well.
    risk_aversion : float
        :math:`\gamma \ge 0`; zero compares mean returns.
    size : float in (0, 1)
        Probability with which the best strategy may be missing from the set.
    replications, seed : int
        Of the stationary bootstrap.

    Returns
    -------
    DataFrame
        Index strategy. Columns: ``mean_return``, ``volatility``, ``sharpe`` (all per period), ``utility`` (mean per
        period), ``p_value`` (of leaving the set), ``included``, ``deflated_sharpe`` (probability that the true
        Sharpe ratio exceeds what the best of these would show by luck).

    Raises
    ------
    DataError
        If there are fewer than two strategies, dates differ, or two strategies have the same returns.
    ConfigError
        If a setting is outside its range.

    Notes
    -----
    The mean block length is the largest of the optimal ones of the losses. Few years of data leave wide sets; that a
    strategy is included does not say that it is good, only that the data cannot exclude it.

    References
    ----------
    Hansen, Lunde and Nason (2011), "The model confidence set"; computed by `arch`. Bailey and Lopez de Prado
    (2014), "The deflated Sharpe ratio".

    Examples
    --------
    >>> days = pd.bdate_range("2020-01-01", periods=500)
    >>> rng = np.random.default_rng(0)
    >>> market = rng.normal(0.0005, 0.01, 500)
    >>> costly = market - 0.002 + rng.normal(0, 0.001, 500)
    >>> table = compare_strategies(pd.DataFrame({"cheap": market, "costly": costly}, index=days))
    >>> table["included"].tolist()
    [True, False]
    """
    if not np.isfinite(risk_aversion) or risk_aversion < 0:
        raise ConfigError(f"risk_aversion must be finite and not negative: got {risk_aversion!r}.")
    if not 0.0 < size < 1.0:
        raise ConfigError(f"size must be between 0 and 1, for example 0.1: got {size!r}.")
    frame = aligned_returns(results)
    returns = frame.to_numpy(np.float64)
    utility = returns - 0.5 * risk_aversion * returns**2
    _check_distinct(utility, list(frame.columns))
    block = max(round(float(optimal_block_length(utility)["stationary"].max())), 1)
    mcs = MCS(-utility, size=size, reps=replications, block_size=block, bootstrap="stationary", seed=check_seed(seed))
    mcs.compute()
    p_values = mcs.pvalues["Pvalue"].reindex(range(returns.shape[1])).to_numpy(np.float64)
    sharpes = [per_period_sharpe(column) for column in returns.T]
    return pd.DataFrame(
        {
            "mean_return": returns.mean(axis=0),
            "volatility": returns.std(axis=0, ddof=1),
            "sharpe": sharpes,
            "utility": utility.mean(axis=0),
            "p_value": p_values,
            "included": p_values > size,
            "deflated_sharpe": [deflated_sharpe_ratio(column, trial_sharpes=sharpes) for column in returns.T],
        },
        index=pd.Index(frame.columns, name="strategy"),
    )


def aligned_returns(results: Mapping[str, BacktestResult | pd.Series] | pd.DataFrame) -> pd.DataFrame:
    """Returns of several strategies on the same dates, shape (date, strategy).

    Raises
    ------
    DataError
        If there are fewer than two strategies, dates differ, or a return is not finite.
    """
    if isinstance(results, pd.DataFrame):
        records = {str(name): results[name] for name in results.columns}
    else:
        records = {str(k): v.returns if isinstance(v, BacktestResult) else v for k, v in results.items()}
    if len(records) < 2:
        raise DataError(f"a comparison needs at least two strategies: got {list(records)}. Add a benchmark.")
    names = list(records)
    for name in names[1:]:
        if not records[name].index.equals(records[names[0]].index):
            raise DataError(
                f"strategies must be compared on the same dates: {names[0]!r} and {name!r} differ. Use the same start, "
                "end and panel for all."
            )
    frame = pd.DataFrame(records)
    if not np.isfinite(frame.to_numpy(np.float64)).all():
        raise DataError("returns to compare must be finite: some are missing or infinite.")
    return frame


def _check_distinct(utility: NDArray[np.float64], names: list[str]) -> None:
    for i in range(len(names)):
        for j in range(i):
            if float(np.ptp(utility[:, i] - utility[:, j])) <= 1e-13:
                raise DataError(f"{names[j]!r} and {names[i]!r} have the same returns up to a constant: leave one out.")
