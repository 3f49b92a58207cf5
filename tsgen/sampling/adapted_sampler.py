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
from tsgen.whitening.whitening_protocol import State, Whitening, as_dtype, colour


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
    """

    head: VelocityHead
    whitening: Whitening
    config: SamplerConfig
    last_share: float = 1.0
    evaluate_start: bool = False

    def plan(self) -> DeterministicPlan | StochasticPlan:
        """Coefficients of the configured scheme."""
        if self.config.scheme == "deterministic":
            angles = deterministic_angles(self.config.n_steps)
            return deterministic_plan(angles, evaluate_start=self.evaluate_start)
        angles = stochastic_angles(self.config.n_steps)
        return stochastic_plan(angles, last_share=self.last_share, evaluate_start=self.evaluate_start)


class _Roll(NamedTuple):
    state: State
    window: Tensor
    known: Tensor


def _start(sampler: ConditionalSampler, origin: Origin, device: str | torch.device) -> _Roll:
    n = sampler.config.block_size
    held = sampler.whitening.hold(origin.state, n)
    window = origin.window.to(device, torch.float32).expand(n, -1, -1)
    return _Roll(as_dtype(held, torch.float32, device), window, origin.known.to(device, torch.float32).expand(n, -1))


def _innovations(
    head: VelocityHead,
    plan: DeterministicPlan | StochasticPlan,
    levels: list[Any],
    context: Tensor | None,
    noise: Tensor,
) -> Tensor:
    def velocity(u: Tensor, k: int) -> Tensor:
        return head.velocity_at(u, levels[k], context)

    if isinstance(plan, DeterministicPlan):
        return deterministic_pass(velocity, noise[0], plan)
    return stochastic_pass(velocity, noise, plan)


@torch.no_grad()
def sample_block(
    sampler: ConditionalSampler,
    origin: Origin,
    horizon: int,
    *,
    key: NDArray[np.uint64],
    block: int,
    device: str | torch.device = "cpu",
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
        Noise is drawn on the CPU and moved, so devices agree to rounding.

    Returns
    -------
    Tensor of shape (block_size, horizon, asset), float32
        Returns, on the CPU.
    """
    head, whitening = sampler.head, sampler.whitening
    plan = sampler.plan()
    levels = [head.prepare(float(tau)) for tau in plan.angles]
    n_noises = plan.n_noises if isinstance(plan, StochasticPlan) else 1
    shape = (n_noises, sampler.config.block_size, whitening.n_assets)
    roll = _start(sampler, origin, device)
    periods = []
    for t in range(horizon):
        noise = torch.from_numpy(addressed_normals(key, block=block, period=t, shape=shape)).to(device)
        prediction = whitening.predict(roll.state)
        context = head.context(Past(roll.window, roll.known, prediction.features))
        innovations = _innovations(head, plan, levels, context, noise)
        returns = colour(prediction, innovations)
        periods.append(returns)
        window, known = roll.window, roll.known
        if window.shape[1]:
            window = torch.cat([window[:, 1:], innovations[:, None]], dim=1)
            known = torch.cat([known[:, 1:], torch.ones_like(known[:, :1])], dim=1)
        roll = _Roll(whitening.imagine(roll.state, returns), window, known)
    return torch.stack(periods, dim=1).cpu()
