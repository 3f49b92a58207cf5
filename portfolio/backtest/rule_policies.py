"""Policies that need no scenarios: equal weights, fixed weights, and optimisation on historical moments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import pandas as pd

from portfolio.allocation import Allocation
from portfolio.asset_vector import asset_vector, owned_values
from portfolio.backtest.past_view import PastView
from portfolio.equal_weight import equal_weight
from portfolio.moments import HorizonMoments, historical_moments
from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import ReturnPanel
from tsgen.whole_numbers import whole_number


@final
@dataclass(frozen=True, kw_only=True)
class EqualWeightPolicy:
    """The same weight in every asset that can be traded.

    Examples
    --------
    >>> panel = ReturnPanel(pd.DataFrame({"A": [0.01], "B": [0.0]}, index=pd.DatetimeIndex(["2024-01-01"])), kind="log")
    >>> EqualWeightPolicy().decide(PastView(panel=panel, date=panel.dates[-1])).weights.tolist()
    [0.5, 0.5]
    """

    def decide(self, past: PastView, *, previous: pd.Series | None = None, seed: int = 0) -> Allocation:
        """Weight 1/N in each of the N assets of the view."""
        del previous, seed
        return equal_weight(past.assets)


@final
@dataclass(frozen=True, kw_only=True)
class FixedWeightsPolicy:
    """The same weights at every decision, so that every rebalancing undoes the drift.

    Parameters
    ----------
    weights : mapping or Series of asset to weight
        Fractions of wealth; the rest is cash. An asset that cannot be traded keeps its share in cash.

    Raises
    ------
    DataError
        If a weight is missing, infinite or not a number; on decision, if a tradable asset has no weight.

    Examples
    --------
    >>> FixedWeightsPolicy(weights={"A": 0.6, "B": 0.4})
    FixedWeightsPolicy(weights={'A': 0.6, 'B': 0.4})
    """

    weights: Mapping[str, float] | pd.Series

    def __post_init__(self) -> None:
        owned = owned_values(self.weights, what="fixed weights")
        if not isinstance(owned, dict) or not owned:
            raise DataError(f"fixed weights must name their assets: got {self.weights!r}. Pass {{'A': 0.6, 'B': 0.4}}.")
        asset_vector(owned, list(owned), what="fixed weights")
        object.__setattr__(self, "weights", owned)

    def decide(self, past: PastView, *, previous: pd.Series | None = None, seed: int = 0) -> pd.Series:
        """The weights of the assets of the view."""
        del previous, seed
        missing = [asset for asset in past.assets if asset not in self.weights]
        if missing:
            raise DataError(f"fixed weights do not name {', '.join(missing)}. Give every asset of the panel a weight.")
        return pd.Series({asset: self.weights[asset] for asset in past.assets})


@final
@dataclass(frozen=True, kw_only=True)
class HistoricalMomentsPolicy:
    """Optimise on moments estimated from the past.

    Parameters
    ----------
    optimise : callable
        ``optimise(moments, previous=weights) -> Allocation``; for example
        ``functools.partial(portfolio.mean_variance, risk_aversion=5.0, costs=LinearCost(0.001))``.
    horizon : int
        Periods for which moments are wanted, at least 1; usually those between rebalancings.
    window : int, optional
        Number of past dates used, at least 2; by default all of them.
    estimate : callable
        ``estimate(panel, horizon=h) -> HorizonMoments``, for other estimators.

    Raises
    ------
    ConfigError
        If a number is outside its range, or ``optimise`` cannot be called.

    Examples
    --------
    >>> from functools import partial
    >>> from portfolio.mean_variance import mean_variance
    >>> policy = HistoricalMomentsPolicy(optimise=partial(mean_variance, risk_aversion=5.0), horizon=21, window=500)
    >>> policy.window
    500
    """

    optimise: Callable[..., Allocation]
    horizon: int
    window: int | None = None
    estimate: Callable[..., HorizonMoments] = historical_moments

    def __post_init__(self) -> None:
        require_callable(self.optimise, "optimise")
        require_callable(self.estimate, "estimate")
        whole_number(self.horizon, "horizon")
        if self.window is not None:
            whole_number(self.window, "window", least=2)

    def decide(self, past: PastView, *, previous: pd.Series, seed: int = 0) -> Allocation:
        """Estimate on the window, then optimise from the weights held."""
        del seed
        panel: ReturnPanel = past.panel if self.window is None else past.last(self.window)
        return self.optimise(self.estimate(panel, horizon=self.horizon), previous=previous)


def require_callable(value: object, name: str) -> None:
    """Raise `ConfigError` unless the value can be called."""
    if not callable(value):
        raise ConfigError(f"{name} must be callable: got {value!r}.")
