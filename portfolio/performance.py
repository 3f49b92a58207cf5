"""What fixed weights would have earned on returns that were not used to choose them.

Plain arithmetic on a `ReturnPanel`: no trading costs, no delistings, no cash interest. Every ratio
comes with a bootstrap standard error, because a few years of returns say little.
"""

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
import pandas as pd
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from numpy.typing import NDArray

from portfolio.allocation import Allocation
from portfolio.asset_vector import AssetValues, asset_vector
from tsgen.errors import ConfigError, DataError
from tsgen.random_streams import numpy_stream

if TYPE_CHECKING:
    from tsgen.marketdata import ReturnPanel

Rebalancing = Literal["daily", "none"]
_MINIMUM_ROWS = 20
_PER_YEAR = {"daily": 252.0, "weekly": 52.0, "monthly": 12.0, "quarterly": 4.0, "yearly": 1.0}


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class RealisedPerformance:
    """Return and risk of a portfolio over a period, annualised, decimals.

    Parameters
    ----------
    annualised_return : float
        Geometric: final wealth to the power of one year.
    annualised_volatility : float
        Standard deviation (``ddof=1``) of simple returns per period, times the root of periods per year.
    sharpe_ratio : float
        Arithmetic mean over standard deviation of returns per period, annualised; the riskless rate is zero.
    maximum_drawdown : float
        Largest loss from a previous peak, the start included; positive.
    standard_errors : dict
        Stationary-bootstrap standard errors of the first three, by name.
    returns : Series
        Simple portfolio return per period, index date.
    diagnostics : dict
        Rebalancing, periods per year, mean block length, replications, seed.
    """

    annualised_return: float
    annualised_volatility: float
    sharpe_ratio: float
    maximum_drawdown: float
    standard_errors: dict[str, float]
    returns: pd.Series
    diagnostics: dict[str, Any]

    @property
    def wealth(self) -> pd.Series:
        """Wealth after each period, from 1 before the first; index date."""
        return (1.0 + self.returns).cumprod().rename("wealth")

    def to_dict(self) -> dict[str, Any]:
        """The numbers without the series, JSON-able."""
        return {
            "annualised_return": self.annualised_return,
            "annualised_volatility": self.annualised_volatility,
            "sharpe_ratio": self.sharpe_ratio,
            "maximum_drawdown": self.maximum_drawdown,
            "standard_errors": dict(self.standard_errors),
            "n_periods": len(self.returns),
            **self.diagnostics,
        }

    def __repr__(self) -> str:
        return (
            f"RealisedPerformance(return {self.annualised_return:.2%}, volatility {self.annualised_volatility:.2%}, "
            f"Sharpe {self.sharpe_ratio:.2f} +- {self.standard_errors['sharpe_ratio']:.2f}, "
            f"maximum drawdown {self.maximum_drawdown:.1%}, {len(self.returns)} periods)"
        )

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(repr(self))}</b></p>"


def realised_performance(
    panel: "ReturnPanel",
    weights: Allocation | AssetValues,
    *,
    rebalancing: Rebalancing = "none",
    periods_per_year: float | None = None,
    replications: int = 1000,
    seed: int = 0,
) -> RealisedPerformance:
    """Hold fixed weights over a panel and measure the outcome.

    Parameters
    ----------
    panel : ReturnPanel
        Returns per period, later than everything the weights have seen; that is the caller's duty.
    weights : Allocation, Series, mapping or array of shape (asset,)
        Fractions of initial wealth, matched by name. What is missing to 1 is cash and earns nothing.
    rebalancing : {"none", "daily"}
        ``"none"``: buy and hold, weights drift with prices. ``"daily"``: restored after every period of the panel,
        without costs, so it flatters portfolios with volatile assets.
    periods_per_year : float, optional
        By default from the panel's frequency: 252 for daily returns, 52, 12, 4 or 1 for the others.
    replications : int
        Bootstrap samples.
    seed : int
        Of the bootstrap.

    Returns
    -------
    RealisedPerformance

    Raises
    ------
    ConfigError
        If a setting is outside its range.
    DataError
        If weights do not fit the panel, there are fewer than 20 rows, wealth reaches zero, or the portfolio's
        return does not vary.

    Notes
    -----
    The stationary bootstrap keeps the serial dependence of returns within blocks; the mean block length is
    the optimal one of Patton, Politis and White for the portfolio's returns, rounded, at least 1. There is no standard
    error for the maximum drawdown: resampled blocks break the paths on which it depends.

    References
    ----------
    Politis and Romano (1994), "The stationary bootstrap". Patton, Politis and White (2009), "Correction to
    automatic block-length selection for the dependent bootstrap".

    Examples
    --------
    >>> from tsgen.marketdata import ReturnPanel
    >>> days = pd.bdate_range("2020-01-01", periods=250)
    >>> rows = np.random.default_rng(0).normal(0.001, 0.01, size=(250, 2))
    >>> panel = ReturnPanel(pd.DataFrame(rows, index=days, columns=["A", "B"]), kind="simple")
    >>> result = realised_performance(panel, {"A": 0.5, "B": 0.5}, replications=100)
    >>> 0.05 < result.annualised_volatility < 0.2
    True
    """
    _check_settings(rebalancing, replications)
    per_year = _periods_per_year(panel, periods_per_year)
    chosen = weights.weights if isinstance(weights, Allocation) else weights
    w = asset_vector(chosen, panel.assets, what="weights")
    simple = np.asarray(panel.to_kind("simple").values, dtype=np.float64)
    if len(simple) < _MINIMUM_ROWS:
        raise DataError(f"performance needs at least {_MINIMUM_ROWS} rows of returns: got {len(simple)}.")
    returns = _portfolio_returns(simple, w, rebalancing)
    # a riskless portfolio still shows rounding noise, about 1e-16 of a wealth of 1
    if float(np.std(returns)) < 1e-14:
        raise DataError("the portfolio's return does not vary, so it has no Sharpe ratio. Are all weights zero?")
    numbers = annualised(returns, per_year)
    errors, block = _standard_errors(returns, per_year, replications, seed)
    names = ("annualised_return", "annualised_volatility", "sharpe_ratio")
    return RealisedPerformance(
        annualised_return=float(numbers[0]),
        annualised_volatility=float(numbers[1]),
        sharpe_ratio=float(numbers[2]),
        maximum_drawdown=_maximum_drawdown(returns),
        standard_errors=dict(zip(names, errors.tolist(), strict=True)),
        returns=pd.Series(returns, index=pd.Index(panel.dates, name="date"), name="return"),
        diagnostics={
            "rebalancing": rebalancing,
            "periods_per_year": per_year,
            "mean_block_length": block,
            "replications": int(replications),
            "seed": int(seed),
        },
    )


