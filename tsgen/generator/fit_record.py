"""What a reader of a stored generator needs to know about its making."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from tsgen.return_kind import ReturnKind


@dataclass(frozen=True, kw_only=True)
class FitRecord:
    """Assets, units, training span, data fingerprint and the competition of heads."""

    assets: tuple[str, ...]
    kind: ReturnKind
    trained_on: str
    """``"panel"`` (one long history) or ``"paths"`` (independent paths from their start)."""
    frequency: str
    training_start: pd.Timestamp | None
    training_cutoff: pd.Timestamp | None
    n_observations: int
    fingerprint: str
    seed: int
    last_share: float
    comparisons: list[dict[str, Any]]
    """Held-out record of every candidate head: what was accepted, and by how much."""
    versions: dict[str, str]

    @property
    def limited_losses(self) -> bool:
        """Whether returns are modelled in the coordinate of `tsgen.whitening.limited_loss`.

        Paths may be draws of any law, whatever kind they were given.
        """
        return self.kind == "simple" and self.trained_on == "panel"
