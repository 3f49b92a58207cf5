"""Whether roll-outs feed back shocks of the size that training did, and what to divide them by if not.

Volatility follows mean sizes. A head smears a series that rests on many dates: where the data have zeros it generates
small moves, whose mean size is larger at the same variance, and the volatility of a series with half its returns zero
grew to twice the data's within a year. Of a series with jumps it generates fewer, and that volatility died out. Only a
clear difference is made good: on real panels the two sizes are nearly all within a twentieth of each other, and there
the division by one deviation did best over rolling origins.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tsgen.sampling.origin import Origin
from tsgen.whitening.mixing import mixed
from tsgen.whitening.own_lags import OwnLagWhitening
from tsgen.whitening.volatility import VolatilityWhitening
from tsgen.whitening.whitening_protocol import predict_paths

Array = NDArray[np.float64]

CLEAR_DIFFERENCE = 0.05
_DRAWS_PER_STATE = 1_000
PanelWhitening = VolatilityWhitening | OwnLagWhitening


@torch.no_grad()
def generated_over_recorded(
    whitening: PanelWhitening, returns: Tensor, innovations: Tensor, states: Origin, *, burn_in: int
) -> Array:
    """Mean size of generated shocks over that of recorded ones, both in units of the volatility before them; (asset,).

    Parameters
    ----------
    whitening : VolatilityWhitening or OwnLagWhitening
    returns : Tensor of shape (1, time, asset), float64
        Training returns.
    innovations : Tensor of shape (draw, asset), float64
        Draws of the final innovation law.
    states : Origin
        States on training dates, whose roots mix the draws.
    burn_in : int
        First dates to leave out.
    """
    prediction, rows, _ = predict_paths(whitening, returns, whitening.start(1))
    recorded = ((rows - prediction.location) / prediction.scale)[burn_in:].abs().mean(dim=0)
    total, count = torch.zeros_like(recorded), 0
    for i, draws in enumerate(innovations.split(_DRAWS_PER_STATE)):
        row = i % states.n_states
        root = whitening.predict(whitening.hold(tuple(s[row : row + 1] for s in states.state), 1)).root
        total += mixed(root, draws).abs().sum(dim=0)
        count += len(draws)
    return (total / (count * recorded)).numpy()


def with_level_feedback(whitening: PanelWhitening, ratio: Array) -> PanelWhitening:
    """The same whitening, whose roll-outs divide shocks by ``ratio`` more wherever that is clearly not one."""
    factor = np.where(np.abs(ratio - 1.0) > CLEAR_DIFFERENCE, ratio, 1.0)
    return whitening.dividing_feedback(torch.from_numpy(factor)) if (factor != 1.0).any() else whitening
