"""The simulator: walk through the dates, let the policy decide on the past, trade later, keep the books.

The only loop over time in `portfolio`. Everything it does on a date uses that date and earlier ones.
"""

import warnings
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from portfolio.allocation import Allocation
from portfolio.asset_vector import asset_vector
from portfolio.backtest.account import Account
from portfolio.backtest.backtest_result import BacktestResult
from portfolio.backtest.content_digest import stable_text
from portfolio.backtest.knowledge_stamp import refuse_future_holdings
from portfolio.backtest.listing import Listing, listed_runs
from portfolio.backtest.past_view import PastView
from portfolio.backtest.policy import PolicyLike, Weights, decide_with, decision_function
from portfolio.backtest.rebalance_schedule import Schedule, scheduled_dates
from portfolio.backtest.settings import BacktestSettings
from portfolio.backtest.signals import Signals
from portfolio.costs import Cost
from portfolio.errors import InaccurateSolutionWarning, PortfolioError
from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import ReturnPanel
from tsgen.random_streams import dated_seed


def backtest(
    panel: ReturnPanel,
    policy: PolicyLike,
    *,
    start: Any,
    rebalance: Schedule,
    costs: Cost | None,
    lag: int = 1,
    seed: int = 0,
    end: Any = None,
    listing: Listing | None = None,
    signals: Signals | None = None,
) -> BacktestResult:
    """Walk forward: decide on the past, trade ``lag`` closes later, pay for it, drift until the next trade.

    Parameters
    ----------
    panel : ReturnPanel
        Simple or log returns; a return is dated by the close that ends its period.
    policy : Policy or callable
        Sees a `PastView` only. May hold a generator or scenarios only if these were made from data up to the
        decision date.
    start, end : date-like
        First and last date of the test; the first decision is made after the close of the first panel date on or
        after ``start``. The panel before it is history. ``end`` defaults to the end of the panel.
    rebalance : {"daily", "weekly", "monthly", "quarterly", "yearly"}, int or dates
        When to decide; calendar words mean ``start`` and then the first date of each new period.
    costs : Cost or None
        The object that optimisers take, for example ``LinearCost(0.001)``.
    lag : int
        Closes between decision and execution, at least 1.
    seed : int
        Each decision gets ``dated_seed(seed, date)``.
    listing : Listing, optional
        When assets could be traded; by default always.
    signals : Signals, optional
        What was known when besides returns; the policy reads it as ``past.signals``.

    Returns
    -------
    BacktestResult

    Raises
    ------
    LookAheadError
        If the lag is 0, a component the policy holds has seen data after a decision date, or the policy asks its
        view for later data.
    ConfigError, DataError
        If an argument is unusable, the policy returns unusable weights, or the portfolio goes bankrupt.

    Notes
    -----
    **Timing.** A decision at the close of date t uses rows up to and including t. It is executed at the close of date
    t + lag, at that close, and earns from row t + lag + 1 on. With ``lag=1`` the first return on new weights is
    therefore that of row t + 2. On one date the order is: returns are earned, delisted positions become cash, orders
    due are executed, then the policy decides and sees the weights held after that.

    **Targets are fractions of wealth at execution**, after costs. Costs are paid out of the portfolio, so the weights
    after a trade are the targets. Between trades, weights drift. Cash earns nothing; borrowed cash costs nothing.

    **Failures.** A policy that raises a `PortfolioError` (infeasible, unbounded, solver failed), or that returns
    ``None``, holds its positions; the date is counted and its reason kept in ``decisions``. Any other exception
    ends the backtest.

    **Assets that cannot be traded** at execution are left out of the trade: their target stays in cash, and
    ``decisions`` names them.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=4)
    >>> rows = pd.DataFrame({"A": [0.0, 0.5, 0.1, 0.2], "B": [0.0, 0.1, 0.0, 0.0]}, index=days)
    >>> panel = ReturnPanel(rows, kind="simple")
    >>> result = backtest(panel, lambda past: {"A": 1.0, "B": 0.0}, start=days[0], rebalance="daily", costs=None)
    >>> result.returns.round(6).tolist()
    [0.0, 0.1, 0.2]
    """
    settings = BacktestSettings(rebalance=rebalance, costs=costs, lag=lag, seed=seed, listing=listing, signals=signals)
    return simulate(panel, policy, settings, start=start, end=end)


