"""What a generator is trained on: one long history, or independent paths from their start, in one form."""

import hashlib
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tsgen.errors import ConfigError, DataError
from tsgen.generator.generator_config import GeneratorConfig
from tsgen.marketdata import ReturnPanel
from tsgen.return_kind import ReturnKind
from tsgen.scenario_set import ScenarioSet
from tsgen.whitening.limited_loss import modelled
from tsgen.whitening.volatility_fit import SHORTEST_PANEL

SHORTEST_TRAINING_PANEL = 2 * SHORTEST_PANEL
FEWEST_TRAINING_PATHS = 100
_COPY = 1.0 - 1e-9  # rounding of prices to cents leaves correlations below it


class TrainingData(NamedTuple):
    """Returns with their description."""

    paths: Tensor
    """(path, time, asset), float64; one path for a panel, whose simple returns are `unlimited`."""
    is_panel: bool
    assets: tuple[str, ...]
    kind: ReturnKind
    frequency: str
    start: pd.Timestamp | None
    cutoff: pd.Timestamp | None
    fingerprint: str


def training_data(data: ReturnPanel | ScenarioSet, config: GeneratorConfig) -> TrainingData:
    """Check the data and bring them into one form.

    Raises
    ------
    DataError
        If there are too few dates or paths, the paths are weighted or constant, or two series of a panel are the same.
    ConfigError
        If the data have another type, or the whitening needs a history and got paths.
    """
    if isinstance(data, ReturnPanel):
        return _from_panel(data)
    if not isinstance(data, ScenarioSet):
        raise ConfigError(
            f"data must be a ReturnPanel (one long history) or a ScenarioSet (independent paths): got "
            f"{type(data).__name__}. Use tsgen.load_returns for prices."
        )
    if config.whitening == "factor":
        raise ConfigError(
            "whitening 'factor' models one long history: pass a ReturnPanel, or whitening='conditional' for paths."
        )
    return _from_scenarios(data)


def _from_panel(panel: ReturnPanel) -> TrainingData:
    panel.require_history(SHORTEST_TRAINING_PANEL, purpose="fit a generator")
    _refuse_copies(panel)
    values = modelled(panel.values, limited_losses=panel.kind == "simple")[None]
    return TrainingData(
        values, True, panel.assets, panel.kind, panel.frequency, panel.dates[0], panel.dates[-1], panel.fingerprint()
    )


def _refuse_copies(panel: ReturnPanel) -> None:
    """A series that is another one, or a multiple of it, has no law of its own."""
    correlation = np.abs(np.corrcoef(panel.values.T).reshape(len(panel.assets), -1))
    pairs = np.argwhere(np.triu(correlation, k=1) > _COPY)
    if len(pairs):
        first, second = (panel.assets[i] for i in pairs[0])
        others = "" if len(pairs) == 1 else f" ({len(pairs)} such pairs in all)"
        raise DataError(
            f"{first} and {second} are the same series up to scale and level{others}: their correlation would be "
            "singular. Leave one out; its scenarios follow from the other's."
        )


def _from_scenarios(scenarios: ScenarioSet) -> TrainingData:
    if scenarios.probabilities is not None:
        raise DataError(
            "training paths must be equally likely: this ScenarioSet carries probabilities. Resample the paths "
            "by their probabilities first, then pass with_probabilities(None)."
        )
    if scenarios.n_scenarios < FEWEST_TRAINING_PATHS:
        raise DataError(
            f"training on paths needs at least {FEWEST_TRAINING_PATHS} of them: got {scenarios.n_scenarios}. Pass "
            "one long history as a ReturnPanel instead."
        )
    spread = scenarios.returns.reshape(-1, scenarios.n_assets).std(axis=0)
    if (spread == 0).any():
        constant = [a for a, s in zip(scenarios.assets, spread, strict=True) if s == 0]
        raise DataError(f"assets {constant} never move in the training paths. Remove them.")
    digest = hashlib.sha256(np.ascontiguousarray(scenarios.returns).tobytes())
    digest.update(repr((scenarios.assets, scenarios.kind)).encode())
    values = torch.from_numpy(scenarios.returns.copy())
    return TrainingData(
        values, False, scenarios.assets, scenarios.kind, "unknown", None, scenarios.asof, digest.hexdigest()
    )


def training_part(data: TrainingData, config: GeneratorConfig) -> Tensor:
    """The paths, or the first part of the panel, on which candidates are fitted before they are judged on the rest.

    Raises
    ------
    DataError
        If an asset does not move in that part.
    """
    held = config.training.validation_fraction
    if data.is_panel:
        part = data.paths[:, : data.paths.shape[1] - round(held * data.paths.shape[1]) - config.training.purge]
    else:
        part = data.paths[: len(data.paths) - max(1, round(held * len(data.paths)))]
    spread = part.reshape(-1, len(data.assets)).std(dim=0)
    still = [a for a, s in zip(data.assets, spread.tolist(), strict=True) if not s > 0]
    if still:
        raise DataError(
            f"{still} do not move in the first part of the data, on which candidates are fitted before they are judged "
            "on the rest. Start the history later, or leave these assets out."
        )
    return part
