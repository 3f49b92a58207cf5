"""Scenarios of one generator as of many dates: what the model would have said on each of them.

A backtest re-conditions the generator at every as-of date on the history up to it and on nothing later. The
noise of a date depends on the seed and the date alone, so a forecast does not change when other dates are
added or left out. A generator that filters its history once offers ``sample_at`` and gives the same numbers faster.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsgen.errors import DataError, ShapeError
from tsgen.marketdata import ReturnPanel
from tsgen.random_streams import check_seed, dated_seed
from tsgen.return_kind import ReturnKind
from tsgen.scenario_set import ScenarioSet
from tsgen.whole_numbers import whole_number


@runtime_checkable
class SamplesScenarios(Protocol):
    """Whatever can be evaluated: it knows its assets and units and samples paths after a history.

    Weaker than `tsgen.baselines.ScenarioGenerator`: a user's own model need not know its training cut-off.
    """

    @property
    def assets(self) -> tuple[str, ...]:
        """Asset names in the order of the last axis."""
        ...

    @property
    def kind(self) -> ReturnKind:
        """Return convention of the scenarios."""
        ...

    def sample(self, n_scenarios: int, horizon: int, *, history: ReturnPanel | None = None, seed: int) -> ScenarioSet:
        """Draw paths of shape (n_scenarios, horizon, asset) after ``history``."""
        ...


@runtime_checkable
class DatedGenerator(Protocol):
    """A generator that makes the forecasts of many as-of dates in one pass over the history."""

    def sample_at(
        self, panel: ReturnPanel, dates: pd.DatetimeIndex, n_scenarios: int, horizon: int, *, seed: int
    ) -> Iterator[NDArray[np.float64]]:
        """Yield paths of shape (n_scenarios, horizon, asset) date by date, equal to those of `SamplesScenarios`."""
        ...


def scenarios_at(
    generator: SamplesScenarios,
    panel: ReturnPanel,
    dates: Iterable[pd.Timestamp],
    n_scenarios: int,
    horizon: int,
    *,
    seed: int,
) -> Iterator[NDArray[np.float64]]:
    """Yield the scenarios of ``generator`` as of each date, given the panel up to and including that date.

    Parameters
    ----------
    generator : SamplesScenarios
        Its ``sample_at`` is used if it has one, else ``sample`` with ``panel.until(date)`` as history.
    panel : ReturnPanel
        History and evaluation period together; the assets and units of the generator.
    dates : iterable of Timestamp
        As-of dates: strictly increasing dates of the panel.
    n_scenarios, horizon : int
    seed : int
        Each date gets its own independent noise, `tsgen.random_streams.dated_seed`.

    Yields
    ------
    ndarray of shape (n_scenarios, horizon, asset), float64
        Decimals per period in the kind of the panel; its first period is the one after the as-of date.

    Raises
    ------
    ConfigError
        If a count is not a positive integer.
    DataError
        If assets or units differ, dates are unknown or unsorted, or a scenario is not finite.
    ShapeError
        If the generator returns another shape than it was asked for.

    Examples
    --------
    >>> frame = pd.DataFrame({"A": [0.01, -0.02, 0.03]}, index=pd.bdate_range("2024-01-01", periods=3))
    >>> class Coin:
    ...     assets, kind = ("A",), "simple"
    ...     def sample(self, n_scenarios, horizon, *, history=None, seed):
    ...         draws = np.random.default_rng(seed).choice([-0.01, 0.01], size=(n_scenarios, horizon, 1))
    ...         return ScenarioSet(draws, assets=self.assets, kind=self.kind)
    >>> panel = ReturnPanel(frame, kind="simple")
    >>> [paths.shape for paths in scenarios_at(Coin(), panel, panel.dates[1:], 4, 2, seed=0)]
    [(4, 2, 1), (4, 2, 1)]
    """
    n_scenarios, horizon = whole_number(n_scenarios, "n_scenarios"), whole_number(horizon, "horizon")
    check_seed(seed)
    check_same_assets(generator, panel)
    stamps = checked_dates(panel, dates)
    return _checked(_raw(generator, panel, stamps, n_scenarios, horizon, seed), stamps, (n_scenarios, horizon))


def check_same_assets(generator: SamplesScenarios, panel: ReturnPanel) -> None:
    """Raise `DataError` unless generator and panel agree on assets, their order and the return convention."""
    if tuple(generator.assets) != panel.assets:
        raise DataError(
            f"the panel must have the assets of the generator in their order: expected {list(generator.assets)}, got "
            f"{list(panel.assets)}. Use panel.select(generator.assets)."
        )
    if generator.kind != panel.kind:
        raise DataError(
            f"the panel has {panel.kind} returns, the generator makes {generator.kind} returns. "
            f"Use panel.to_kind({generator.kind!r})."
        )


def checked_dates(panel: ReturnPanel, dates: Iterable[pd.Timestamp]) -> pd.DatetimeIndex:
    """Return strictly increasing as-of dates that the panel knows; raise `DataError` otherwise."""
    stamps = pd.DatetimeIndex(list(dates))
    if len(stamps) == 0:
        raise DataError("at least one as-of date is needed: got none. Pass for example panel.dates[500:-1].")
    if not stamps.is_monotonic_increasing or not stamps.is_unique:
        raise DataError("as-of dates must be strictly increasing: they repeat or step back. Sort them first.")
    unknown = stamps[~stamps.isin(panel.dates)]
    if len(unknown):
        raise DataError(
            f"as-of dates must be dates of the panel: {len(unknown)} are not, the first is {unknown[0].date()}. "
            "Choose them from panel.dates."
        )
    return stamps


def _raw(
    generator: SamplesScenarios, panel: ReturnPanel, dates: pd.DatetimeIndex, n_scenarios: int, horizon: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    if isinstance(generator, DatedGenerator):
        yield from generator.sample_at(panel, dates, n_scenarios, horizon, seed=seed)
        return
    for date in dates:
        own_seed = dated_seed(seed, date.isoformat())
        yield generator.sample(n_scenarios, horizon, history=panel.until(date), seed=own_seed).returns


def _checked(
    raw: Iterator[NDArray[np.float64]], dates: pd.DatetimeIndex, counts: tuple[int, int]
) -> Iterator[NDArray[np.float64]]:
    made = 0
    for date, paths in zip(dates, raw, strict=False):
        made += 1
        values = np.asarray(paths, dtype=np.float64)
        if values.ndim != 3 or values.shape[:2] != counts:
            raise ShapeError(
                f"the generator was asked for {counts[0]} scenarios of {counts[1]} periods as of {date.date()} and "
                f"returned shape {values.shape}. Axes must be (scenario, time, asset)."
            )
        if not np.isfinite(values).all():
            raise DataError(
                f"the generator returned {int((~np.isfinite(values)).sum())} values that are not finite as of "
                f"{date.date()}. It cannot be evaluated before that is repaired."
            )
        yield values
    if made < len(dates):
        raise ShapeError(f"the generator stopped after {made} of {len(dates)} as-of dates. Check its sample_at.")
