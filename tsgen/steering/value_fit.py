r"""Policy evaluation: fit the value network to what the taped paths earned.

For every transition ``t`` of a path, ``G_t = sum_j lambda_j (s_j - target_j) + sum_{s >= t} log(dp/dq)_s``. Under
*any* policy :math:`E[e^{G_t} | \text{state}_t]` is the h-function of the exact tilt, so tapes of older policies serve
as well. The logistic loss ``(1 + w) softplus(f) - w f`` with ``w = exp(G - c)`` has its minimum at ``f = log h - c``
and gradients in relative error; the mean-square loss regresses ``G`` itself (the published method), biased low by
Jensen's inequality.
"""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tsgen.errors import TrainingError
from tsgen.steering.bound_statistic import BoundStatistic
from tsgen.steering.control_policy import base_value
from tsgen.steering.path_tape import PathTape
from tsgen.steering.steering_config import SteeringConfig
from tsgen.steering.value_network import ValueNetwork
from tsgen.torch_streams import torch_stream

_LARGEST_LOG_WEIGHT = 12.0
_GRADIENT_LIMIT = 5.0
_LATE = 4  # iterations after which the rate is halved


def rewards_to_go(tape: PathTape, tilt: Tensor) -> Tensor:
    """``G_t`` of every transition, (path, transition); ``tilt`` is the final log tilt (path,)."""
    later = tape.increments.flip(1).cumsum(dim=1).flip(1)
    return tilt.to(later.dtype)[:, None] + later


def fit_value(
    network: ValueNetwork,
    tapes: Sequence[PathTape],
    tilts: Sequence[Tensor],
    statistics: Sequence[BoundStatistic],
    multipliers: Sequence[float],
    *,
    config: SteeringConfig,
    iteration: int,
    seed: int,
) -> ValueNetwork:
    """Warm-started fit on random (path, transition) pairs; the given network is not changed.

    Raises
    ------
    TrainingError
        If the loss is not finite.
    """
    targets = torch.cat([rewards_to_go(tape, tilt).flatten() for tape, tilt in zip(tapes, tilts, strict=True)])
    starts = torch.cat([rewards_to_go(tape, tilt)[:, 0] for tape, tilt in zip(tapes, tilts, strict=True)])
    centre = float(torch.logsumexp(starts.double(), dim=0)) - math.log(len(starts))
    location = torch.cat([t.location.flatten(0, 1) for t in tapes])
    spread = torch.cat([t.spread.flatten(0, 1) for t in tapes])
    base = base_value(statistics, multipliers, location, spread)
    fitted = copy.deepcopy(network).requires_grad_(True)
    inputs = torch.cat([network.standardised(t.features.flatten(0, 1)) for t in tapes])
    generator = torch_stream(seed, f"steering fit {iteration}")
    rate = config.learning_rate * (0.5 if iteration >= _LATE else 1.0)
    optimiser = torch.optim.Adam(fitted.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.n_fit_steps)
    loss = torch.zeros(())
    for _ in range(config.n_fit_steps):
        rows = torch.randint(len(targets), (config.batch_rows,), generator=generator)
        value = base[rows] + fitted.of_standardised(inputs[rows]) - (centre if config.evaluation == "logistic" else 0.0)
        loss = _loss(value, targets[rows], centre, config)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(fitted.parameters(), _GRADIENT_LIMIT)
        optimiser.step()
        schedule.step()
    if not math.isfinite(float(loss.detach())):
        raise TrainingError(
            f"the value loss became {float(loss.detach())} in iteration {iteration}. Lower learning_rate (now "
            f"{config.learning_rate}), or move the constraints closer to the reference."
        )
    return fitted.requires_grad_(False)


def _loss(value: Tensor, target: Tensor, centre: float, config: SteeringConfig) -> Tensor:
    if config.evaluation == "mean_square":
        return (value - target).square().mean()
    weight = (target - centre).clamp(max=_LARGEST_LOG_WEIGHT).exp()
    return ((1.0 + weight) * torch.nn.functional.softplus(value) - weight * value).mean()
