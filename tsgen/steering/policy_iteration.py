"""Policy iteration: simulate, find multipliers, evaluate the policy, improve it; until nothing moves.

The improvement is implicit: the control *is* the gradient of the fitted value (see `control_policy`). Multipliers are
found on the fly, from the weighted tapes of the last iterations; no large reference sample is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch

from tsgen.progress import Progress, ProgressEvent, silent
from tsgen.steering.bound_statistic import BoundedMean, BoundStatistic
from tsgen.steering.control_policy import ControlPolicy, n_steered
from tsgen.steering.controlled_chain import ControlledChain
from tsgen.steering.level_gains import updated_gains
from tsgen.steering.multiplier_search import find_multipliers, trusted_step
from tsgen.steering.path_tape import PathTape
from tsgen.steering.simulated_paths import simulate_paths
from tsgen.steering.steered_sample import (
    SteeredSample,
    effective_share,
    log_mean_exp,
    log_tilt,
    normalised,
    pooled,
    sample_of,
)
from tsgen.steering.steering_config import SteeringConfig
from tsgen.steering.value_fit import fit_value
from tsgen.steering.value_network import ValueNetwork

_FIRST_REPLAYED = 2  # tapes 0 and 1 know too little of where the tilt lives
_STILL_MULTIPLIER, _STILL_GAP = 0.02, 0.02
_FEWEST = 4
_ENOUGH_SHARE = 0.4  # below it the law is not there yet, however little the last iteration moved


@final
@dataclass(frozen=True, kw_only=True)
class IterationRecord:
    """What one iteration looked like, before its update."""

    iteration: int
    multipliers: tuple[float, ...]
    biases: tuple[float, ...]
    """Unweighted, in units of the statistics."""
    spent: float
    """Path divergence per path, nats."""
    gap: float
    """Divergence of the steered law from the tilt at the new multipliers, nats."""
    effective_share: float

    def line(self) -> str:
        """One line for progress reports."""
        multipliers = ", ".join(f"{x:+.3f}" for x in self.multipliers)
        biases = ", ".join(f"{x:+.2f}" for x in self.biases)
        return (
            f"multipliers {multipliers}; bias {biases} sd; KL {self.spent:.2f}, gap {self.gap:.2f} nats; "
            f"ESS {100 * self.effective_share:.0f} %"
        )


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Progressed:
    """State between two iterations: all that is needed to go on."""

    policy: ControlPolicy | None
    """``None`` before the first iteration."""
    tapes: tuple[PathTape, ...]
    samples: tuple[SteeredSample, ...]
    records: tuple[IterationRecord, ...]
    statistics: tuple[BoundStatistic, ...]
    met: bool = False

    @property
    def done(self) -> int:
        """Iterations behind us."""
        return len(self.records)


def start_of(statistics: Sequence[BoundStatistic], tape: PathTape, sample: SteeredSample) -> Progressed:
    """State before the first iteration, with the reference's tape."""
    return Progressed(policy=None, tapes=(tape,), samples=(sample,), records=(), statistics=tuple(statistics))


