"""The adapted sampler: one period after the other, each a reverse diffusion given the generated past.

A period's returns are a function of the past and of the noise addressed to (seed, block, period). Nothing that
belongs to a later period is ever read, so the first periods of a longer horizon are the same to the bit.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tsgen.diffusion.angle_grid import deterministic_angles, stochastic_angles
from tsgen.diffusion.deterministic_scheme import DeterministicPlan, deterministic_pass, deterministic_plan
from tsgen.diffusion.stochastic_scheme import StochasticPlan, stochastic_pass, stochastic_plan
from tsgen.networks.history_encoder import Past
from tsgen.networks.velocity_head import VelocityHead
from tsgen.random_streams import addressed_normals
from tsgen.sampling.origin import Origin
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.whitening.limited_loss import limited
from tsgen.whitening.residual_map import ResidualMap
from tsgen.whitening.whitening_protocol import Whitening, as_dtype, colour


@dataclass(frozen=True, kw_only=True)
class ConditionalSampler:
    """A fitted head and whitening, ready to generate blocks.

    Parameters
    ----------
    head : VelocityHead
        A trained `ScoreHead`, or an exact law.
    whitening : Whitening
    config : SamplerConfig
    last_share : float
        Residual share of the velocity at the last stochastic level.
    evaluate_start : bool
        Whether the velocity at pi/2 matters (identity whitening: the conditional mean is not removed).
    residual_map : ResidualMap, optional
        Correction of the innovation law, applied after every period's reverse diffusion.
    limited_losses : bool
        Whether what the whitening colours is the unbounded coordinate of simple returns.
    """

    head: VelocityHead
    whitening: Whitening
    config: SamplerConfig
    last_share: float = 1.0
    evaluate_start: bool = False
    residual_map: ResidualMap | None = None
    limited_losses: bool = False

    def plan(self) -> DeterministicPlan | StochasticPlan:
        """Coefficients of the configured scheme."""
        if self.config.scheme == "deterministic":
            angles = deterministic_angles(self.config.n_steps)
            return deterministic_plan(angles, evaluate_start=self.evaluate_start)
        angles = stochastic_angles(self.config.n_steps)
        return stochastic_plan(angles, last_share=self.last_share, evaluate_start=self.evaluate_start)


class PreparedRun(NamedTuple):
    """What depends on the scheme and the head alone, computed once for many blocks."""

    plan: DeterministicPlan | StochasticPlan
    levels: list[Any]
    """Constants of every noise level, from the head."""


@torch.no_grad()
def prepare_run(sampler: ConditionalSampler) -> PreparedRun:
    """Coefficients of the scheme and the head's constants at its noise levels."""
    plan = sampler.plan()
    return PreparedRun(plan, [sampler.head.prepare(float(tau)) for tau in plan.angles])


class _Paths(NamedTuple):
    """Memory of one block, filled period by period."""

    innovations: Tensor
    """(path, lookback + horizon, asset): the look-back of period ``t`` starts at ``t``."""
    known: Tensor
    """(path, lookback + horizon)."""
    returns: Tensor
    """(path, horizon, asset)."""


def _empty_paths(sampler: ConditionalSampler, origin: Origin, horizon: int, device: str | torch.device) -> _Paths:
    n = sampler.config.block_size
    window = origin.window.to(device, torch.float32).expand(n, -1, -1)
    known = origin.known.to(device, torch.float32).expand(n, -1)
    returns = window.new_empty(n, horizon, window.shape[2])
    return _Paths(torch.cat([window, returns], dim=1), torch.cat([known, known.new_ones(n, horizon)], dim=1), returns)


def noise_shape(run: PreparedRun, n_paths: int, n_assets: int) -> tuple[int, int, int]:
    """Shape of the normals that one period needs: (draw, path, asset)."""
    return (run.plan.n_noises if isinstance(run.plan, StochasticPlan) else 1, n_paths, n_assets)


def innovations_given(head: VelocityHead, run: PreparedRun, context: Any, noise: Tensor) -> Tensor:
    """One period's innovations, (path, asset), from normals of `noise_shape` and the head's context."""

    def velocity(u: Tensor, k: int) -> Tensor:
        return head.velocity_at(u, run.levels[k], context)

    if isinstance(run.plan, DeterministicPlan):
        return deterministic_pass(velocity, noise[0], run.plan)
    return stochastic_pass(velocity, noise, run.plan)


@torch.no_grad()
def sample_block(
    sampler: ConditionalSampler,
    origin: Origin,
    horizon: int,
    *,
    key: NDArray[np.uint64],
    block: int,
    device: str | torch.device = "cpu",
    run: PreparedRun | None = None,
) -> Tensor:
    """Generate one whole block of paths.

    Parameters
    ----------
    sampler : ConditionalSampler
    origin : Origin
    horizon : int
        Number of periods.
    key : ndarray of shape (2,), uint64
        Noise stream, from `tsgen.random_streams.stream_key`.
    block : int
        Block number; block ``b`` is the same whoever generates it, alone or among others.
    device : str or torch.device
        Where the head is. Noise is drawn on the CPU and moved, so devices agree to rounding.
    run : PreparedRun, optional
        From `prepare_run`, when several blocks are generated.

    Returns
    -------
    Tensor of shape (block_size, horizon, asset), float32
        Returns, on the CPU.
    """
    head, whitening = sampler.head, sampler.whitening
    prepared = prepare_run(sampler) if run is None else run
    shape = noise_shape(prepared, sampler.config.block_size, whitening.n_assets)
    origin = origin.drawn(key, block, sampler.config.block_size)
    paths = _empty_paths(sampler, origin, horizon, device)
    residual_map = None if sampler.residual_map is None else sampler.residual_map.like(paths.returns)
    state = as_dtype(whitening.hold(origin.state, sampler.config.block_size), torch.float32, device)
    lookback = origin.window.shape[1]
    for t in range(horizon):
        noise = torch.from_numpy(addressed_normals(key, block=block, period=t, shape=shape)).to(device)
        prediction = whitening.predict(state)
        past = Past(paths.innovations[:, t : t + lookback], paths.known[:, t : t + lookback], prediction.features)
        innovations = innovations_given(head, prepared, head.context(past), noise)
        if residual_map is not None:
            innovations = residual_map(innovations)
        returns = colour(prediction, innovations)
        paths.innovations[:, lookback + t] = innovations
        paths.returns[:, t] = limited(returns) if sampler.limited_losses else returns
        state = whitening.imagine(state, returns)
    return paths.returns.cpu()