def simulate(
    panel: ReturnPanel, policy: PolicyLike, settings: BacktestSettings, *, start: Any, end: Any = None
) -> BacktestResult:
    """As `backtest`, with the settings in one object."""
    decision_function(policy)
    if not isinstance(panel, ReturnPanel):
        raise ConfigError(f"panel must be a ReturnPanel: got {type(panel).__name__}. Use tsgen.load_returns(...).")
    span = _span(panel, start, end)
    return _Simulation(panel, policy, settings, span).run()


def _span(panel: ReturnPanel, start: Any, end: Any) -> range:
    first = int(panel.dates.searchsorted(pd.Timestamp(start), side="left"))
    stop = panel.n_dates if end is None else int(panel.dates.searchsorted(pd.Timestamp(end), side="right"))
    if first >= stop:
        raise DataError(
            f"no dates to test from {start} to {'the end' if end is None else end}: the panel has "
            f"{panel.dates[0].date()} to {panel.dates[-1].date()}. Choose a start inside it."
        )
    return range(first, stop)


@dataclass
class _Books:
    """Rows of the ledger and of the decisions while they are written."""

    ledger: list[dict[str, float]] = field(default_factory=list)
    weights: list[NDArray[np.float64]] = field(default_factory=list)
    trades: dict[pd.Timestamp, NDArray[np.float64]] = field(default_factory=dict)
    decisions: dict[pd.Timestamp, dict[str, Any]] = field(default_factory=dict)
    targets: dict[pd.Timestamp, NDArray[np.float64]] = field(default_factory=dict)


