"""`PairedWindows`: realised windows and what the generator would have said at the start of each of them.

The input of every law metric: unit u is an as-of date (windows of one history, not overlapping) or a path
(independent paths). Given the history, the realised window and the M generated ones are exchangeable if the
generator is right; all floors in this folder follow from that. Above `dated_scenarios`, below the metrics.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import ConfigError, DataError, LookAheadError, ShapeError
from tsgen.evaluation.dated_scenarios import SamplesScenarios, scenarios_at
from tsgen.marketdata import ReturnPanel
from tsgen.random_streams import numpy_stream
from tsgen.return_kind import ReturnKind, check_kind
from tsgen.scenario_set import ScenarioSet

# fewer units carry no information on a law: the smallest attainable p-value of a sign flip of 8 units is 1/256
MINIMUM_UNITS = 8


def _checked_windows(values: ArrayLike, *, name: str, axes: str) -> NDArray[np.float64]:
    windows = np.array(values, dtype=np.float64)
    expected = len(axes.split(","))
    if windows.ndim != expected or 0 in windows.shape:
        raise ShapeError(f"{name} must have axes ({axes}), none of them empty: got shape {windows.shape}.")
    if not np.isfinite(windows).all():
        raise DataError(
            f"{name} must be finite: {int((~np.isfinite(windows)).sum())} values are not. "
            "Repair or leave out these windows; no metric skips missing values."
        )
    windows.flags.writeable = False
    return windows


def _check_moves(windows: NDArray[np.float64], *, name: str, assets: tuple[str, ...]) -> None:
    flat = windows.reshape(-1, windows.shape[-1])
    still = np.ptp(flat, axis=0) == 0.0
    if still.any():
        names = [asset for asset, constant in zip(assets, still, strict=True) if constant]
        raise DataError(
            f"{name} are constant for {', '.join(names)}: distances between laws need values that move. "
            "Leave these assets out."
        )


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class PairedWindows:
    """Realised windows beside generated ones, unit by unit.

    Parameters
    ----------
    realised : array of shape (unit, time, asset), float64
        Decimals per period; copied and made read-only. At least 8 units.
    generated : array of shape (unit, scenario, time, asset), float64
        Scenarios conditional on what was known at the start of each unit.
    assets : tuple of str
    kind : {"simple", "log"}
    dates : DatetimeIndex, optional
        As-of date of every unit; None for independent paths.

    Raises
    ------
    ShapeError
        If shapes do not agree.
    DataError
        If values are not finite, an asset never moves, names repeat, or there are fewer than 8 units.

    Notes
    -----
    With independent paths the assignment of generated paths to units has no meaning and does no harm.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> pairs = PairedWindows(
    ...     realised=rng.standard_normal((10, 5, 2)), generated=rng.standard_normal((10, 4, 5, 2)),
    ...     assets=("A", "B"), kind="log",
    ... )
    >>> pairs.n_units, pairs.n_scenarios, pairs.horizon, pairs.n_assets
    (10, 4, 5, 2)
    >>> pairs.members.shape
    (10, 5, 5, 2)
    """

    realised: NDArray[np.float64]
    generated: NDArray[np.float64]
    assets: tuple[str, ...]
    kind: ReturnKind
    dates: pd.DatetimeIndex | None = None

    def __post_init__(self) -> None:
        realised = _checked_windows(self.realised, name="realised windows", axes="unit, time, asset")
        generated = _checked_windows(self.generated, name="generated windows", axes="unit, scenario, time, asset")
        assets = tuple(str(a) for a in self.assets)
        n_units, horizon, n_assets = realised.shape
        if (generated.shape[0], *generated.shape[2:]) != realised.shape:
            raise ShapeError(
                "generated windows must repeat the realised axes with scenarios second: expected "
                f"({n_units}, M, {horizon}, {n_assets}), got {generated.shape}."
            )
        if len(assets) != n_assets or len(set(assets)) != n_assets:
            raise DataError(f"assets must be {n_assets} different names, one per asset: got {list(assets)}.")
        if n_units < MINIMUM_UNITS:
            raise DataError(
                f"at least {MINIMUM_UNITS} units (dates or paths) are needed to compare laws: got {n_units}. "
                "Use more dates, a shorter horizon or more paths."
            )
        if self.dates is not None and len(self.dates) != n_units:
            raise ShapeError(f"dates must name every unit: expected {n_units}, got {len(self.dates)}.")
        _check_moves(realised, name="realised windows", assets=assets)
        _check_moves(generated, name="generated windows", assets=assets)
        for name, value in (("realised", realised), ("generated", generated), ("assets", assets)):
            object.__setattr__(self, name, value)
        check_kind(self.kind)

    @property
    def n_units(self) -> int:
        """Number of dates or paths."""
        return self.realised.shape[0]

    @property
    def n_scenarios(self) -> int:
        """Generated windows per unit, M."""
        return self.generated.shape[1]

    @property
    def horizon(self) -> int:
        """Periods per window, T."""
        return self.realised.shape[1]

    @property
    def n_assets(self) -> int:
        """Number of assets N."""
        return self.realised.shape[2]

    @property
    def members(self) -> NDArray[np.float64]:
        """Realised window first, then the generated ones: shape (unit, 1 + M, time, asset)."""
        return np.concatenate([self.realised[:, None], self.generated], axis=1)

    @property
    def scaled_members(self) -> NDArray[np.float64]:
        """Members in units of their date: the conditional law without the swings of volatility between dates.

        Divided, asset by asset, by the mean absolute return over all members of their unit, where units are dates;
        by the one over all units for independent paths. Realised and generated members are treated alike, so they
        stay exchangeable, and tests of tails and memory gain power: no few stormy dates dominate the rest.

        Raises
        ------
        DataError
            If an asset stands still in all members of a unit.
        """
        members = self.members
        axes = (0, 1, 2) if self.dates is None else (1, 2)
        scale = np.abs(members).mean(axis=axes, keepdims=True)
        if (scale == 0.0).any():
            raise DataError(
                "an asset stands still in all windows of a date: its returns have no scale there. Leave out the asset "
                "or the date."
            )
        return members / scale

    def require(self, *, metric: str, n_assets: int = 1, horizon: int = 1) -> None:
        """Raise unless there are enough assets and periods for a metric.

        Parameters
        ----------
        metric : str
            How messages call it.
        n_assets, horizon : int, default 1
            Smallest sufficient numbers.

        Raises
        ------
        DataError
            If there are fewer.
        """
        if self.n_assets < n_assets:
            raise DataError(
                f"{metric} compares assets with each other and needs at least {n_assets}: got {self.n_assets}. "
                "Leave it out for a single asset."
            )
        if self.horizon < horizon:
            raise DataError(
                f"{metric} needs windows of at least {horizon} periods: got {self.horizon}. Use a longer horizon."
            )


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
