"""`PairedWindows`: realised windows and what the generator would have said at the start of each of them.

The input of every law metric: unit u is an as-of date (windows of one history, not overlapping) or a path
(independent paths). Given the history, the realised window and the M generated ones are exchangeable if the
generator is right; all floors in this folder follow from that. Below `window_pairing`, which
makes them, and the metrics.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import DataError, ShapeError
from tsgen.return_kind import ReturnKind, check_kind

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
