"""Whether a network that wins one step ahead also holds in roll-outs.

From many dates of the validation part, paths are rolled out with the network and with the anchor alone, on the
same noise. The realised path volatility is ranked among the generated ones; its rank must be uniform, so the
squared distance of the rank from one half is the loss. The network is refused if its mean rank is further from
one half than the anchor's by more than one standard error of the paired difference.
"""

import math
from typing import NamedTuple

import numpy as np
from torch import Tensor

from tsgen.progress import Progress, ProgressEvent, silent
from tsgen.random_streams import stream_key
from tsgen.sampling.adapted_sampler import ConditionalSampler, sample_block
from tsgen.sampling.origin import origins_at
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.single_thread import single_thread

HORIZON = 20
_PATHS = 64
_FEWEST_STARTS = 8


class RollOutVerdict(NamedTuple):
    """Calibration of the network's roll-outs against the anchor's."""

    loss: float
    """|mean rank - 1/2| of the network."""
    difference: float
    """The same minus the anchor's."""
    standard_error: float
    holds: bool


def _volatility(returns: np.ndarray) -> np.ndarray:
    """Root mean square over time, for (..., time, asset)."""
    return np.sqrt((returns**2).mean(axis=-2))


def path_volatility_ranks(
    sampler: ConditionalSampler,
    returns: Tensor,
    starts: list[int],
    lookback: int,
    *,
    seed: int,
    progress: Progress = silent,
) -> np.ndarray:
    """Rank in [0, 1] of the realised path volatility among generated ones, shape (start, asset)."""
    small = ConditionalSampler(
        head=sampler.head,
        whitening=sampler.whitening,
        config=SamplerConfig(scheme=sampler.config.scheme, n_steps=sampler.config.n_steps, block_size=_PATHS),
        last_share=sampler.last_share,
        evaluate_start=sampler.evaluate_start,
        residual_map=sampler.residual_map,
    )
    key = stream_key(seed, "roll-out check")
    ranks = []
    with single_thread():
        for i, (start, origin) in enumerate(
            zip(starts, origins_at(sampler.whitening, returns, starts, lookback), strict=True)
        ):
            generated = _volatility(sample_block(small, origin, HORIZON, key=key, block=i).double().numpy())
            realised = _volatility(returns[start : start + HORIZON].numpy())
            ranks.append((generated < realised).mean(axis=0))
            progress(ProgressEvent("roll-out check", i + 1, len(starts)))
    return np.stack(ranks)


def rolls_out_as_well(
    network: ConditionalSampler,
    anchor: ConditionalSampler,
    returns: Tensor,
    first: int,
    lookback: int,
    *,
    seed: int,
    progress: Progress = silent,
) -> RollOutVerdict:
    """Compare roll-outs of the network and of its anchor from the validation part.

    Parameters
    ----------
    network, anchor : ConditionalSampler
        Same whitening, fitted before ``first``.
    returns : Tensor of shape (time, asset), float64
        The whole panel.
    first : int
        First validation period.
    lookback, seed, progress
        As in training.

    Returns
    -------
    RollOutVerdict
        ``holds`` is False if there are fewer than 8 disjoint windows to judge from: what cannot be checked is not
        accepted.
    """
    starts = list(range(first, len(returns) - HORIZON + 1, HORIZON))
    if len(starts) < _FEWEST_STARTS:
        return RollOutVerdict(0.5, 0.0, 0.0, False)
    own = path_volatility_ranks(network, returns, starts, lookback, seed=seed, progress=progress).mean(axis=1)
    other = path_volatility_ranks(anchor, returns, starts, lookback, seed=seed, progress=progress).mean(axis=1)
    loss, reference = abs(own.mean() - 0.5), abs(other.mean() - 0.5)
    error = float((own - other).std(ddof=1) / math.sqrt(len(starts)))
    difference = float(loss - reference)
    return RollOutVerdict(float(loss), difference, error, difference <= error)
