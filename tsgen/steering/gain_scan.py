"""One gain per constraint on its part of the control, to remove what is left of the unweighted biases.

The mean-shift kernel under-steers a little at a finite number of diffusion steps, and not every constraint alike. Gains
within a narrow band around one move the unweighted law onto its levels at a small price in divergence; far gains cost
more than they bring. The scan uses the same noise for all gains, and leaves biases alone that are within their errors.
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

Floats = NDArray[np.float64]
_SMALL_BIAS = 0.04
_SMALLEST_STEP = 0.005
_FIRST_SLOPE = 2.0  # biases gained per unit of gain, in the direction of the multiplier: right within a factor of two


class _Tried(NamedTuple):
    gains: Floats
    bias: Floats
    error: Floats

    @property
    def size(self) -> float:
        return float(self.bias @ self.bias)

    @property
    def small(self) -> bool:
        return bool((np.abs(self.bias) <= np.maximum(_SMALL_BIAS, 2.0 * self.error)).all())


def scanned_gains(chain: ControlledChain, policy: ControlPolicy, config: SteeringConfig, *, seed: int) -> ControlPolicy:
    """The policy with the gains that make the unweighted biases smallest, by Broyden's method.

    Parameters
    ----------
    chain : ControlledChain
    policy : ControlPolicy
        With gains 1.
    config : SteeringConfig
        ``gain_band`` limits the gains; ``None`` leaves the policy as it is.
    seed : int
    """
    pairs = zip(policy.statistics, policy.multipliers, strict=True)
    binding = [j for j, (s, m) in enumerate(pairs) if s.relation and m]
    if config.gain_band is None or not binding:
        return policy
    low, high = config.gain_band
    slopes = np.diag([_FIRST_SLOPE * float(np.sign(policy.multipliers[j])) for j in binding])
    here = best = _measured(chain, policy, config, binding, np.ones(len(binding)), seed)
    for _ in range(1 + len(binding)):
        if here.small:
            break
        wanted = np.clip(here.gains - np.linalg.lstsq(slopes, here.bias, rcond=None)[0], low, high)
        step = wanted - here.gains
        if np.abs(step).max() < _SMALLEST_STEP:
            break
        there = _measured(chain, policy, config, binding, wanted, seed)
        slopes += np.outer(there.bias - here.bias - slopes @ step, step) / float(step @ step)
        here = there
        best = min(best, here, key=lambda tried: tried.size)
    return _with(policy, binding, best.gains)


def _with(policy: ControlPolicy, binding: list[int], gains: Floats) -> ControlPolicy:
    every = list(policy.gains)
    for j, gain in zip(binding, gains, strict=True):
        every[j] = float(gain)
    return replace(policy, gains=tuple(every))


def _measured(
    chain: ControlledChain, policy: ControlPolicy, config: SteeringConfig, binding: list[int], gains: Floats, seed: int
) -> _Tried:
    tape = simulate_paths(
        chain,
        _with(policy, binding, gains),
        config.n_paths,
        n_periods=chain.horizon,
        seed=seed,
        purpose="steering gain",
        n_workers=config.n_workers,
    )
    sample = sample_of(tape, chain.book.functionals, chain.reference, chain.horizon)
    equal = np.full(sample.n_paths, 1.0 / sample.n_paths)
    chosen = [(policy.statistics[j], sample.values[j]) for j in binding]
    bias = np.array([(s.achieved(v, equal) - s.level) / s.unit for s, v in chosen])
    return _Tried(gains, bias, np.array([s.achieved_error(v, equal) / s.unit for s, v in chosen]))
