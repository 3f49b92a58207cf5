r"""The account: positions and cash in money, and the only three things that change them.

Earning a return, turning a delisted position into cash, trading to target weights. With wealth
:math:`W = \sum_i p_i + c`, every date obeys :math:`W_t = W_{t-1} + \mathrm{gain}_t - \mathrm{cost}_t`, and the
cash account closes on its own: nothing is created by rounding to weights. Knows no dates and no policies.
"""

from typing import Any, NamedTuple, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq

from portfolio.costs import Cost
from tsgen.errors import DataError

# a fixed point that moves by less than four units in the last place of 1 does not move
_SETTLED = 1e-15
_ROUNDS = 60


class Trade(NamedTuple):
    """One execution."""

    trades: NDArray[np.float64]
    """Bought (positive) and sold, shape (asset,), fractions of wealth before the trade."""
    turnover: float
    """Sum of absolute trades."""
    cost: float
    """Fraction of wealth before the trade."""
    cost_paid: float
    """Money."""


@final
class Account:
    """Positions and cash of one portfolio.

    Parameters
    ----------
    assets : tuple of str
    wealth : float
        Initial cash.

    Attributes
    ----------
    positions : ndarray of shape (asset,), float64
        Money; negative where sold short.
    cash : float
        Money; negative where borrowed. Earns nothing.

    Examples
    --------
    >>> account = Account(("A", "B"))
    >>> account.trade(np.array([0.5, 0.5]), None).turnover
    1.0
    >>> account.earn(np.array([0.1, 0.0]))
    0.05
    >>> account.wealth, account.weights().round(4).tolist()
    (1.05, [0.5238, 0.4762])
    """

    def __init__(self, assets: tuple[str, ...], wealth: float = 1.0) -> None:
        self._index = pd.Index(assets)
        self.positions: NDArray[np.float64] = np.zeros(len(assets))
        self.cash = float(wealth)

    @property
    def wealth(self) -> float:
        """Positions plus cash."""
        return float(self.positions.sum() + self.cash)

    def weights(self) -> NDArray[np.float64]:
        """Positions as fractions of wealth, shape (asset,)."""
        return self.positions / self.wealth

    def earn(self, simple_returns: NDArray[np.float64]) -> float:
        """Let one period pass; returns the gain in money."""
        gains = self.positions * simple_returns
        self.positions = self.positions + gains
        return float(gains.sum())

    def liquidate(self, assets: NDArray[np.bool_]) -> float:
        """Turn positions into cash at their last price, free of cost; returns the proceeds."""
        proceeds = float(self.positions[assets].sum())
        self.positions = np.where(assets, 0.0, self.positions)
        self.cash += proceeds
        return proceeds

    def trade(self, target: NDArray[np.float64], costs: Cost | None) -> Trade:
        r"""Trade to target weights; the cost is paid out of the portfolio.

        With :math:`v` the weights held and :math:`k` the wealth after per wealth before the trade, the trades are
        :math:`\Delta = k w - v` with :math:`k = 1 - \mathrm{costs}(\Delta)`: afterwards the weights are exactly
        :math:`w`, fractions of what is left.

        Parameters
        ----------
        target : ndarray of shape (asset,), float64
        costs : Cost, optional

        Raises
        ------
        DataError
            If the cost is not a finite, non-negative number, or eats up the whole wealth.
        """
        before = self.wealth
        held = self.positions / before
        kept = self._kept(target, held, costs)
        trades = kept * target - held
        cost = self._cost(trades, costs)
        self.positions = kept * target * before
        # money is what is conserved: cash pays for the positions as they are, not as their weights say
        self.cash = before * (1.0 - cost) - float(self.positions.sum())
        return Trade(trades=trades, turnover=float(np.abs(trades).sum()), cost=cost, cost_paid=cost * before)

    def _kept(self, target: NDArray[np.float64], held: NDArray[np.float64], costs: Cost | None) -> float:
        if costs is None:
            return 1.0
        kept = 1.0
        for _ in range(_ROUNDS):
            following = 1.0 - self._cost(kept * target - held, costs)
            if abs(following - kept) <= _SETTLED and following > 0:
                return following
            kept = following
        if self._cost(-held, costs) >= 1.0:
            raise DataError("trading costs exceed the whole wealth. Are the cost rates in decimals (0.001 is 10 bp)?")
        # very high rates: the plain iteration need not converge, the equation still has its solution in (0, 1]
        root: Any = brentq(lambda k: 1.0 - self._cost(k * target - held, costs) - k, 0.0, 1.0, xtol=_SETTLED)
        return float(root)

    def _cost(self, trades: NDArray[np.float64], costs: Cost | None) -> float:
        if costs is None:
            return 0.0
        cost = float(costs.value(pd.Series(trades, index=self._index)))
        if not np.isfinite(cost) or cost < 0:
            raise DataError(f"a trading cost must be a finite, non-negative fraction of wealth: got {cost!r}.")
        return cost
