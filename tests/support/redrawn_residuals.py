"""Roll-outs of a whitening by itself: whole rows of its own training innovations, drawn again."""

import numpy as np
import torch

from tsgen.whitening.volatility import VolatilityWhitening
from tsgen.whitening.whitening_protocol import colour, whiten_paths


def roll_out(whitening: VolatilityWhitening, panel: np.ndarray, *, n_paths: int, n_periods: int) -> np.ndarray:
    """Returns (path, period, asset) from the start of the filters."""
    z = whiten_paths(whitening, torch.from_numpy(panel)[None], whitening.start(1)).innovations[0, 60:]
    state, found = whitening.hold(whitening.start(1), n_paths), []
    for t in range(n_periods):
        rows = torch.from_numpy(np.random.default_rng(t).integers(0, len(z), n_paths))
        found.append(colour(whitening.predict(state), z[rows]))
        state = whitening.imagine(state, found[-1])
    return torch.stack(found, dim=1).numpy()
