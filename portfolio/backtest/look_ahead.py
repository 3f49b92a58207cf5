"""`check_no_lookahead`: replace the future, run again, and demand the same decisions to the last bit.

What a careful reading of the code cannot show, this can: a decision that moves when only later data were replaced
has seen later data. It works for any policy and any generator, because it looks at nothing but decisions.
"""

import html
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, final

import numpy as np
import pandas as pd

from portfolio.backtest.backtest_result import BacktestResult
from portfolio.backtest.knowledge_stamp import held_objects
from portfolio.backtest.past_view import PastView
from portfolio.backtest.policy import Policy, PolicyLike, decision_function
from portfolio.backtest.rebalance_schedule import scheduled_dates
from portfolio.backtest.replaced_future import Replacement, signals_with_replaced_future, with_replaced_future
from portfolio.backtest.scenario_policy import ScenarioSource, as_trained
from portfolio.backtest.settings import BacktestSettings
from portfolio.backtest.signals import Signals
from portfolio.backtest.simulator import simulate
from tsgen.errors import ConfigError, DataError, LookAheadError
from tsgen.marketdata import ReturnPanel
from tsgen.random_streams import dated_seed, numpy_stream

_PROBE_SCENARIOS, _PROBE_HORIZON = 16, 3


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class NoLookAheadReport:
    """What was checked, after everything was found in order.

    Attributes
    ----------
    table : DataFrame
        One row per cut and replacement: ``cut``, ``replacement``, ``decisions`` compared.
    rebuilt : bool
        Whether the policy was built anew from the replaced data (``build=``).
    """

    table: pd.DataFrame
    rebuilt: bool

    @property
    def n_compared(self) -> int:
        """Number of decisions that were compared bit by bit."""
        return int(self.table["decisions"].sum())

    def __repr__(self) -> str:
        cuts = self.table["cut"].nunique()
        return (
            f"NoLookAheadReport(no look-ahead found: {self.n_compared} decisions unchanged, {cuts} cuts, replacements "
            f"{', '.join(dict.fromkeys(self.table['replacement']))}, policy {'rebuilt' if self.rebuilt else 'kept'})"
        )

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(repr(self))}</b></p>{self.table.to_html(index=False)}"


class _Experiment(NamedTuple):
    panel: ReturnPanel
    make: Callable[..., PolicyLike | ScenarioSource]
    settings: BacktestSettings
    start: pd.Timestamp


