"""The memory of the location out of sample: fitted up to each year, judged on that year, with and without."""

from typing import Any

import numpy as np
import panels
import torch

from tsgen.evaluation import paired_difference
from tsgen.whitening.volatility import VolatilityWhitening
from tsgen.whitening.volatility_fit import fit_volatility
from tsgen.whitening.whitening_protocol import predict_paths, whiten

_LARGEST = 4.0  # one crash day must not decide


def gain(name: str, first_year: int, until: int, *, block: int) -> dict[str, Any]:
    """Share of the variance of standardised returns that the moving location explains, in percent, and its t."""
    panel = panels.panel_of(name, until)
    returns = torch.from_numpy(panel.values.copy())
    still_squares, moving_squares, weights = [], [], []
    for year in range(first_year, until + 1):
        n_known = int((panel.dates.year < year).sum())
        rows = slice(n_known, int((panel.dates.year <= year).sum()))
        fitted = fit_volatility(panel.values[:n_known].copy())
        numbers = fitted.numbers
        unmoved = numbers._replace(memory_weights=torch.zeros_like(numbers.memory_weights))
        without = VolatilityWhitening(unmoved, fitted.pairs)
        for whitening, squares in ((fitted, moving_squares), (without, still_squares)):
            prediction = predict_paths(whitening, returns[None, : rows.stop], whitening.start(1))[0]
            own = whiten(prediction._replace(root=None), returns[: rows.stop])[rows]
            squares.append(own.clamp(-_LARGEST, _LARGEST).square().mean(dim=1).numpy())
        weights.append(numbers.memory_weights.numpy())
    still, moving = np.concatenate(still_squares), np.concatenate(moving_squares)
    found = paired_difference(moving, still, block=block)
    by_year = [100 * (1 - m.mean() / s.mean()) for m, s in zip(moving_squares, still_squares, strict=True)]
    return {
        "explained_percent": 100 * (1 - moving.mean() / still.mean()),
        "t": -found.t,
        "years": [first_year, until],
        "years_gained": int(np.sum(np.array(by_year) > 0)),
        "n_dates": len(still),
        "first_weights": weights[0].tolist(),
        "last_weights": weights[-1].tolist(),
    }
