"""Trading costs: one object gives the term of the optimisation and the number of the ledger.

Costs are fractions of wealth, charged once against the return of the horizon.
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
        rate = owned_values(self.rate, what="cost rates")
        numbers = np.array(list(rate.values()) if isinstance(rate, dict) else [rate])
        if not np.isfinite(numbers).all() or (numbers < 0).any():
            raise ConfigError(f"cost rates must be finite and not negative: got {self.rate!r}. 0.001 is 10 bp.")
        object.__setattr__(self, "rate", rate)

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
        assets = tuple(str(asset) for asset in trades.index)
        return float(self.rates(assets) @ np.abs(asset_vector(trades, assets, what="trades")))