def check_no_lookahead(
    panel: ReturnPanel,
    policy: PolicyLike | ScenarioSource | None = None,
    *,
    start: Any,
    build: Callable[..., PolicyLike | ScenarioSource] | None = None,
    cuts: Iterable[Any] | None = None,
    replacements: Iterable[Replacement] = ("resampled", "extreme"),
    settings: BacktestSettings | None = None,
) -> NoLookAheadReport:
    """Replace everything after a cut by other data and demand bit-identical decisions up to the cut.

    Parameters
    ----------
    panel : ReturnPanel
    policy : Policy, callable or ScenarioSource, optional
        What to check. A generator is asked for scenarios at every date; these are its decisions.
    start : date-like
        First decision.
    build : callable, optional
        ``build(panel) -> policy`` instead of a policy, for everything that is **prepared from data** before the
        backtest: normalised signals, fitted models. It is called again with every replaced panel. Preparation that
        happens outside of ``build`` and of the policy cannot be checked. If it has a parameter ``signals``, it also
        gets those of the settings.
    cuts : dates, optional
        Default: the decision dates in the middle and at the end.
    replacements : sequence of {"resampled", "extreme", "absent"}
        See `with_replaced_future`. ``"absent"`` is the strictest in meaning, but other array lengths may change
        the rounding of vectorised arithmetic in ``build``.
    settings : BacktestSettings, optional
        Default: monthly decisions, no costs, lag 1, seed 0. The future of its signals is replaced, too.

    Returns
    -------
    NoLookAheadReport

    Raises
    ------
    LookAheadError
        Naming the first date and asset whose decision moved; also if the policy holds dated data from after a cut,
        which this check could not replace.
    ConfigError, DataError
        If not exactly one of policy and build is given, or a cut has no decision before it.

    Notes
    -----
    Costs one backtest, and per cut and replacement another one up to the cut. Passing shows that no leak was found
    at these cuts; a leak of one date's reach shows only at a cut on the decision itself, so use many cuts where
    decisions are cheap.

    Examples
    --------
    A z-score over the whole history looks harmless and is not:

    >>> days = pd.bdate_range("2024-01-01", periods=60)
    >>> rows = np.random.default_rng(0).normal(0, 0.01, (60, 2))
    >>> panel = ReturnPanel(pd.DataFrame(rows, index=days, columns=["A", "B"]), kind="simple")
    >>> def build(panel):
    ...     scores = (panel.returns - panel.returns.mean()) / panel.returns.std()
    ...     return lambda past: scores.loc[past.date]
    >>> check_no_lookahead(panel, build=build, start=days[20])
    Traceback (most recent call last):
        ...
    tsgen.errors.LookAheadError: the decision of 2024-01-29 for A moved from ...
    """
    if (policy is None) == (build is None):
        raise ConfigError("give a policy, or build= to make one from data: exactly one of the two.")
    chosen = BacktestSettings(rebalance="monthly", costs=None) if settings is None else settings
    first = panel.dates[min(int(panel.dates.searchsorted(pd.Timestamp(start))), panel.n_dates - 1)]
    dates = scheduled_dates(panel.dates[panel.dates >= first], chosen.rebalance)
    points = _cut_dates(panel, dates, cuts)
    make = partial(_kept, policy, points[0]) if build is None else build
    experiment = _Experiment(panel, make, chosen, first)
    reference = _decisions(experiment, panel, points[-1])
    rows = []
    for replacement in tuple(replacements):
        for cut in points:
            rng = numpy_stream(dated_seed(chosen.seed, cut.isoformat()), f"replaced future {replacement}")
            other = with_replaced_future(panel, cut, replacement, rng=rng)
            replaced = experiment._replace(settings=_with_other_signals(chosen, cut, replacement, rng))
            compared = _compare(reference, _replayed(replaced, other, cut), cut, replacement)
            rows.append({"cut": cut, "replacement": replacement, "decisions": compared})
    if not rows:
        raise ConfigError("replacements must name at least one way to replace the future: got none.")
    return NoLookAheadReport(table=pd.DataFrame(rows), rebuilt=build is not None)


def _with_other_signals(
    settings: BacktestSettings, cut: pd.Timestamp, replacement: Replacement, rng: np.random.Generator
) -> BacktestSettings:
    if settings.signals is None:
        return settings
    return replace(settings, signals=signals_with_replaced_future(settings.signals, cut, replacement, rng=rng))


