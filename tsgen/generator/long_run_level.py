"""Roll-outs stay at the volatility of the training dates: they are simulated, and what feeds them is divided until so.

Volatility follows the sizes of its own shocks with weights that nearly sum to one, so over hundreds of periods a shock
that is a hundredth too large or too small compounds: of twenty stocks, volatility after 240 weeks was 1.5 to 2 times
that of the training weeks, with half the returns of a series zero twice, with jumps two fifths. No formula for the
division is that exact; a simulation of a second is.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tsgen.sampling.origin import Origin
from tsgen.torch_streams import torch_stream
from tsgen.whitening.own_lags import OwnLagWhitening
from tsgen.whitening.volatility import VolatilityWhitening
from tsgen.whitening.whitening_protocol import colour, predict_paths

Array = NDArray[np.float64]
PanelWhitening = VolatilityWhitening | OwnLagWhitening

N_PERIODS = 240
LOWEST_LEVEL, HIGHEST_LEVEL = 2.0 / 3.0, 1.0
"""Between these a level is left alone. Years after a fit were calmer than those before it on every panel tried, so
raising calm series to one costs stocks a tenth of a percent of the score of 60-day sums; growth has no such excuse."""
_JUDGED_PERIODS = 20
_LARGEST_COUNT, _SMALLEST_COUNT, _NUMBERS = 1_000, 128, 20_000  # paths; of 20 assets 1,000, of 160 or more 128
_MOST_ROUNDS = 8
_CLOSE = 0.02  # a mean volatility over 20 dates of 1,000 paths is known to about that
_SLOPE, _SLOPES = 12.0, (2.0, 30.0)


@torch.no_grad()
def simulated_level(
    whitening: PanelWhitening, returns: Tensor, innovations: Tensor, states: Origin, *, burn_in: int, seed: int
) -> Array:
    """Mean volatility in the last periods of roll-outs over that of the training dates; (asset,).

    Parameters
    ----------
    whitening : VolatilityWhitening or OwnLagWhitening
    returns : Tensor of shape (1, time, asset), float64
        Training returns.
    innovations : Tensor of shape (draw, asset), float64
        Draws of the final innovation law.
    states : Origin
        States on training dates; paths start from each in turn.
    burn_in : int
        First dates to leave out.
    seed : int
        Same seed, same draws.
    """
    recorded = predict_paths(whitening, returns, whitening.start(1))[0].scale[burn_in:].mean(dim=0)
    n_paths = min(max(_NUMBERS // whitening.n_assets, _SMALLEST_COUNT), _LARGEST_COUNT)
    first = torch.arange(n_paths) % states.n_states
    state = whitening.hold(tuple(s[first] for s in states.state), n_paths)
    stream, total = torch_stream(seed, "long-run level"), torch.zeros_like(recorded)
    for period in range(N_PERIODS):
        prediction = whitening.predict(state)
        if period >= N_PERIODS - _JUDGED_PERIODS:
            total += prediction.scale.mean(dim=0)
        drawn = innovations[torch.randint(len(innovations), (n_paths,), generator=stream)]
        state = whitening.imagine(state, colour(prediction, drawn))
    return (total / (_JUDGED_PERIODS * recorded)).numpy()


def keeping_level(
    whitening: PanelWhitening, returns: Tensor, innovations: Tensor, states: Origin, *, burn_in: int, seed: int
) -> PanelWhitening:
    """The same whitening, whose roll-outs divide shocks so that levels are between the lowest and the highest.

    A series that is there already is left as it is, but for what others do to it. Parameters as of `simulated_level`.
    """
    logarithm = np.zeros(whitening.n_assets)  # of what shocks are divided by
    slope, before, kept = np.full(whitening.n_assets, _SLOPE), None, whitening
    for _ in range(_MOST_ROUNDS):
        level = np.log(simulated_level(kept, returns, innovations, states, burn_in=burn_in, seed=seed))
        excess = level - np.clip(level, np.log(LOWEST_LEVEL), np.log(HIGHEST_LEVEL))
        if np.abs(excess).max() < _CLOSE:
            break
        if before is not None:
            step, moved = logarithm - before[0], before[1] - level
            told = np.abs(step) > 1e-4
            slope = np.where(told, np.clip(moved / np.where(told, step, 1.0), *_SLOPES), slope)
        before = logarithm, level
        logarithm = logarithm + excess / slope
        kept = whitening.dividing_feedback(torch.from_numpy(np.exp(logarithm)))
    return kept