def _check_settings(rebalancing: str, replications: int) -> None:
    if rebalancing not in ("daily", "none"):
        raise ConfigError(f"rebalancing must be 'daily' or 'none': got {rebalancing!r}.")
    if isinstance(replications, bool) or not isinstance(replications, (int, np.integer)) or replications < 2:
        raise ConfigError(f"replications must be an integer of at least 2: got {replications!r}. 1000 is usual.")


def _periods_per_year(panel: "ReturnPanel", wanted: float | None) -> float:
    if wanted is None and panel.frequency not in _PER_YEAR:
        raise ConfigError(
            f"the panel's dates are {panel.frequency}, so periods_per_year cannot be inferred. Pass it: 252 for "
            "trading days, 12 for months."
        )
    number = _PER_YEAR[panel.frequency] if wanted is None else wanted
    if isinstance(number, (bool, str)) or not np.isfinite(number) or number <= 0:
        raise ConfigError(f"periods_per_year must be a positive number: got {wanted!r}. Daily returns have 252.")
    return float(number)


def _portfolio_returns(
    simple: NDArray[np.float64], weights: NDArray[np.float64], rebalancing: Rebalancing
) -> NDArray[np.float64]:
    """Simple portfolio returns of shape (date,), from simple asset returns of shape (date, asset)."""
    if rebalancing == "daily":
        returns = simple @ weights
        wealth = np.cumprod(1.0 + returns)
    else:
        wealth = 1.0 + (np.cumprod(1.0 + simple, axis=0) - 1.0) @ weights
        returns = wealth / np.concatenate([[1.0], wealth[:-1]]) - 1.0 if (wealth > 0).all() else wealth
    if not (wealth > 0).all():
        raise DataError(
            f"the portfolio's wealth is not positive after row {int(np.argmin(wealth > 0))}: it is bankrupt and has no "
            "return from there on. Reduce leverage or short positions."
        )
    return returns


def annualised(returns: NDArray[np.float64], periods_per_year: float) -> NDArray[np.float64]:
    """Geometric return, volatility and Sharpe ratio per year of simple returns per period, shape (3,).

    Examples
    --------
    >>> annualised(np.array([0.1, -0.1]), 2.0).round(4).tolist()
    [-0.01, 0.2, 0.0]
    """
    growth = np.log1p(returns).mean() * periods_per_year
    mean, deviation = returns.mean(), returns.std(ddof=1)
    root = np.sqrt(periods_per_year)
    # a bootstrap sample may repeat one row only; its ratio is then undefined and counts as zero
    sharpe = mean / deviation * root if deviation > 0 else 0.0
    return np.array([np.expm1(growth), deviation * root, sharpe])


def _standard_errors(
    returns: NDArray[np.float64], periods_per_year: float, replications: int, seed: int
) -> tuple[NDArray[np.float64], int]:
    block = max(round(float(optimal_block_length(returns)["stationary"].iloc[0])), 1)
    bootstrap = StationaryBootstrap(block, returns, seed=numpy_stream(seed, "realised performance"))
    draws = bootstrap.apply(lambda sample: annualised(sample, periods_per_year), reps=replications)
    return draws.std(axis=0, ddof=1), block


def _maximum_drawdown(returns: NDArray[np.float64]) -> float:
    wealth = np.concatenate([[1.0], np.cumprod(1.0 + returns)])
    return float((1.0 - wealth / np.maximum.accumulate(wealth)).max())