def _cut_dates(panel: ReturnPanel, decisions: pd.DatetimeIndex, cuts: Iterable[Any] | None) -> list[pd.Timestamp]:
    inside = decisions[decisions < panel.dates[-1]]  # the last date has no future to replace
    if not len(inside):
        raise DataError("no decision has later data that could be replaced. Start earlier or load a longer history.")
    if cuts is None:
        return list(dict.fromkeys([inside[len(inside) // 2], inside[-1]]))
    points = sorted(pd.Timestamp(cut) for cut in cuts)
    if not points or points[0] < decisions[0] or points[-1] >= panel.dates[-1]:
        raise DataError(
            f"cuts must lie between the first decision ({decisions[0].date()}) and the date before the last "
            f"({panel.dates[-2].date()}): got {[str(p.date()) for p in points]}."
        )
    return points


def _kept(policy: Any, first_cut: pd.Timestamp, panel: ReturnPanel) -> Any:
    """The policy itself, if it holds no dated data that would stay as they are."""
    for name, thing in held_objects(policy, containers=True):
        last, is_panel_array = _last_date(thing), isinstance(thing, np.ndarray) and len(thing.shape) > 0
        same_length = is_panel_array and thing.shape[0] == panel.n_dates
        if same_length or (last is not None and last > first_cut):
            until = "all dates of the panel" if last is None else str(last.date())
            raise LookAheadError(
                f"the policy holds data up to {until} ({name}), which this check cannot replace, so that a pass would "
                "mean nothing. Pass build=lambda panel: ... that prepares them from the panel it is given."
            )
    return policy


def _last_date(thing: Any) -> pd.Timestamp | None:
    if isinstance(thing, Signals):
        return thing.last_date
    index = thing.dates if isinstance(thing, ReturnPanel) else getattr(thing, "index", None)
    if isinstance(thing, (ReturnPanel, pd.DataFrame, pd.Series)) and isinstance(index, pd.DatetimeIndex) and len(index):
        return index.max()
    return None


@final
@dataclass(frozen=True)
class _ScenarioProbe:
    """A generator as a policy: its decision is a fingerprint of its scenarios, asset by asset."""

    source: ScenarioSource

    def decide(self, past: PastView, *, previous: pd.Series, seed: int) -> pd.Series:
        del previous
        history = as_trained(past.panel, self.source)
        drawn = self.source.sample(_PROBE_SCENARIOS, _PROBE_HORIZON, history=history, seed=seed)
        # generic coefficients: a change of any one number changes the sum
        mix = np.random.Generator(np.random.Philox(key=7)).uniform(0.5, 1.5, drawn.returns.shape[:2])
        sums = np.einsum("st,sta->a", mix, drawn.returns) * 1e-3
        return pd.Series(sums, index=list(drawn.assets)).reindex(list(past.assets), fill_value=0.0)


def _as_policy(made: Any) -> PolicyLike:
    if not isinstance(made, Policy) and not isinstance(made, type) and isinstance(made, ScenarioSource):
        return _ScenarioProbe(made)
    decision_function(made)
    return made


def _decisions(experiment: _Experiment, panel: ReturnPanel, until: pd.Timestamp) -> BacktestResult:
    signals = experiment.settings.signals
    wanted = signals is not None and "signals" in _parameters(experiment.make)
    policy = _as_policy(experiment.make(panel, signals=signals) if wanted else experiment.make(panel))
    return simulate(panel, policy, experiment.settings, start=experiment.start, end=until)


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)
    except ValueError:  # some compiled callables have no signature
        return ()


def _replayed(experiment: _Experiment, panel: ReturnPanel, cut: pd.Timestamp) -> BacktestResult:
    try:
        return _decisions(experiment, panel, cut)
    except LookAheadError:
        raise
    except Exception as error:
        raise LookAheadError(
            f"with other data after {cut.date()} the policy fails up to there ({type(error).__name__}: {error}), with "
            "the original data it does not: building it or deciding reads later data."
        ) from error


def _compare(reference: BacktestResult, other: BacktestResult, cut: pd.Timestamp, replacement: str) -> int:
    """Number of decisions compared; raises at the first that moved."""
    known = reference.decisions.loc[:cut]
    for date, status in known["status"].items():
        stamp = pd.Timestamp(str(date))
        if other.decisions.loc[stamp, "status"] != status:
            moved = f"its status from {status!r} to {other.decisions.loc[stamp, 'status']!r}"
            raise LookAheadError(_message(stamp, "all assets", moved, cut, replacement))
        if stamp not in reference.targets.index:
            continue
        before, after = reference.targets.loc[stamp], other.targets.loc[stamp]
        differ = before.to_numpy().view(np.uint64) != after.to_numpy().view(np.uint64)
        if differ.any():
            first = int(np.argmax(differ))
            asset = str(before.index[first])
            moved = f"from {before.to_numpy().item(first)!r} to {after.to_numpy().item(first)!r}"
            raise LookAheadError(_message(stamp, asset, moved, cut, replacement))
    return len(known)


def _message(date: pd.Timestamp, asset: str, moved: str, cut: pd.Timestamp, replacement: str) -> str:
    return (
        f"the decision of {date.date()} for {asset} moved {moved} when only data after {cut.date()} were replaced "
        f"({replacement}): it has seen the future. Look for statistics, scalers or models fitted on the whole history."
    )
