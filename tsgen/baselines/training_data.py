"""What baselines are fitted to: one dated history or independent paths, in one shape, with its record.

Sits above market data and scenario sets; every baseline's ``fit`` starts here.
"""

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Literal, Self, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import ReturnPanel
from tsgen.return_kind import ReturnKind
from tsgen.scenario_set import ScenarioSet


@final
@dataclass(frozen=True, kw_only=True)
class BaselineRecord:
    """What a reader of a fitted baseline needs to know about its making.

    Attributes
    ----------
    assets, kind, frequency
        Of the training data.
    trained_on : {"panel", "paths"}
        One long history, or independent paths from their start.
    training_start, training_cutoff : Timestamp or None
        First and last training date; ``None`` for paths.
    n_observations : int
        Dates of the panel, or paths times periods.
    fingerprint : str
        SHA-256 of the training data.
    all_above_total_loss : bool
        Whether all simple training returns were above -100 %: then scenarios are kept above it, too.
    notes : tuple of str
        What a careful reader should know: fits that did not converge and what replaced them, values that were
        bounded for fitting, chosen orders.
    """

    assets: tuple[str, ...]
    kind: ReturnKind
    frequency: str
    trained_on: Literal["panel", "paths"]
    training_start: pd.Timestamp | None
    training_cutoff: pd.Timestamp | None
    n_observations: int
    fingerprint: str
    all_above_total_loss: bool
    notes: tuple[str, ...] = field(default=())

    def with_notes(self, notes: list[str]) -> Self:
        """Same record with ``notes`` appended."""
        return replace(self, notes=(*self.notes, *notes))


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """Training returns of shape (path, time, asset), one path for a panel, and their record."""

    values: NDArray[np.float64]
    record: BaselineRecord

    @property
    def pooled(self) -> NDArray[np.float64]:
        """All rows of all paths, shape (path * time, asset)."""
        return self.values.reshape(-1, self.values.shape[2])

    @property
    def is_panel(self) -> bool:
        """Whether it is one dated history."""
        return self.record.trained_on == "panel"


def training_panel(data: object, *, n_dates: int, purpose: str) -> TrainingData:
    """Check that ``data`` is a panel with at least ``n_dates`` dates in which every asset moves.

    Raises
    ------
    ConfigError
        If ``data`` is no `ReturnPanel`.
    DataError
        If it is too short, or an asset is constant.

    Examples
    --------
    >>> training_panel([0.1], n_dates=2, purpose="resample")
    Traceback (most recent call last):
    ...
    tsgen.errors.ConfigError: one dated history is needed to resample: expected a ReturnPanel, got list. ...
    """
    if not isinstance(data, ReturnPanel):
        raise ConfigError(
            f"one dated history is needed to {purpose}: expected a ReturnPanel, got {type(data).__name__}. "
            "Use tsgen.load_returns or ReturnPanel(frame, kind=...); for independent paths use IidGaussian, "
            "GaussianProcess, VectorAutoregression, Arma or Regurgitation."
        )
    data.require_history(n_dates, purpose=purpose)
    record = BaselineRecord(
        assets=data.assets,
        kind=data.kind,
        frequency=data.frequency,
        trained_on="panel",
        training_start=data.dates[0],
        training_cutoff=data.dates[-1],
        n_observations=data.n_dates,
        fingerprint=data.fingerprint(),
        all_above_total_loss=True,
    )
    return TrainingData(values=data.values[None], record=record)


def training_data(data: object, *, n_rows: int, purpose: str) -> TrainingData:
    """Check that ``data`` is a panel or equally likely paths with at least ``n_rows`` rows in all.

    Raises
    ------
    ConfigError
        If ``data`` is neither a `ReturnPanel` nor a `ScenarioSet`, or its scenarios have unequal probabilities.
    DataError
        If there are too few rows, or an asset is constant.
    """
    if not isinstance(data, ScenarioSet):
        if not isinstance(data, ReturnPanel):
            raise ConfigError(
                f"training data must be a ReturnPanel (one history) or a ScenarioSet (independent paths) to {purpose}: "
                f"got {type(data).__name__}. Use ReturnPanel(frame, kind=...) or ScenarioSet(returns, assets, kind)."
            )
        return training_panel(data, n_dates=n_rows, purpose=purpose)
    if np.ptp(data.weights) > 1e-12:
        raise ConfigError(
            f"training paths must be equally likely to {purpose}: probabilities run from {data.weights.min():.3g} to "
            f"{data.weights.max():.3g}. Resample the scenarios by their probabilities first."
        )
    rows = data.n_scenarios * data.horizon
    if rows < n_rows:
        raise DataError(
            f"at least {n_rows} rows (paths times periods) are needed to {purpose}: got {rows}. Pass more paths."
        )
    still = [a for a, spread in zip(data.assets, np.ptp(data.returns, axis=(0, 1)), strict=True) if spread == 0.0]
    if still:
        raise DataError(f"every asset must move to {purpose}: {', '.join(still)} is constant. Remove it.")
    return TrainingData(values=data.returns, record=_paths_record(data))


def check_not_collinear(training: TrainingData, *, purpose: str) -> None:
    """Raise unless the correlation matrix of all rows can be inverted.

    Raises
    ------
    DataError
        If an asset is a linear combination of others; names the two most alike.
    """
    if len(training.record.assets) == 1:
        return
    correlation = np.asarray(np.corrcoef(training.pooled, rowvar=False))
    # inverses lose all but half of the digits beyond this
    if float(np.linalg.eigvalsh(correlation)[0]) > 1e-8:
        return
    strength = np.abs(np.tril(correlation, -1))
    i, j = divmod(int(strength.argmax()), len(strength))
    alike = f"{training.record.assets[j]} and {training.record.assets[i]} (correlation {correlation[i, j]:.6f})"
    raise DataError(
        f"no asset may be a combination of others to {purpose}: the correlation matrix is singular; most alike are "
        f"{alike}. Remove one of them."
    )


def _paths_record(paths: ScenarioSet) -> BaselineRecord:
    digest = hashlib.sha256(json.dumps([paths.kind, paths.assets, paths.returns.shape]).encode())
    digest.update(np.ascontiguousarray(paths.returns + 0.0, dtype="<f8").tobytes())
    return BaselineRecord(
        assets=paths.assets,
        kind=paths.kind,
        frequency="irregular",
        trained_on="paths",
        training_start=None,
        training_cutoff=paths.asof,
        n_observations=paths.n_scenarios * paths.horizon,
        fingerprint=digest.hexdigest(),
        all_above_total_loss=paths.kind == "log" or float(paths.returns.min()) > -1.0,
    )
