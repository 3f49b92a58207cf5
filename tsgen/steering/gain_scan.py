"""One scalar gain on the control, to remove what is left of the unweighted bias.

The mean-shift kernel under-steers a little at a finite number of diffusion steps. A gain within a narrow band around
one moves the unweighted law onto its levels at a small price in divergence; far gains cost more than they bring. The
scan uses the same noise for every gain, and leaves a bias alone that is within its own error.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.steering.control_policy import ControlPolicy
from tsgen.steering.controlled_chain import ControlledChain
from tsgen.steering.simulated_paths import simulate_paths
from tsgen.steering.steered_sample import sample_of
from tsgen.steering.steering_config import SteeringConfig

_SMALL_BIAS = 0.04


class _Bias(NamedTuple):
    size: NDArray[np.float64]
    error: NDArray[np.float64]


def scanned_gain(chain: ControlledChain, policy: ControlPolicy, config: SteeringConfig, *, seed: int) -> ControlPolicy:
    """The policy with the gain that makes the unweighted biases smallest, in least squares over the constraints.

    Parameters
    ----------
    chain : ControlledChain
    policy : ControlPolicy
        With gain 1.
    config : SteeringConfig
        ``gain_band`` limits the gain; ``None`` leaves the policy as it is.
    seed : int
    """
    if config.gain_band is None:
        return policy
    binding = [
        j for j, (s, m) in enumerate(zip(policy.statistics, policy.multipliers, strict=True)) if s.relation and m
    ]
    if not binding:
        return policy
    low, high = config.gain_band
    first = _bias(chain, policy, config, binding, seed)
    gain, before, tried = 1.0, first, None
    for _ in range(2):
        if bool((np.abs(before.size) <= np.maximum(_SMALL_BIAS, 2.0 * before.error)).all()):
            break
        slope = _direction(policy, binding) if tried is None else (before.size - tried[1].size) / (gain - tried[0])
        if float(slope @ slope) <= 0.0:
            break
        wanted = float(np.clip(gain - (before.size @ slope) / (slope @ slope), low, high))
        if abs(wanted - gain) < 0.005:
            break
        tried = (gain, before)
        gain = wanted
        before = _bias(chain, replace(policy, gain=gain), config, binding, seed)
    if tried is not None and float(before.size @ before.size) > float(first.size @ first.size):
        gain = 1.0
    return replace(policy, gain=gain)


def _direction(policy: ControlPolicy, binding: list[int]) -> NDArray[np.float64]:
    """First guess of the change of the biases per unit of gain: two units in the direction of each multiplier."""
    return np.array([2.0 * np.sign(policy.multipliers[j]) for j in binding])


def _bias(
    chain: ControlledChain, policy: ControlPolicy, config: SteeringConfig, binding: list[int], seed: int
) -> _Bias:
    tape = simulate_paths(
        chain,
        policy,
        config.n_paths,
        n_periods=chain.horizon,
        seed=seed,
        purpose="steering gain",
        n_workers=config.n_workers,
    )
    sample = sample_of(tape, chain.book.functionals, chain.reference, chain.horizon)
    equal = np.full(sample.n_paths, 1.0 / sample.n_paths)
    chosen = [(policy.statistics[j], sample.values[j]) for j in binding]
    size = np.array([(s.achieved(v, equal) - s.level) / s.unit for s, v in chosen])
    return _Bias(size, np.array([s.achieved_error(v, equal) / s.unit for s, v in chosen]))