@final
class _Simulation:
    """State of one run; used once."""

    def __init__(self, panel: ReturnPanel, policy: PolicyLike, settings: BacktestSettings, span: range) -> None:
        self.panel, self.policy, self.settings, self.span = panel, policy, settings, span
        self.simple = panel.to_kind("simple").values
        self.listed = np.ones(self.simple.shape, bool) if settings.listing is None else settings.listing.on(panel)
        self.runs = listed_runs(self.listed)
        self.account = Account(panel.assets)
        self.books = _Books()
        self.orders: dict[int, pd.Timestamp] = {}

    def run(self) -> BacktestResult:
        deciding = set(scheduled_dates(self.panel.dates[self.span.start : self.span.stop], self.settings.rebalance))
        for row in self.span:
            date = self.panel.dates[row]
            record = self._pass_time(row) if row > self.span.start else {"gain": 0.0, "delisted": 0.0}
            record |= self._execute(row, date)
            self.books.ledger.append({"wealth": self.account.wealth, "cash": self.account.cash, **record})
            self.books.weights.append(self.account.weights())
            if date in deciding:
                self._decide(row, date)
        return self._result()

    def _pass_time(self, row: int) -> dict[str, float]:
        listed = self.listed[row]
        gain = self.account.earn(np.where(listed, self.simple[row], 0.0))
        delisted = self.account.liquidate(~listed)
        if self.account.wealth <= 0:
            raise DataError(
                f"the portfolio is bankrupt on {self.panel.dates[row].date()}: its wealth is "
                f"{self.account.wealth:.3g} of an initial 1. Reduce leverage or short positions."
            )
        return {"gain": gain, "delisted": delisted}

    def _execute(self, row: int, date: pd.Timestamp) -> dict[str, float]:
        decided = self.orders.pop(row, None)
        if decided is None:
            return {"cost": 0.0, "cost_fraction": 0.0, "turnover": 0.0}
        wanted = self.books.targets[decided]
        target = np.where(self.listed[row], wanted, 0.0)
        done = self.account.trade(target, self.settings.costs)
        self.books.trades[date] = done.trades
        dropped = [a for a, w, on in zip(self.panel.assets, wanted, self.listed[row], strict=True) if w and not on]
        self.books.decisions[decided] |= {
            "executed": date,
            "turnover": done.turnover,
            "cost": done.cost,
            "not_tradable": ", ".join(dropped),
        }
        return {"cost": done.cost_paid, "cost_fraction": done.cost, "turnover": done.turnover}

    def _decide(self, row: int, date: pd.Timestamp) -> None:
        minimum = 1 if self.settings.listing is None else self.settings.listing.minimum_history
        universe = np.flatnonzero(self.runs[row] >= minimum)
        entry: dict[str, Any] = {"status": "no assets", "reason": "no asset is listed for long enough"}
        entry |= {"executed": pd.NaT, "turnover": 0.0, "cost": 0.0, "not_tradable": "", "objective": None}
        self.books.decisions[date] = entry
        if not len(universe):
            return
        past = self._past(row, date, universe)
        refuse_future_holdings(self.policy, date)
        held = pd.Series(self.account.weights()[universe], index=pd.Index(past.assets, name="asset"), name="weight")
        status, reason, weights, objective = self._ask(past, held, date)
        entry |= {"status": status, "reason": reason, "objective": objective}
        if weights is not None:
            target = np.zeros(self.panel.n_assets)
            target[universe] = weights
            self.books.targets[date] = target
            self.orders[row + self.settings.lag] = date

    def _past(self, row: int, date: pd.Timestamp, universe: NDArray[np.intp]) -> PastView:
        known = self.panel.until(date)
        if len(universe) < self.panel.n_assets:
            known = known.select([self.panel.assets[i] for i in universe])
        common = int(self.runs[row, universe].min())
        if common < known.n_dates:
            known = known.after(known.dates[-common - 1])
        signals = self.settings.signals
        return PastView(panel=known, date=date, recorded=None if signals is None else signals.until(date))

    def _ask(
        self, past: PastView, held: pd.Series, date: pd.Timestamp
    ) -> tuple[str, str, NDArray[np.float64] | None, float | None]:
        """Status, reason, weights (``None`` to hold) and objective."""
        try:
            with warnings.catch_warnings():
                # the status of the decision says so, date by date
                warnings.simplefilter("ignore", InaccurateSolutionWarning)
                answer = decide_with(
                    self.policy, past, previous=held, seed=dated_seed(self.settings.seed, date.isoformat())
                )
        except PortfolioError as error:
            return "failed", f"{type(error).__name__}: {error}", None, None
        if answer is None:
            return "held", "", None, None
        return *_checked(answer, past), None if not isinstance(answer, Allocation) else answer.objective

    def _result(self) -> BacktestResult:
        dates = self.panel.dates[self.span.start : self.span.stop]
        assets = list(self.panel.assets)
        columns = ["status", "reason", "executed", "turnover", "cost", "not_tradable", "objective"]
        decided = pd.DatetimeIndex(list(self.books.decisions), name="date").as_unit(dates.unit)
        decisions = pd.DataFrame(list(self.books.decisions.values()), index=decided, columns=columns)
        decisions["executed"] = pd.DatetimeIndex(decisions["executed"]).as_unit(dates.unit)
        decisions["objective"] = decisions["objective"].astype(np.float64)
        facts = {
            **self.settings.facts(),
            "start": dates[0].isoformat(),
            "end": dates[-1].isoformat(),
            "frequency": self.panel.frequency,
            "policy": stable_text(self.policy),
            "source": self.panel.source,
            "known_biases": self.panel.provenance.get("known_biases"),
        }
        return BacktestResult(
            ledger=pd.DataFrame(self.books.ledger, index=dates),
            weights=pd.DataFrame(np.array(self.books.weights), index=dates, columns=assets),
            trades=_dated(self.books.trades, assets, dates.unit),
            targets=_dated(self.books.targets, assets, dates.unit),
            decisions=decisions,
            facts=facts,
        )


def _checked(answer: Weights, past: PastView) -> tuple[str, str, NDArray[np.float64]]:
    if isinstance(answer, Allocation):
        return answer.status, "", asset_vector(answer.weights, past.assets, what="the policy's weights")
    if not isinstance(answer, (pd.Series, dict)):
        raise ConfigError(
            f"a policy must return an Allocation, a Series or a mapping of asset to weight, or None to hold: got "
            f"{type(answer).__name__} on {past.date.date()}."
        )
    return "decided", "", asset_vector(answer, past.assets, what="the policy's weights")


def _dated(rows: dict[pd.Timestamp, NDArray[np.float64]], assets: list[str], unit: Any) -> pd.DataFrame:
    index = pd.DatetimeIndex(list(rows), name="date").as_unit(unit)
    values = np.array(list(rows.values())).reshape(len(rows), len(assets))
    return pd.DataFrame(values, index=index, columns=assets)
