r"""Paths on which a trading policy is fitted and valued: what is known at each decision, and what is earned after it.

Brings every source (scenarios, a generator, a history) to one form. With ``lag=0`` a decision at the close of
period t trades at that close and earns period t + 1; with ``lag=1``, as in `portfolio.backtest`, it trades one
close later and earns period t + 2. Above `signal_rules`.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, final, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from portfolio.backtest.knowledge_stamp import latest_knowledge
from portfolio.dynamic.checked_arrays import finite_array
from portfolio.dynamic.signal_rules import SignalRule, check_causal
from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata import ReturnPanel
from tsgen.random_streams import numpy_stream
from tsgen.scenario_set import ScenarioSet
from tsgen.whole_numbers import whole_number

Array = NDArray[np.float64]


@runtime_checkable
class Generator(Protocol):
    """What makes scenarios."""

    def sample(self, n_scenarios: int, horizon: int, *, seed: int) -> ScenarioSet:
        """Scenarios of the given number and length."""
        ...


class Sampling(NamedTuple):
    """How many paths, of which length, from a source that has to be asked."""

    n_scenarios: int
    horizon: int
    seed: int


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class TradingPaths:
    """Decisions and what they earn.

    Parameters
    ----------
    signals : ndarray of shape (scenario, decision, signal)
        Known at the decision.
    returns : ndarray of shape (scenario, decision, asset)
        Simple returns that the position after the decision's trade earns.
    probabilities : ndarray of shape (scenario,)
    assets : tuple of str
        Traded.
    columns : tuple of str
        Of the data behind the paths, in the order in which a rule sees them.
    cutoff : Timestamp, optional
        Last date of the data behind the paths, as far as it is known.
    """

    signals: Array
    returns: Array
    probabilities: Array
    assets: tuple[str, ...]
    columns: tuple[str, ...]
    cutoff: pd.Timestamp | None = None

    @property
    def n_scenarios(self) -> int:
        """Number of paths."""
        return self.signals.shape[0]

    @property
    def n_decisions(self) -> int:
        """Number of decisions on each path."""
        return self.signals.shape[1]


def trading_paths(source: Any, signals: Any, *, lag: int, sampling: Sampling) -> TradingPaths:
    """Decisions and returns from a source and its signals.

    Parameters
    ----------
    source : ScenarioSet, ReturnPanel or generator
        A panel is cut into consecutive paths of the horizon; a generator is asked for paths.
    signals : SignalRule or array
        An array, for scenarios only, has shape (scenario, time, signal): entry t is known at the close of period t,
        as are the returns of t. With one entry more, (scenario, time + 1, signal), entry t is known **before** the
        returns of period t.
    lag : int
        0 or 1.
    sampling : Sampling

    Returns
    -------
    TradingPaths

    Raises
    ------
    ConfigError, DataError, ShapeError
        If something does not fit.
    LookAheadError
        If the signals of a rule see the future.
    """
    if isinstance(lag, bool) or lag not in (0, 1):
        raise ConfigError(f"lag must be 0 (trade at the close of the signal) or 1 (one close later): got {lag!r}.")
    whole_number(sampling.horizon, "horizon", least=2)
    whole_number(sampling.n_scenarios, "n_scenarios")
    if isinstance(signals, SignalRule) and not isinstance(signals, type):
        return _by_rule(source, signals, lag, sampling)
    if callable(signals) or isinstance(signals, (str, pd.DataFrame)) or not isinstance(source, ScenarioSet):
        raise ConfigError(
            "signals must be a rule such as ExponentialAverages(half_lives=(5, 60)), ColumnSignals or "
            "CustomSignals(function=..., memory=...); for a ScenarioSet also an array (scenario, time, signal). Got "
            f"{type(signals).__name__} with a source of type {type(source).__name__}."
        )
    return _by_array(source, finite_array(signals, (source.n_scenarios, None, None), "signals"), lag)


def _by_array(scenarios: ScenarioSet, signals: Array, lag: int) -> TradingPaths:
    returns = scenarios.to_kind("simple").returns
    ahead = {scenarios.horizon: 1, scenarios.horizon + 1: 0}.get(signals.shape[1])
    if ahead is None:
        raise ShapeError(
            f"signals must have one entry per period ({scenarios.horizon}; known at its close) or one more (known "
            f"before each period): got {signals.shape[1]}."
        )
    stamp = latest_knowledge(scenarios)
    paths = _paired(signals, returns, ahead + lag, scenarios)
    return replace(paths, cutoff=stamp[1] if stamp else None)


def _by_rule(source: Any, rule: SignalRule, lag: int, sampling: Sampling) -> TradingPaths:
    if isinstance(source, ReturnPanel):
        panel = source.to_kind("simple")
        scenarios = ScenarioSet(panel.values[None], assets=panel.assets, kind="simple")
        cutoff: pd.Timestamp | None = panel.dates[-1]
    else:
        scenarios = _sampled(source, rule, sampling)
        stamps = [known[1] for known in (latest_knowledge(source), latest_knowledge(scenarios)) if known]
        cutoff = max(stamps) if stamps else None
    returns, assets = scenarios.to_kind("simple").returns, scenarios.assets
    rng = numpy_stream(sampling.seed, "causality of signals")
    check_causal(rule, np.array(returns[:3]), assets, rng=rng)
    computed = rule.compute(returns, assets)[:, rule.memory - 1 :]
    traded = [i for i, name in enumerate(assets) if name not in rule.untraded]
    if not traded:
        raise DataError("no asset is left to trade: all columns are signals.")
    paths = _paired(computed, returns[:, rule.memory - 1 :, traded], 1 + lag, scenarios)
    paths = replace(paths, assets=tuple(assets[i] for i in traded), cutoff=cutoff)
    return _blocks(paths, sampling.horizon) if isinstance(source, ReturnPanel) else paths


def _sampled(source: Any, rule: SignalRule, sampling: Sampling) -> ScenarioSet:
    if isinstance(source, ScenarioSet):
        return source
    if isinstance(source, type) or not isinstance(source, Generator):
        raise ConfigError(
            f"the source must be a ScenarioSet, a ReturnPanel or a generator with sample(...): got {source!r}."
        )
    return source.sample(sampling.n_scenarios, sampling.horizon + rule.memory, seed=sampling.seed)


def _paired(signals: Array, returns: Array, ahead: int, scenarios: ScenarioSet) -> TradingPaths:
    count = min(signals.shape[1], returns.shape[1] - ahead)
    if count < 2:
        raise DataError(f"paths must hold two decisions with a return after each: {returns.shape[1]} periods do not.")
    return TradingPaths(
        signals=np.ascontiguousarray(signals[:, :count]),
        returns=np.ascontiguousarray(returns[:, ahead : ahead + count]),
        probabilities=scenarios.weights,
        assets=scenarios.assets,
        columns=scenarios.assets,
    )


def _blocks(paths: TradingPaths, length: int) -> TradingPaths:
    count = paths.n_decisions // length
    if count < 2:
        raise DataError(
            f"the history has {paths.n_decisions} decisions, too few for two paths of {length}. Use a shorter horizon."
        )
    first = paths.n_decisions - count * length

    def cut(values: Array) -> Array:
        return values[0, first:].reshape(count, length, values.shape[2])

    return replace(
        paths,
        signals=cut(paths.signals),
        returns=cut(paths.returns),
        probabilities=np.full(count, 1.0 / count),
    )
