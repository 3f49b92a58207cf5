"""Trading costs: one object gives the term of the optimisation and the number of the ledger.

Costs are fractions of wealth, charged once against the return of the horizon. The same object serves
the optimiser (`expression`) and the simulation or ledger (`value`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import cvxpy as cp
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from portfolio.asset_vector import asset_vector, owned_values
from portfolio.decision_model import DecisionModel
from tsgen.errors import ConfigError


@runtime_checkable
class Cost(Protocol):
    """A cost that can state itself to a solver and compute itself for given trades."""

    def expression(self, model: DecisionModel) -> cp.Expression:
        """Convex expression in the model's variables, fraction of wealth."""
        ...

    def value(self, trades: pd.Series) -> float:
        """Cost of the trades (new minus old weights, by asset), fraction of wealth."""
        ...


def _owned_rates(given: float | Mapping[str, float] | pd.Series) -> float | dict[str, float]:
    rate = owned_values(given, what="cost rates")
    numbers = np.array(list(rate.values()) if isinstance(rate, dict) else [rate])
    if not np.isfinite(numbers).all() or (numbers < 0).any():
        raise ConfigError(f"cost rates must be finite and not negative: got {given!r}. 0.001 is 10 bp.")
    return rate


def _by_asset(rate: float | Mapping[str, float] | pd.Series, trades: pd.Series) -> tuple[NDArray[np.float64], ...]:
    """Rates and trade sizes, each of shape (asset,)."""
    assets = tuple(str(asset) for asset in trades.index)
    rates = asset_vector(rate, assets, what="cost rates", scalar=True)
    return rates, np.abs(asset_vector(trades, assets, what="trades"))


@final
@dataclass(frozen=True)
class LinearCost:
    """Proportional cost, ``sum_i rate_i |w_i - previous_i|``.

    Parameters
    ----------
    rate : float, or mapping or Series of asset to float
        Decimals of the traded value, one way: 0.001 is ten basis points. Half the bid-ask spread plus commission.

    Raises
    ------
    ConfigError
        If a rate is negative or infinite.
    DataError
        If a rate is missing, or a mapping does not name exactly the assets of the problem.

    Notes
    -----
    Charged in full against the return of the horizon. If the position will be held for longer than the
    horizon, divide the rate by the expected number of horizons, or the optimiser trades too little.

    Examples
    --------
    >>> LinearCost(0.001).value(pd.Series({"A": 0.5, "B": -0.5}))
    0.001
    """

    rate: float | Mapping[str, float] | pd.Series

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", _owned_rates(self.rate))

    def rates(self, assets: tuple[str, ...]) -> NDArray[np.float64]:
        """Rates in the order of ``assets``, shape (asset,)."""
        return asset_vector(self.rate, assets, what="cost rates", scalar=True)

    def expression(self, model: DecisionModel) -> cp.Expression:
        """Convex expression in the model's variables, fraction of wealth."""
        rates = self.rates(model.assets)
        # a free trade gets no size variable: it would have no upper limit
        costly = np.flatnonzero(rates)
        if not len(costly):
            return cp.Constant(0.0)
        return rates[costly] @ model.trade_sizes(costly.tolist())

    def value(self, trades: pd.Series) -> float:
        """Cost of the trades (new minus old weights, by asset), fraction of wealth."""
        rates, sizes = _by_asset(self.rate, trades)
        return float(rates @ sizes)


