"""Settings of the optimisation, validated when made."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from tsgen.errors import ConfigError
from tsgen.whole_numbers import settle_whole_numbers

StoppingRule = Literal["held_out", "ntk"]


def require(condition: bool, message: str) -> None:
    """Raise `ConfigError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise ConfigError(message)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How long and how fast to train.

    Parameters
    ----------
    max_steps : int
        Upper limit of gradient steps; held-out loss usually stops earlier.
    batch_rows : int
        Rows (one period of one path each) per step.
    learning_rate, weight_decay : float
        AdamW, cosine decay to zero.
    average_decay : float
        Decay of the exponential average of the weights, which is what is kept.
    validation_fraction : float
        Share held out: the last part of a panel in time, or the last paths.
    purge : int
        Periods dropped between the training and the validation part of a panel.
    evaluate_every, patience : int
        Steps between held-out evaluations, and evaluations without improvement before stopping.
    early_stopping : {"held_out", "ntk"}
        ``"held_out"``: AdamW until the held-out loss rises. ``"ntk"``: gradient descent for as long as the tangent
        kernel and the noise of the data allow (`tsgen.training.early_stopping`); held-out data then only judge
        whether a network is accepted, and the final head is trained on all data for the time that all data allow. Of
        the settings above, only ``max_steps`` and ``batch_rows`` matter to this descent.
    """

    max_steps: int = 1500
    batch_rows: int = 1024
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    average_decay: float = 0.99
    validation_fraction: float = 0.2
    purge: int = 5
    evaluate_every: int = 100
    patience: int = 5
    early_stopping: StoppingRule = "held_out"

    def __post_init__(self) -> None:
        settle_whole_numbers(self, {"max_steps": 1, "batch_rows": 1, "evaluate_every": 1, "patience": 1, "purge": 0})
        for name in ("learning_rate", "weight_decay", "average_decay", "validation_fraction"):
            value = getattr(self, name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
            require(number, f"{name} must be a finite number: got {value!r}.")
        require(0 < self.learning_rate < 1, f"learning_rate must be in (0, 1): got {self.learning_rate!r}. Try 2e-3.")
        require(
            self.early_stopping in get_args(StoppingRule),
            f"early_stopping must be one of {get_args(StoppingRule)}: got {self.early_stopping!r}.",
        )
        require(self.weight_decay >= 0, f"weight_decay must not be negative: got {self.weight_decay!r}.")
        require(0 <= self.average_decay < 1, f"average_decay must be in [0, 1): got {self.average_decay!r}.")
        require(
            0 < self.validation_fraction <= 0.5,
            f"validation_fraction must be in (0, 0.5]: got {self.validation_fraction!r}.",
        )
