"""No conditional whitening: a constant location and scale per asset, the published model's set-up.

The constants (training mean and standard deviation) only choose units, so that the noise of the diffusion
has the size of the data; the past plays no part.
"""

import math
from typing import Any, final

import torch
from torch import Tensor

from tsgen.whitening.whitening_protocol import Prediction, State, repeat_state


@final
class IdentityWhitening:
    """Standardise by constants; every conditional feature is left to the network."""

    kind = "identity"
    n_features = 0
    max_periods: int | None = None
    largest_mixed = math.inf

    def __init__(self, *, mean: Tensor, deviation: Tensor) -> None:
        self.mean, self.deviation = mean, deviation
        self.n_assets = len(mean)

    @classmethod
    def fit(cls, returns: Tensor) -> "IdentityWhitening":
        """Fit to paths (path, time, asset) or to one panel (1, time, asset), float64."""
        flat = returns.reshape(-1, returns.shape[-1])
        return cls(mean=flat.mean(dim=0), deviation=flat.std(dim=0))

    @classmethod
    def restore(cls, arrays: dict[str, Tensor], facts: dict[str, Any]) -> "IdentityWhitening":
        """Rebuild from `arrays` and `facts`."""
        del facts
        return cls(mean=arrays["mean"], deviation=arrays["deviation"])

    def start(self, n_paths: int) -> State:
        """One dummy column: there is nothing to remember."""
        return (torch.zeros(n_paths, 1, dtype=torch.float64),)

    def predict(self, state: State) -> Prediction:
        """Constant location and scale."""
        anchor = state[0]
        ones = torch.ones(len(anchor), self.n_assets, dtype=anchor.dtype, device=anchor.device)
        location, scale = self.mean.to(anchor) * ones, self.deviation.to(anchor) * ones
        return Prediction(location, scale, None, anchor[:, :0])

    def observe(self, state: State, returns: Tensor) -> State:
        """Nothing changes."""
        del returns
        return state

    imagine = observe

    def hold(self, state: State, n_paths: int) -> State:
        """Repeat the state: generated returns are fed back as recorded ones."""
        return repeat_state(state, n_paths)

    def arrays(self) -> dict[str, Tensor]:
        """Mean and standard deviation per asset."""
        return {"mean": self.mean, "deviation": self.deviation}

    def facts(self) -> dict[str, Any]:
        """No settings."""
        return {}
