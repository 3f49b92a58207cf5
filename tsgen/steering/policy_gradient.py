r"""A plain parametric policy gradient, for comparison with policy iteration.

The control is a learned amount along one direction, the portfolio's loading:
:math:`v = \kappa_\phi(\text{features})\, a`. Its objective :math:`E[r] - KL` is climbed by the score-function gradient
on fresh paths,

.. math:: E \sum_t \nabla\kappa_t \{ (a'W_t) (G_t - b_t) - \kappa_t \},

with ``G_t`` the tilt less what is spent later and ``b_t`` its mean over the paths. It needs no slope of the value and
no second evaluation of the velocity, and far more paths; its densities are exact as well.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import Tensor

from tsgen.errors import ConfigError
from tsgen.steering.bound_statistic import BoundStatistic
from tsgen.steering.control_policy import n_steered
from tsgen.steering.controlled_chain import ControlledChain
from tsgen.steering.parametric_policy import ParametricPolicy
from tsgen.steering.path_tape import PathTape
from tsgen.steering.simulated_paths import simulate_paths
from tsgen.steering.steered_sample import log_tilt, sample_of
from tsgen.steering.steering_config import SteeringConfig
from tsgen.steering.value_fit import rewards_to_go
from tsgen.steering.value_network import ValueNetwork

_GRADIENT_LIMIT = 1.0


@final
@dataclass(frozen=True, kw_only=True)
class GradientStep:
    """Course of the ascent: objective and divergence before each step, per path, nats."""

    objective: float
    spent: float


class _Ascent(NamedTuple):
    chain: ControlledChain
    statistics: tuple[BoundStatistic, ...]
    multipliers: tuple[float, ...]
    config: SteeringConfig
    seed: int


def policy_gradient(
    chain: ControlledChain,
    statistics: Sequence[BoundStatistic],
    multipliers: Sequence[float],
    *,
    n_steps: int,
    learning_rate: float = 0.02,
    config: SteeringConfig,
    seed: int,
) -> tuple[ParametricPolicy, tuple[GradientStep, ...]]:
    """Climb ``E[r] - KL`` at fixed multipliers.

    Parameters
    ----------
    chain : ControlledChain
        One candidate per period.
    statistics, multipliers
        The reward: sum of multipliers times standardised statistics.
    n_steps : int
        Gradient steps, each on ``config.n_paths`` fresh paths.
    learning_rate : float
        Of Adam.
    config : SteeringConfig
    seed : int

    Returns
    -------
    tuple of (ParametricPolicy, tuple of GradientStep)

    Raises
    ------
    ConfigError
        If the chain has several candidates.

    References
    ----------
    Williams (1992), "Simple statistical gradient-following algorithms for connectionist reinforcement learning".
    """
    if chain.n_candidates != 1:
        raise ConfigError("the policy gradient needs the density of single paths: set n_candidates to 1.")
    ascent = _Ascent(chain, tuple(statistics), tuple(multipliers), config, seed)
    tape = _paths(ascent, None, 0)
    network = ValueNetwork.initialised(tape.features.flatten(0, 1), config.width, seed=seed)
    n_nodes = n_steered(chain.reference.plan(chain.n_steps))
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    steps: list[GradientStep] = []
    for step in range(n_steps):
        policy = _frozen(ascent, network, n_nodes)
        tape = _paths(ascent, policy, step + 1)
        tilt = _tilt(ascent, tape)
        steps.append(GradientStep(objective=float((tilt - tape.spent).mean()), spent=float(tape.spent.mean())))
        optimiser.zero_grad(set_to_none=True)
        _loss(network, tape, tilt).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), _GRADIENT_LIMIT)
        optimiser.step()
    return _frozen(ascent, network, n_nodes), tuple(steps)


def _frozen(ascent: _Ascent, network: ValueNetwork, n_nodes: int) -> ParametricPolicy:
    return ParametricPolicy(
        statistics=ascent.statistics,
        multipliers=ascent.multipliers,
        network=copy.deepcopy(network).requires_grad_(False),
        row=ascent.chain.book.rows[0],
        level_gains=torch.ones(n_nodes),
        limit=ascent.config.control_limit,
    )


def _paths(ascent: _Ascent, policy: ParametricPolicy | None, step: int) -> PathTape:
    chain = ascent.chain
    return simulate_paths(
        chain,
        policy,
        ascent.config.n_paths,
        n_periods=chain.horizon,
        seed=ascent.seed,
        purpose=f"policy gradient {step}",
        record=True,
        n_workers=ascent.config.n_workers,
    )


def _tilt(ascent: _Ascent, tape: PathTape) -> Tensor:
    chain = ascent.chain
    sample = sample_of(tape, chain.book.functionals, chain.reference, chain.horizon)
    return torch.from_numpy(log_tilt(sample, ascent.statistics, ascent.multipliers))


def _loss(network: ValueNetwork, tape: PathTape, tilt: Tensor) -> Tensor:
    """Minus the surrogate objective: its gradient is minus the policy gradient."""
    amount = network(tape.features.flatten(0, 1)).view(tape.increments.shape)
    later = rewards_to_go(tape, tilt) - tape.increments
    advantage = later - later.mean(dim=0)
    # the tape of a parametric policy holds a'W where others hold v.(v + W)
    surrogate = amount * tape.shift_on_noise * advantage - 0.5 * amount.square()
    return -surrogate.sum(dim=1).mean()
