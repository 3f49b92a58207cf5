"""`FittedBaseline`: the part of every baseline that is the same, checks and bookkeeping around one simulation.

A baseline is a final frozen dataclass of numbers that adds ``fit`` and ``_simulate``. Sits above
`addressed_draws` and `training_data`.
"""

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsgen.baselines.addressed_draws import AddressedDraws
from tsgen.baselines.training_data import BaselineRecord
from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import ReturnPanel
from tsgen.marketdata.history_check import check_history
from tsgen.random_streams import check_seed
from tsgen.return_kind import ReturnKind
from tsgen.scenario_set import ScenarioSet
from tsgen.whole_numbers import whole_number

# a simulated simple return never goes below: what is left of one unit stays positive and has a logarithm
LOWEST_SIMPLE_RETURN = -0.9999


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedBaseline(ABC):
    """A fitted simulation model behind the protocol `ScenarioGenerator`.

    Attributes
    ----------
    record : BaselineRecord
        Assets, units, training span, fingerprint, notes.
    """

    name: ClassVar[str]
    record: BaselineRecord

    def __post_init__(self) -> None:
        _check_arrays(self)

    @property
    def assets(self) -> tuple[str, ...]:
        """Asset names in the order of the last axis."""
        return self.record.assets

    @property
    def kind(self) -> ReturnKind:
        """Return convention of the scenarios."""
        return self.record.kind

    @property
    def training_cutoff(self) -> pd.Timestamp | None:
        """Last date of the training data; ``None`` for paths without dates."""
        return self.record.training_cutoff

    @property
    def notes(self) -> tuple[str, ...]:
        """What a careful reader should know about the fit (see `BaselineRecord`)."""
        return self.record.notes

    @abstractmethod
    def _simulate(self, draws: AddressedDraws, horizon: int, past: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Paths of shape (draws.n_rows, horizon, asset) after ``past`` of shape (time, asset)."""

    def sample(self, n_scenarios: int, horizon: int, *, history: ReturnPanel | None = None, seed: int) -> ScenarioSet:
        """Generate scenarios of the next ``horizon`` periods.

        Parameters
        ----------
        n_scenarios, horizon : int
            At least 1 each.
        history : ReturnPanel, optional
            Returns up to and including the as-of date, same assets and kind as in training. The state of the model
            (volatilities, lags) is computed from it, parameters are not fitted again. Default: the end of the
            training panel, or the start of a path. Models without memory take only the date from it.
        seed : int
            Same seed, same scenarios, whatever the horizon and the number of scenarios.

        Returns
        -------
        ScenarioSet
            Returns of shape (n_scenarios, horizon, asset), float64, decimals per period, with the as-of date.

        Raises
        ------
        ConfigError
            If a count is not a positive integer, the seed is not usable, or the horizon is beyond what the model knows.
        DataError
            If the history does not match the training data.
        """
        whole_number(n_scenarios, "n_scenarios")
        whole_number(horizon, "horizon")
        check_seed(seed)
        if history is not None:
            frequency = self.record.frequency
            check_history(history, assets=self.assets, kind=self.kind, frequency=frequency, model="baseline")
        past = None if history is None else history.values
        draws = AddressedDraws(seed=seed, baseline=self.name, n_scenarios=n_scenarios)
        paths = self._simulate(draws, horizon, past)[:n_scenarios]
        facts: dict[str, Any] = {
            "generator": self.name,
            "seed": int(seed),
            "training_fingerprint": self.record.fingerprint,
            "training_cutoff": None if self.training_cutoff is None else self.training_cutoff.isoformat(),
        }
        if self.kind == "simple" and self.record.all_above_total_loss:
            # Gaussian and Student-t laws reach below a total loss; the count keeps the bound visible
            facts["n_returns_bounded_at_total_loss"] = int((paths < LOWEST_SIMPLE_RETURN).sum())
            paths = np.maximum(paths, LOWEST_SIMPLE_RETURN)
        asof = self.training_cutoff if history is None else history.dates[-1]
        return ScenarioSet(returns=paths, assets=self.assets, kind=self.kind, asof=asof, provenance=facts)

    def save(self, folder: str | Path) -> None:
        """Write the baseline as a folder of safetensors and JSON, complete or not at all.

        Raises
        ------
        StorageError
            If the operating system refuses; an earlier folder of that name is then untouched.
        """
        from tsgen.baselines.baseline_storage import save_baseline  # here, because storage needs this class

        save_baseline(self, folder)

    def __repr__(self) -> str:
        until = "" if self.training_cutoff is None else f", trained to {self.training_cutoff.date()}"
        count = len(self.notes)
        noted = "" if count == 0 else f", {count} note{'s' if count > 1 else ''}"
        return f"{type(self).__name__}({len(self.assets)} assets, {self.kind} returns{until}{noted})"


def _check_arrays(part: Any) -> None:
    """Own, freeze and check the arrays of a dataclass and of the dataclasses in it."""
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if isinstance(value, np.ndarray):
            object.__setattr__(part, field.name, _checked_array(value, field.name))
        elif dataclasses.is_dataclass(value):
            _check_arrays(value)


def _checked_array(values: NDArray[Any], name: str) -> NDArray[Any]:
    if not np.isfinite(values).all():
        raise DataError(
            f"{name} of a baseline must be finite: {int((~np.isfinite(values)).sum())} entries are not. "
            "Fit again on cleaned data."
        )
    owned = np.array(values, order="C")
    owned.flags.writeable = False
    return owned


def check_choice(value: str, choices: tuple[str, ...], *, name: str) -> None:
    """Raise `ConfigError` unless ``value`` is one of ``choices``.

    Raises
    ------
    ConfigError
        For any other value.

    Examples
    --------
    >>> check_choice("ewma", ("ewma", "garch"), name="filter")
    """
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(map(repr, choices))}: got {value!r}.")


def check_inside(value: float, *, low: float, high: float, name: str) -> float:
    """Return a finite number strictly between ``low`` and ``high``.

    Raises
    ------
    ConfigError
        For anything else.

    Examples
    --------
    >>> check_inside(0.94, low=0.0, high=1.0, name="decay")
    0.94
    """
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not low < value < high:
        raise ConfigError(f"{name} must be a number between {low:g} and {high:g}: got {value!r}.")
    return float(value)
