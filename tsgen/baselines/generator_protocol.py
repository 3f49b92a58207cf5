"""`ScenarioGenerator`: what anything that makes scenarios offers, baselines and learned generators alike.

Evaluation and comparison depend on this protocol only, never on a class. Interface module of
`tsgen.baselines`; sits above market data, below evaluation.
"""

from typing import Protocol, runtime_checkable

import pandas as pd

from tsgen.marketdata import ReturnPanel
from tsgen.return_kind import ReturnKind
from tsgen.scenario_set import ScenarioSet


@runtime_checkable
class ScenarioGenerator(Protocol):
    """A fitted maker of return scenarios.

    Notes
    -----
    A generator promises: the same seed gives the same scenarios; more scenarios or a longer horizon leave the
    first ones as they were; nothing later than ``history`` is used; fitting ended at ``training_cutoff``.

    Examples
    --------
    >>> isinstance(object(), ScenarioGenerator)
    False
    """

    @property
    def assets(self) -> tuple[str, ...]:
        """Asset names in the order of the last axis."""
        ...

    @property
    def kind(self) -> ReturnKind:
        """Return convention of the scenarios."""
        ...

    @property
    def training_cutoff(self) -> pd.Timestamp | None:
        """Last date of the training data; ``None`` if it was trained on paths without dates."""
        ...

    def sample(self, n_scenarios: int, horizon: int, *, history: ReturnPanel | None = None, seed: int) -> ScenarioSet:
        """Scenarios of the next ``horizon`` periods after the end of ``history``."""
        ...
