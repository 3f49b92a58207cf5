"""Strategies times folds: independent backtests, in parallel, resumable, equal whatever the workers.

Each part (one strategy on one fold) starts in cash and depends on nothing but its arguments. Parallelism is
joblib's: with a `distributed.Client` of any Dask cluster, the same call inside
``joblib.parallel_config(backend="dask")`` runs there (extra ``cluster``).
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, final

import joblib
import pandas as pd

from portfolio.backtest.backtest_result import BacktestResult
from portfolio.backtest.content_digest import content_digest
from portfolio.backtest.folds import Fold
from portfolio.backtest.knowledge_stamp import refuse_future_holdings
from portfolio.backtest.policy import PolicyLike, decision_function
from portfolio.backtest.rule_policies import require_callable
from portfolio.backtest.settings import BacktestSettings
from portfolio.backtest.simulator import simulate
from tsgen.errors import ConfigError, StorageError
from tsgen.marketdata import ReturnPanel
from tsgen.one_numeric_thread import one_numeric_thread
from tsgen.progress import Progress, ProgressEvent, silent


@final
@dataclass(frozen=True, kw_only=True)
class TrainedPerFold:
    """A strategy that is trained anew for every fold, on that fold's training span.

    Parameters
    ----------
    fit : callable
        ``fit(panel) -> policy``; gets the returns of the training span and nothing else.

    Raises
    ------
    ConfigError
        If it cannot be called.

    Examples
    --------
    >>> from portfolio.backtest.rule_policies import FixedWeightsPolicy
    >>> strategy = TrainedPerFold(fit=lambda panel: FixedWeightsPolicy(weights=dict.fromkeys(panel.assets, 0.1)))
    """

    fit: Callable[[ReturnPanel], PolicyLike]

    def __post_init__(self) -> None:
        require_callable(self.fit, "fit")


Strategy = PolicyLike | TrainedPerFold


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class WalkForwardResult:
    """Backtests of several strategies over the same folds.

    Attributes
    ----------
    parts : dict of str to tuple of BacktestResult
        Per strategy, one result per fold.
    folds : tuple of Fold
    n_resumed : int
        Parts that were read from disk instead of computed.
    """

    parts: dict[str, tuple[BacktestResult, ...]]
    folds: tuple[Fold, ...]
    n_resumed: int

    @property
    def returns(self) -> pd.DataFrame:
        """Returns of the folds, one after the other, shape (date, strategy).

        Notes
        -----
        Every fold starts in cash and pays for its first purchase; it is invested from ``lag`` dates after its start.
        """
        return pd.DataFrame({name: pd.concat([part.returns for part in parts]) for name, parts in self.parts.items()})

    @property
    def decisions(self) -> pd.DataFrame:
        """Decisions of all parts; index (strategy, fold, date)."""
        frames = {
            (name, number): part.decisions for name, parts in self.parts.items() for number, part in enumerate(parts)
        }
        return pd.concat(frames, names=["strategy", "fold", "date"])

    def __repr__(self) -> str:
        failed = sum(part.n_failed for parts in self.parts.values() for part in parts)
        return (
            f"WalkForwardResult({len(self.parts)} strategies x {len(self.folds)} folds, {failed} failed decisions, "
            f"{self.n_resumed} parts resumed)"
        )


class _Part(NamedTuple):
    name: str
    strategy: Strategy
    fold: Fold
    folder: Path | None


def walk_forward(
    panel: ReturnPanel,
    strategies: Mapping[str, Strategy],
    *,
    folds: Sequence[Fold],
    settings: BacktestSettings,
    n_workers: int | None = None,
    folder: str | Path | None = None,
    progress: Progress = silent,
) -> WalkForwardResult:
    """Backtest every strategy on every fold.

    Parameters
    ----------
    panel : ReturnPanel
    strategies : mapping of name to policy or TrainedPerFold
    folds : sequence of Fold
        From `walk_forward_folds`, or one's own.
    settings : BacktestSettings
    n_workers : int, optional
        Worker processes. By default joblib's context: one, or what ``joblib.parallel_config`` says, for example
        ``backend="dask"``.
    folder : path, optional
        Where finished parts are kept, reachable for all workers. A run that was interrupted, started again with the
        same arguments, computes only the missing ones.
    progress : callable
        Receives a `tsgen.progress.ProgressEvent` per part, in the order of the parts.

    Returns
    -------
    WalkForwardResult
        The same numbers for every number of workers, interrupted or not.

    Raises
    ------
    ConfigError
        If there is no strategy or fold, or a strategy is none.
    LookAheadError
        As `backtest`; also if a strategy knows data after its fold's training.
    StorageError
        If a part cannot be written.

    Notes
    -----
    A stored part is recognised by the data, the fold, the settings, the strategy's name and its content (settings,
    arrays, trained weights, the code of its own functions; see `content_digest`). **Code further down is not
    recognised**: after changing what a strategy calls, change its name or the folder.
    Numerical libraries get one thread inside a part, because their rounding depends on the number of threads.

    Examples
    --------
    >>> from portfolio.backtest.folds import walk_forward_folds
    >>> import numpy as np
    >>> from portfolio.backtest.rule_policies import EqualWeightPolicy
    >>> days = pd.bdate_range("2024-01-01", periods=30)
    >>> rows = np.random.default_rng(0).normal(0, 0.01, (30, 2))
    >>> panel = ReturnPanel(pd.DataFrame(rows, index=days, columns=["A", "B"]), kind="simple")
    >>> walk_forward(
    ...     panel,
    ...     {"equal": EqualWeightPolicy()},
    ...     folds=walk_forward_folds(days, train=10, test=10),
    ...     settings=BacktestSettings(rebalance="weekly", costs=None),
    ... )
    WalkForwardResult(1 strategies x 2 folds, 0 failed decisions, 0 parts resumed)
    """
    if not strategies or not folds:
        raise ConfigError(
            f"walk_forward needs at least one strategy and one fold: got {len(strategies)}, {len(folds)}."
        )
    for name, strategy in strategies.items():
        if not isinstance(name, str):
            raise ConfigError(f"strategies must be named by text: got {name!r}.")
        if not isinstance(strategy, TrainedPerFold):
            decision_function(strategy)
    tasks = _tasks(panel, strategies, folds, settings, folder)
    done = [_stored(task) for task in tasks]
    missing = [task for task, result in zip(tasks, done, strict=True) if result is None]
    # in the order of the tasks, whichever worker finishes first; a pool that has nothing to do is not even made
    calls = (joblib.delayed(_run)(panel, task, settings) for task in missing)
    fresh: Any = joblib.Parallel(n_jobs=n_workers, return_as="generator")(calls) if missing else iter(())
    results: list[BacktestResult] = []
    for task, kept in zip(tasks, done, strict=True):
        progress(ProgressEvent("backtest", len(results), len(tasks), f"{task.name}, {task.fold!r}"))
        results.append(next(fresh) if kept is None else kept)
    next(fresh, None)  # runs the generator to its end, so that its workers are let go here and not by the collector
    progress(ProgressEvent("backtest", len(tasks), len(tasks)))
    parts = {name: tuple(results[i * len(folds) : (i + 1) * len(folds)]) for i, name in enumerate(strategies)}
    return WalkForwardResult(parts=parts, folds=tuple(folds), n_resumed=len(tasks) - len(missing))


def _tasks(
    panel: ReturnPanel,
    strategies: Mapping[str, Strategy],
    folds: Sequence[Fold],
    settings: BacktestSettings,
    folder: str | Path | None,
) -> list[_Part]:
    known = "" if folder is None else panel.fingerprint() + _described(settings)
    tasks = []
    for name, strategy in strategies.items():
        content = "" if folder is None else content_digest(strategy)
        for fold in folds:
            facts = json.dumps([known, name, content, repr(fold)])
            key = hashlib.sha256(facts.encode()).hexdigest()[:20]
            tasks.append(_Part(name, strategy, fold, None if folder is None else Path(folder) / f"part-{key}"))
    return tasks


def _described(settings: BacktestSettings) -> str:
    listing, costs = settings.listing, settings.costs
    mask = None if listing is None else listing.mask
    return json.dumps([settings.facts(), content_digest(costs), content_digest(mask)], sort_keys=True)


def _stored(part: _Part) -> BacktestResult | None:
    if part.folder is None or not part.folder.exists():
        return None
    try:
        return BacktestResult.from_parquet(part.folder)
    except StorageError:  # foreign or damaged: computed again, and replaced as a whole
        return None


def _run(panel: ReturnPanel, part: _Part, settings: BacktestSettings) -> BacktestResult:
    with one_numeric_thread():
        policy = part.strategy
        if isinstance(policy, TrainedPerFold):
            training = panel.until(part.fold.train_end)
            if part.fold.train_start > training.dates[0]:
                training = training.after(training.dates[int(training.dates.searchsorted(part.fold.train_start)) - 1])
            policy = policy.fit(training)
            decision_function(policy)
            refuse_future_holdings(policy, part.fold.train_end)
        result = simulate(panel, policy, settings, start=part.fold.test_start, end=part.fold.test_end)
    if part.folder is not None:
        result.to_parquet(part.folder)
    return result
