r"""A stochastic chain and a much finer one of the same scheme, driven by the same Brownian path.

Variances and extreme quantiles of heavy-tailed laws are known to one or two percent from 300,000 draws, however good
the scheme. Two chains that share their noise differ by the error of the coarse one alone: the noise of a coarse
transition is the sum of those of the fine transitions that it spans, each damped as the Ornstein-Uhlenbeck noising
damps it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tsgen.diffusion.angle_grid import Angles, stochastic_angles
from tsgen.diffusion.stochastic_scheme import one_minus_rho_squared, stochastic_plan
from tsgen.generator import AdaptedDiffusionGenerator
from tsgen.networks.history_encoder import Past
from tsgen.sampling.adapted_sampler import PreparedRun, innovations_given
from tsgen.whitening.whitening_protocol import as_dtype, colour

Array = NDArray[np.float64]
_BEFORE, _AFTER = 60.0, 12.0  # how far the fine levels reach beyond the first and the last coarse one, in tan
_BATCH = 1000


class NestedLevels(NamedTuple):
    """Fine levels that contain the coarse ones."""

    fine: Angles
    coarse: Angles
    noise: Array
    """(coarse transition, fine transition): coarse noises from fine ones; rows of length one."""


def nested_levels(coarse: Angles, refinement: int) -> NestedLevels:
    """Split every interval of ``coarse`` into ``refinement`` parts, uniform in log tan."""
    tangent = np.tan(coarse)
    edges = np.concatenate([[_BEFORE * tangent[0]], tangent, [tangent[-1] / _AFTER]])
    parts = [3 * refinement, *[refinement] * (len(coarse) - 1), 3 * refinement]
    pieces = [np.geomspace(a, b, n + 1)[:-1] for a, b, n in zip(edges[:-1], edges[1:], parts, strict=True)]
    fine = np.arctan(np.append(np.concatenate(pieces), edges[-1]))
    starts = np.cumsum([0, *parts[:-1]])[1:]  # fine index of every coarse level
    fine[starts] = coarse
    following = np.append(fine[1:], 0.0)
    added = one_minus_rho_squared(fine, following)  # variance of the transition that leaves each fine level
    noise = np.zeros((len(coarse) + 1, len(fine) + 1))
    firsts, lasts = [0, *(starts + 1)], [*starts, len(fine)]  # fine transition i leads to fine level i
    variance = np.append(1.0, added)
    for row, (first, last) in enumerate(zip(firsts, lasts, strict=True)):
        ends = np.cos(np.append(fine, 0.0))
        # what arrives at level i is damped by cos(i) / cos(last) on its way to the last level of the row
        noise[row, first : last + 1] = np.sqrt(variance[first : last + 1]) * ends[first : last + 1] / ends[last]
    return NestedLevels(fine, coarse, noise / np.linalg.norm(noise, axis=1, keepdims=True))


class Pair(NamedTuple):
    """The same paths by the coarse and by the fine chain, each (path, time, asset)."""

    coarse: Array
    fine: Array


@torch.no_grad()
def coupled_paths(
    generator: AdaptedDiffusionGenerator, n_paths: int, horizon: int, *, n_steps: int, refinement: int, seed: int
) -> Pair:
    """Paths of a generator trained on paths, by ``n_steps`` and by about ``refinement`` times as many."""
    levels = nested_levels(stochastic_angles(n_steps), refinement)
    starts = generator.config.whitening == "identity"
    plans = (
        stochastic_plan(levels.coarse, last_share=generator.record.last_share, evaluate_start=starts),
        stochastic_plan(levels.fine, last_share=1.0, evaluate_start=starts),
    )
    runs = [PreparedRun(p, [generator.head.prepare(float(tau)) for tau in p.angles]) for p in plans]
    stream = torch.Generator().manual_seed(seed)
    blocks = [_block(generator, runs, levels, horizon, stream) for _ in range(-(-n_paths // _BATCH))]
    return Pair(*(torch.cat(paths)[:n_paths].double().numpy() for paths in zip(*blocks, strict=True)))


def _block(
    generator: AdaptedDiffusionGenerator,
    runs: Sequence[PreparedRun],
    levels: NestedLevels,
    horizon: int,
    stream: torch.Generator,
) -> list[Tensor]:
    chains = [_Chain(generator, run) for run in runs]
    gather = torch.from_numpy(levels.noise).float()
    for _ in range(horizon):
        fine = torch.randn(gather.shape[1], _BATCH, generator.whitening.n_assets, generator=stream)
        for chain, noise in zip(chains, (torch.tensordot(gather, fine, dims=1), fine), strict=True):
            chain.advance(noise)
    return [torch.stack(chain.returns, dim=1) for chain in chains]


class _Chain:
    """Paths of one chain so far."""

    def __init__(self, generator: AdaptedDiffusionGenerator, run: PreparedRun) -> None:
        self.generator, self.run = generator, run
        whitening, lookback = generator.whitening, generator.config.head.lookback
        self.state = as_dtype(whitening.hold(generator.origin.state, _BATCH), torch.float32)
        self.window = torch.zeros(_BATCH, lookback, whitening.n_assets)
        self.known = torch.zeros(_BATCH, lookback)
        self.returns: list[Tensor] = []

    def advance(self, noise: Tensor) -> None:
        """One period."""
        whitening, head = self.generator.whitening, self.generator.head
        prediction = whitening.predict(self.state)
        context = head.context(Past(self.window, self.known, prediction.features))
        innovations = innovations_given(head, self.run, context, noise)
        self.returns.append(colour(prediction, innovations))
        self.state = whitening.imagine(self.state, self.returns[-1])
        self.window = torch.cat([self.window[:, 1:], innovations[:, None]], dim=1)
        self.known = torch.cat([self.known[:, 1:], torch.ones(_BATCH, 1)], dim=1)
