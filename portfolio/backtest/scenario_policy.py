"""`ScenarioPolicy`: at every decision, scenarios given the past, then an optimiser.

The source is re-conditioned at every decision without re-training; with ``fit`` it is also re-trained on a
schedule. The generators of the toolkit and its baselines satisfy the protocol; so does anything alike.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, final, runtime_checkable

import pandas as pd

from portfolio.allocation import Allocation
from portfolio.backtest.knowledge_stamp import refuse_future_knowledge
from portfolio.backtest.past_view import PastView
from portfolio.backtest.rebalance_schedule import Schedule, scheduled_dates
from portfolio.backtest.rule_policies import require_callable
from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import ReturnPanel
from tsgen.random_streams import check_seed
from tsgen.return_kind import RETURN_KINDS
from tsgen.scenario_set import ScenarioSet
from tsgen.whole_numbers import whole_number


@runtime_checkable
class ScenarioSource(Protocol):
    """What makes scenarios and says up to which date it has learned."""

    @property
    def training_cutoff(self) -> pd.Timestamp | None:
        """Last date seen in training; ``None`` if it was not trained on dated data."""
        ...

    def sample(self, n_scenarios: int, horizon: int, *, history: ReturnPanel | None = None, seed: int) -> ScenarioSet:
        """Scenarios of the periods after the end of ``history``."""
        ...


@final
@dataclass(frozen=True, kw_only=True)
class ScenarioPolicy:
    """Sample scenarios as of the decision date and optimise over them.

    Parameters
    ----------
    optimise : callable
        ``optimise(scenarios, previous=weights) -> Allocation``, for example
        ``functools.partial(portfolio.mean_variance, risk_aversion=5.0, costs=LinearCost(0.001))``.
    horizon, n_scenarios : int
        Periods and number of scenarios.
    source : ScenarioSource, optional
        Already trained, on data up to the first decision at the latest. Give either this or ``fit``.
    fit : callable, optional
        ``fit(panel) -> ScenarioSource``; called with past returns only.
    retrain : schedule, optional
        When ``fit`` learns anew: a calendar word, a number of dates or dates (see `scheduled_dates`), counted from
        the first date of the panel. The source used at a decision is that of the last such date. Default "yearly".
    purge : int
        Dates left out between the end of the training data and the training date, for targets that reach ahead.
    window : int, optional
        Number of past dates used for conditioning; by default all.
    seed : int, optional
        The same random numbers at every decision. By default each has its own, from the seed of the backtest and the
        date. The error of a finite number of scenarios then stays nearly the same from one decision to the next
        instead of being traded away and back; it is no smaller, and one draw of it has a say in the whole result.

    Raises
    ------
    ConfigError
        If neither or both of ``source`` and ``fit`` are given, a setting is outside its range, or the source does
        not say what it was trained on.

    Notes
    -----
    The training date is a function of the decision date, so that the order of decisions, interruptions and the
    number of workers do not matter. With ``fit``, a change of the tradable assets trains a source of its own.

    Examples
    --------
    >>> from functools import partial
    >>> from portfolio.mean_variance import mean_variance
    >>> from tsgen.baselines import BlockBootstrap
    >>> policy = ScenarioPolicy(
    ...     fit=BlockBootstrap.fit, optimise=partial(mean_variance, risk_aversion=5.0), horizon=21, n_scenarios=500
    ... )
    >>> policy.retrain
    'yearly'
    """

    optimise: Callable[..., Allocation]
    horizon: int
    n_scenarios: int
    source: ScenarioSource | None = None
    fit: Callable[[ReturnPanel], ScenarioSource] | None = None
    retrain: Schedule = "yearly"
    purge: int = 0
    window: int | None = None
    seed: int | None = None
    _latest: dict[Any, ScenarioSource] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.source is None) == (self.fit is None):
            raise ConfigError("give a trained source, or fit= to train one on a schedule: exactly one of the two.")
        require_callable(self.optimise, "optimise")
        whole_number(self.horizon, "horizon")
        whole_number(self.n_scenarios, "n_scenarios")
        whole_number(self.purge, "purge", least=0)
        if self.window is not None:
            whole_number(self.window, "window")
        if self.seed is not None:
            check_seed(self.seed)
        if self.fit is not None:
            require_callable(self.fit, "fit")
        else:
            _checked_source(self.source)
        if isinstance(self.retrain, (str, int)):
            scheduled_dates(pd.DatetimeIndex([]), self.retrain)  # refuses words and numbers it does not know
        else:
            object.__setattr__(self, "retrain", tuple(sorted(pd.Timestamp(date) for date in self.retrain)))

    def decide(self, past: PastView, *, previous: pd.Series, seed: int) -> Allocation:
        """Condition the source on the past, sample, optimise.

        Raises
        ------
        LookAheadError
            If the source or its scenarios have seen data after the decision date.
        """
        source = self._trained(past, self.fit) if self.fit is not None else _checked_source(self.source)
        refuse_future_knowledge(source, past.date, what="the scenario source")
        history = as_trained(past.panel if self.window is None else past.last(self.window), source)
        own = seed if self.seed is None else self.seed
        scenarios = source.sample(self.n_scenarios, self.horizon, history=history, seed=own)
        refuse_future_knowledge(scenarios, past.date, what="the scenario set")
        return self.optimise(scenarios, previous=previous)

    def training_date(self, past: PastView) -> pd.Timestamp:
        """Date whose training serves the decision at the end of the view.

        Raises
        ------
        DataError
            If no training date is early enough.
        """
        if isinstance(self.retrain, tuple):
            due = [date for date in self.retrain if date <= past.date]
            if not due:
                raise DataError(f"no training date on or before the decision of {past.date.date()}: {self.retrain}.")
            return due[-1]
        return scheduled_dates(past.dates, self.retrain)[-1]

    def _trained(self, past: PastView, fit: Callable[[ReturnPanel], ScenarioSource]) -> ScenarioSource:
        date = self.training_date(past)
        known = past.until(date)
        key = (date, past.assets, known.dates[0], known.fingerprint())
        # policies may be shared by threads: what is returned is a local name, never looked up again
        source = self._latest.get(key)
        if source is None:
            if self.purge >= known.n_dates:
                raise DataError(
                    f"nothing to train on at {date.date()}: {known.n_dates} dates less {self.purge} purged. Start "
                    "later, or purge less."
                )
            source = _checked_source(fit(known.until(known.dates[-1 - self.purge])))
            self._latest.clear()
            self._latest[key] = source
        return source


def _checked_source(source: Any) -> ScenarioSource:
    if isinstance(source, type) or not isinstance(source, ScenarioSource):
        raise ConfigError(
            "a scenario source needs sample(n_scenarios, horizon, *, history, seed) and training_cutoff, the last date "
            f"it has learned from (None if not trained on dated data): got {type(source).__name__}."
        )
    return source


def as_trained(history: ReturnPanel, source: ScenarioSource) -> ReturnPanel:
    """History in the assets' order and the return convention of the source, where it has them."""
    kind, assets = getattr(source, "kind", None), getattr(source, "assets", None)
    if kind in RETURN_KINDS and kind != history.kind:
        history = history.to_kind(kind)
    names = tuple(assets) if isinstance(assets, (tuple, list)) else history.assets
    if names != history.assets and set(names) <= set(history.assets):
        history = history.select(names)
    return history
