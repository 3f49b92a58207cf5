"""Settings of a backtest that do not depend on the strategy."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from portfolio.backtest.listing import Listing
from portfolio.backtest.rebalance_schedule import Schedule
from portfolio.backtest.signals import Signals
from portfolio.costs import Cost
from tsgen.errors import ConfigError, LookAheadError
from tsgen.random_streams import check_seed


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class BacktestSettings:
    """How decisions become trades.

    Parameters
    ----------
    rebalance : {"daily", "weekly", "monthly", "quarterly", "yearly"}, int or dates
        See `scheduled_dates`.
    costs : Cost or None
        Charged at every trade, out of the portfolio; ``None`` trades for free.
    lag : int
        Dates between decision and execution, at least 1.
    seed : int
    listing : Listing, optional
        By default every asset can always be traded.
    signals : Signals, optional
        What policies may read as ``past.signals``.

    Raises
    ------
    LookAheadError
        If the lag is zero: a decision would trade at the very close it has just seen.
    ConfigError
        If a setting is outside its range.

    Examples
    --------
    >>> BacktestSettings(rebalance="monthly", costs=None).lag
    1
    """

    rebalance: Schedule
    costs: Cost | None
    lag: int = 1
    seed: int = 0
    listing: Listing | None = None
    signals: Signals | None = None

    def __post_init__(self) -> None:
        if isinstance(self.lag, bool) or not isinstance(self.lag, (int, np.integer)) or self.lag < 0:
            raise ConfigError(f"lag must be a positive number of dates: got {self.lag!r}. The default is 1.")
        if self.lag == 0:
            raise LookAheadError(
                "lag=0 trades at the close that the decision has just seen, a price nobody can deal at any more. Use "
                "lag=1: decided after one close, traded at the next."
            )
        if self.costs is not None and (isinstance(self.costs, type) or not isinstance(self.costs, Cost)):
            raise ConfigError(f"costs must be a cost object such as LinearCost(0.001), or None: got {self.costs!r}.")
        if self.listing is not None and not isinstance(self.listing, Listing):
            raise ConfigError(f"listing must be a Listing or None: got {type(self.listing).__name__}.")
        if self.signals is not None and not isinstance(self.signals, Signals):
            raise ConfigError(f"signals must be Signals(table) or None: got {type(self.signals).__name__}.")
        check_seed(self.seed)
        if not isinstance(self.rebalance, (str, int, np.integer)):
            object.__setattr__(self, "rebalance", tuple(self.rebalance))

    def facts(self) -> dict[str, Any]:
        """The settings as JSON-able facts."""
        given = isinstance(self.rebalance, tuple)
        return {
            "rebalance": [str(d) for d in self.rebalance] if given else self.rebalance,  # pyright: ignore
            "costs": repr(self.costs),
            "lag": int(self.lag),
            "seed": int(self.seed),
            "listing": None if self.listing is None else f"minimum_history={self.listing.minimum_history}",
            "signals": None if self.signals is None else self.signals.fingerprint(),
        }