def next_iteration(
    state: Progressed,
    chain: ControlledChain,
    config: SteeringConfig,
    *,
    seed: int,
    fixed: float | None = None,
    n_workers: int = 1,
    progress: Progress = silent,
) -> Progressed:
    """Simulate under the current policy, then update multipliers, gains and value.

    Parameters
    ----------
    state : Progressed
    chain : ControlledChain
    config : SteeringConfig
    seed : int
    fixed : float, optional
        Multiplier of a reward; ``None``: multipliers are found from the constraints.
    n_workers : int
    progress : callable
    """
    m = state.done
    policy, statistics = state.policy, state.statistics
    tapes, samples = list(state.tapes), list(state.samples)
    if policy is not None:
        tape = simulate_paths(
            chain,
            policy,
            config.n_paths,
            n_periods=chain.horizon,
            seed=seed,
            purpose=f"steering iteration {m}",
            record=True,
            n_workers=n_workers,
        )
        tapes.append(tape)
        samples.append(sample_of(tape, chain.book.functionals, chain.reference, chain.horizon))
    # tapes are numbered by iteration; the last ones, without the first two once there are others
    first = max(m + 1 - config.n_replayed, min(m, _FIRST_REPLAYED))
    dropped = first - (m + 1 - len(tapes))
    tapes, samples = tapes[dropped:], samples[dropped:]
    everything = pooled(samples)
    old = (0.0,) * len(statistics) if policy is None else policy.multipliers
    statistics, multipliers, met = _moved(everything, statistics, old, fixed, config)
    tilts = [torch.from_numpy(log_tilt(s, statistics, multipliers)) for s in samples]
    record = _record(m, tapes[-1], samples[-1], statistics, multipliers, old)
    n_nodes = n_steered(chain.reference.plan(config.n_steps))
    gains = torch.ones(n_nodes) if policy is None else policy.level_gains
    if policy is not None:
        own = normalised(samples[-1].log_ratio + tilts[-1].numpy())
        gains = updated_gains(tapes[-1], own, gains, n_nodes)
    network = _first_network(tapes[-1], config, seed) if policy is None else policy.network
    network = fit_value(network, tapes, tilts, statistics, multipliers, config=config, iteration=m, seed=seed)
    progress(ProgressEvent("steering", m + 1, config.n_iterations, record.line()))
    improved = ControlPolicy(
        statistics=statistics,
        multipliers=multipliers,
        network=network,
        level_gains=gains,
        gains=(1.0,) * len(multipliers),
        limit=config.control_limit,
        curved=config.covariance_correction,
    )
    return replace(
        state,
        policy=improved,
        tapes=tuple(tapes),
        samples=tuple(samples),
        records=(*state.records, record),
        statistics=statistics,
        met=met,
    )


def _first_network(tape: PathTape, config: SteeringConfig, seed: int) -> ValueNetwork:
    features = tape.features.flatten(0, 1)
    return ValueNetwork.initialised(features, config.width, seed=seed).requires_grad_(False)


def _moved(
    sample: SteeredSample,
    statistics: tuple[BoundStatistic, ...],
    old: tuple[float, ...],
    fixed: float | None,
    config: SteeringConfig,
) -> tuple[tuple[BoundStatistic, ...], tuple[float, ...], bool]:
    if fixed is None:
        found = find_multipliers(sample, statistics, old)
        statistics, wanted, met = found.statistics, found.multipliers, found.met
    else:
        own = statistics[0]
        unit = own.unit if isinstance(own, BoundedMean) else 1.0
        wanted, met = (fixed * unit,), True
    multipliers, arrived = trusted_step(sample, statistics, old, wanted, smallest_share=config.smallest_effective_share)
    return statistics, multipliers, met and arrived


def _record(
    m: int,
    tape: PathTape,
    sample: SteeredSample,
    statistics: Sequence[BoundStatistic],
    multipliers: tuple[float, ...],
    old: tuple[float, ...],
) -> IterationRecord:
    del old
    equal = np.full(sample.n_paths, 1.0 / sample.n_paths)
    biases = tuple((s.achieved(v, equal) - s.level) / s.unit for s, v in zip(statistics, sample.values, strict=True))
    tilt = log_tilt(sample, statistics, multipliers)
    spent = float(tape.spent.mean())
    return IterationRecord(
        iteration=m,
        multipliers=multipliers,
        biases=biases,
        spent=spent,
        gap=spent - float(tilt.mean()) + log_mean_exp(sample.log_ratio + tilt),
        effective_share=effective_share(sample.log_ratio + tilt),
    )


def has_settled(state: Progressed) -> bool:
    """Whether multipliers and gap have stopped moving, with enough effective paths."""
    if state.done < _FEWEST or not state.met:
        return False
    before, last = state.records[-2:]
    if last.effective_share < _ENOUGH_SHARE:
        return False
    moved = max(
        (abs(a - b) / max(abs(b), 0.05) for a, b in zip(last.multipliers, before.multipliers, strict=True)),
        default=0.0,
    )
    return moved < _STILL_MULTIPLIER and abs(last.gap - before.gap) < _STILL_GAP
