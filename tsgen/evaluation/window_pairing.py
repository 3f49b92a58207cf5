"""How realised windows are paired with generated ones: window dates, one history, independent paths.

Above `dated_scenarios` and `paired_windows`, below the evaluation of a model.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from tsgen.errors import ConfigError, DataError, LookAheadError, ShapeError
from tsgen.evaluation.dated_scenarios import SamplesScenarios, scenarios_at
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.marketdata import ReturnPanel
from tsgen.random_streams import numpy_stream
from tsgen.scenario_set import ScenarioSet


def window_dates(panel: ReturnPanel, *, after: object, horizon: int) -> pd.DatetimeIndex:
    """As-of dates whose windows of ``horizon`` periods do not overlap, as many as fit after a date.

    Parameters
    ----------
    panel : ReturnPanel
    after : date-like
        The first as-of date is the last panel date up to and including it, typically the training cut-off.
    horizon : int
        Periods per window.

    Returns
    -------
    DatetimeIndex
        Every window ends inside the panel.

    Raises
    ------
    DataError
        If not even one window fits.
    ConfigError
        If ``horizon`` is not a positive integer.

    Examples
    --------
    >>> frame = pd.DataFrame({"A": [0.01, -0.02, 0.03, 0.0, 0.01]}, index=pd.bdate_range("2024-01-01", periods=5))
    >>> panel = ReturnPanel(frame, kind="log")
    >>> [str(d.date()) for d in window_dates(panel, after="2024-01-01", horizon=2)]
    ['2024-01-01', '2024-01-03']
    """
    periods = _checked_horizon(horizon)
    first = panel.until(after).n_dates - 1
    positions = np.arange(first, panel.n_dates - periods, periods)
    if positions.size == 0:
        raise DataError(
            f"no window of {periods} periods fits after {panel.dates[first].date()}: the panel ends on "
            f"{panel.dates[-1].date()}. Start earlier or shorten the horizon."
        )
    return panel.dates[positions]


def windows_at(
    generator: SamplesScenarios,
    panel: ReturnPanel,
    dates: Iterable[pd.Timestamp],
    *,
    horizon: int,
    n_scenarios: int,
    seed: int,
) -> PairedWindows:
    """Pair the windows that followed as-of dates with what a generator said on these dates.

    Parameters
    ----------
    generator : SamplesScenarios
    panel : ReturnPanel
        History and evaluation period together.
    dates : iterable of Timestamp
        Strictly increasing as-of dates at least ``horizon`` periods apart, see `window_dates`.
    horizon, n_scenarios : int
    seed : int

    Returns
    -------
    PairedWindows
        In the return convention of the panel.

    Raises
    ------
    LookAheadError
        If windows overlap: they are not independent units.
    DataError
        If a window ends after the panel, dates are unknown, or assets differ.
    ConfigError, ShapeError
        As `tsgen.evaluation.scenarios_at`.

    Examples
    --------
    >>> frame = pd.DataFrame({"A": np.arange(20) % 3 * 0.01}, index=pd.bdate_range("2024-01-01", periods=20))
    >>> panel = ReturnPanel(frame, kind="simple")
    >>> class Coin:
    ...     assets, kind = ("A",), "simple"
    ...     def sample(self, n_scenarios, horizon, *, history=None, seed):
    ...         draws = np.random.default_rng(seed).choice([-0.01, 0.01], size=(n_scenarios, horizon, 1))
    ...         return ScenarioSet(draws, assets=self.assets, kind=self.kind)
    >>> dates = window_dates(panel, after="2024-01-01", horizon=2)
    >>> windows_at(Coin(), panel, dates, horizon=2, n_scenarios=3, seed=0).generated.shape
    (9, 3, 2, 1)
    """
    periods = _checked_horizon(horizon)
    stamps = pd.DatetimeIndex(list(dates))
    drawn = scenarios_at(generator, panel, stamps, n_scenarios, periods, seed=seed)
    positions = panel.dates.get_indexer(stamps)
    if positions.size and positions[-1] + periods >= panel.n_dates:
        raise DataError(
            f"the window after {stamps[-1].date()} needs {periods} periods, the panel has "
            f"{panel.n_dates - 1 - positions[-1]}. Drop the last dates; window_dates chooses dates that fit."
        )
    if (np.diff(positions) < periods).any():
        raise LookAheadError(
            f"windows of {periods} periods overlap: as-of dates must be at least {periods} periods apart, or the units "
            "are not independent and every floor is too low. Use window_dates."
        )
    realised = np.stack([panel.values[p + 1 : p + 1 + periods] for p in positions])
    generated = np.stack(list(drawn))
    return PairedWindows(realised=realised, generated=generated, assets=panel.assets, kind=panel.kind, dates=stamps)


def windows_of_paths(
    generator: SamplesScenarios | ScenarioSet, paths: ScenarioSet, *, seed: int, n_scenarios: int = 8
) -> PairedWindows:
    """Pair independent real paths with independent generated ones.

    Parameters
    ----------
    generator : SamplesScenarios or ScenarioSet
        A set is used as it is, in random order: ``M = generated // real`` scenarios per real path, the rest unused.
        A generator is asked for ``n_scenarios`` per real path, from the start of a path.
    paths : ScenarioSet
        Real paths with equal probabilities.
    seed : int
    n_scenarios : int, default 8
        Used with a generator only.

    Returns
    -------
    PairedWindows

    Raises
    ------
    ShapeError
        If horizons differ.
    DataError
        If assets or kinds differ, probabilities are unequal, or there are fewer generated than real paths.
    ConfigError
        If ``seed`` or ``n_scenarios`` is out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> real = ScenarioSet(rng.standard_normal((10, 5, 1)), assets=["A"], kind="log")
    >>> fake = ScenarioSet(rng.standard_normal((45, 5, 1)), assets=["A"], kind="log")
    >>> windows_of_paths(fake, real, seed=0).generated.shape
    (10, 4, 5, 1)
    """
    rng = numpy_stream(seed, "pairing of paths")
    drawn = generator
    if not isinstance(drawn, ScenarioSet):
        if n_scenarios < 1:
            raise ConfigError(f"n_scenarios must be a positive integer: got {n_scenarios!r}.")
        drawn = drawn.sample(n_scenarios * paths.n_scenarios, paths.horizon, seed=seed)
    _check_comparable(drawn, paths)
    per_unit = drawn.n_scenarios // paths.n_scenarios
    chosen = rng.permutation(drawn.n_scenarios)[: per_unit * paths.n_scenarios]
    generated = drawn.returns[chosen].reshape(paths.n_scenarios, per_unit, paths.horizon, paths.n_assets)
    return PairedWindows(realised=paths.returns, generated=generated, assets=paths.assets, kind=paths.kind)


def _check_comparable(drawn: ScenarioSet, paths: ScenarioSet) -> None:
    if drawn.assets != paths.assets or drawn.kind != paths.kind:
        raise DataError(
            f"generated and real paths must have the same assets and units: got {list(drawn.assets)} ({drawn.kind}) "
            f"and {list(paths.assets)} ({paths.kind}). Select assets and use to_kind first."
        )
    if drawn.horizon != paths.horizon:
        raise ShapeError(
            f"generated and real paths must be equally long: got {drawn.horizon} and {paths.horizon} periods."
        )
    for name, scenarios in (("generated", drawn), ("real", paths)):
        if scenarios.probabilities is not None and np.ptp(scenarios.probabilities) > 1e-12:
            raise DataError(
                f"{name} paths must have equal probabilities: these metrics count paths. Resample the set with its "
                "probabilities first."
            )
    if drawn.n_scenarios < paths.n_scenarios:
        raise DataError(
            f"at least as many generated as real paths are needed: got {drawn.n_scenarios} for {paths.n_scenarios}. "
            "Generate more, or compare with fewer real paths."
        )


def _checked_horizon(horizon: int) -> int:
    if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer)) or horizon < 1:
        raise ConfigError(f"horizon must be a positive integer: got {horizon!r}. Use for example 20.")
    return int(horizon)