@final
@dataclass(frozen=True)
class QuadraticCost:
    """Cost that grows with the square of the trade, ``sum_i rate_i (w_i - previous_i)^2``.

    Parameters
    ----------
    rate : float, or mapping or Series of asset to float
        Cost, as a fraction of wealth, of trading the whole wealth in that asset.

    Raises
    ------
    ConfigError, DataError
        As `LinearCost`.

    References
    ----------
    Garleanu and Pedersen (2013), "Dynamic trading with predictable returns and transaction costs", equation 2.

    Examples
    --------
    >>> QuadraticCost(0.01).value(pd.Series({"A": 0.5, "B": -0.5}))
    0.005
    """

    rate: float | Mapping[str, float] | pd.Series

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", _owned_rates(self.rate))

    def expression(self, model: DecisionModel) -> cp.Expression:
        """Convex expression in the model's variables, fraction of wealth."""
        rates = asset_vector(self.rate, model.assets, what="cost rates", scalar=True)
        costly = np.flatnonzero(rates).tolist()
        if not costly:
            return cp.Constant(0.0)
        root = np.sqrt(rates[costly])
        trade = model.weights[costly] - model.start[costly]
        return model.sum_of_squares(cp.multiply(root, trade), float(root.max()) * 0.1)

    def value(self, trades: pd.Series) -> float:
        """Cost of the trades (new minus old weights, by asset), fraction of wealth."""
        rates, sizes = _by_asset(self.rate, trades)
        return float(rates @ sizes**2)


@final
@dataclass(frozen=True)
class ThreeHalvesCost:
    """Market impact by the square-root law, ``sum_i rate_i |w_i - previous_i|^(3/2)``.

    Parameters
    ----------
    rate : float, or mapping or Series of asset to float
        Cost, as a fraction of wealth, of trading the whole wealth in that asset: about the daily volatility times
        the square root of (wealth / daily traded value).

    Raises
    ------
    ConfigError, DataError
        As `LinearCost`.

    References
    ----------
    Boyd et al. (2017), "Multi-period trading via convex optimization", section 2.3.

    Examples
    --------
    >>> ThreeHalvesCost(0.02).value(pd.Series({"A": 0.25, "B": -0.25}))
    0.005
    """

    rate: float | Mapping[str, float] | pd.Series

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", _owned_rates(self.rate))

    def expression(self, model: DecisionModel) -> cp.Expression:
        """Convex expression in the model's variables, fraction of wealth."""
        rates = asset_vector(self.rate, model.assets, what="cost rates", scalar=True)
        costly = np.flatnonzero(rates).tolist()
        if not costly:
            return cp.Constant(0.0)
        power = cp.Variable(len(costly), name="three_halves_power")
        trade = model.weights[costly] - model.start[costly]
        # |x|^(3/2) <= s as |x| <= s^(2/3) 1^(1/3)
        model.definitions.append(cp.PowCone3D(power, np.ones(len(costly)), trade, np.full(len(costly), 2.0 / 3.0)))
        return rates[costly] @ power

    def value(self, trades: pd.Series) -> float:
        """Cost of the trades (new minus old weights, by asset), fraction of wealth."""
        rates, sizes = _by_asset(self.rate, trades)
        return float(rates @ sizes**1.5)


@final
@dataclass(frozen=True)
class TotalCost:
    """Sum of several costs, for example commission plus market impact.

    Parameters
    ----------
    parts : tuple of Cost

    Raises
    ------
    ConfigError
        If a part is not a cost, or there is none.

    Examples
    --------
    >>> TotalCost((LinearCost(0.001), QuadraticCost(0.01))).value(pd.Series({"A": 0.5}))
    0.003
    """

    parts: tuple[Cost, ...]

    def __post_init__(self) -> None:
        parts = tuple(self.parts) if isinstance(self.parts, (tuple, list)) else ()
        if not parts or any(isinstance(part, type) or not isinstance(part, Cost) for part in parts):
            raise ConfigError(f"parts must be a tuple of costs such as (LinearCost(0.001),): got {self.parts!r}.")
        object.__setattr__(self, "parts", parts)

    def expression(self, model: DecisionModel) -> cp.Expression:
        """Convex expression in the model's variables, fraction of wealth."""
        first, *others = (part.expression(model) for part in self.parts)
        for other in others:
            first = first + other
        return first

    def value(self, trades: pd.Series) -> float:
        """Cost of the trades (new minus old weights, by asset), fraction of wealth."""
        return float(sum(part.value(trades) for part in self.parts))


def checked_costs(costs: Cost | None) -> Cost | None:
    """The costs; raises `ConfigError` unless they are a cost object or ``None``."""
    if costs is not None and (isinstance(costs, type) or not isinstance(costs, Cost)):
        raise ConfigError(f"costs must be a cost object such as LinearCost(0.001), or None: got {costs!r}.")
    return costs
