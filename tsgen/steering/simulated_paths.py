"""Many paths block by block, one after the other or on worker processes, with the same result."""

from collections.abc import Iterator

import joblib

from tsgen.progress import Progress, ProgressEvent, silent
from tsgen.single_thread import single_thread
from tsgen.steering.control_policy import ControlPolicy
from tsgen.steering.controlled_chain import ControlledChain, simulate_block
from tsgen.steering.parametric_policy import ParametricPolicy
from tsgen.steering.path_tape import PathTape, joined


def _one(
    chain: ControlledChain,
    policy: ControlPolicy | ParametricPolicy | None,
    n_periods: int,
    seed: int,
    purpose: str,
    block: int,
    record: bool,
    observed: bool,
) -> PathTape:
    with single_thread():
        return simulate_block(
            chain,
            policy,
            n_periods=n_periods,
            seed=seed,
            purpose=purpose,
            block=block,
            record=record,
            observed=observed,
        )


def simulate_paths(
    chain: ControlledChain,
    policy: ControlPolicy | ParametricPolicy | None,
    n_paths: int,
    *,
    n_periods: int,
    seed: int,
    purpose: str,
    record: bool = False,
    observed: bool = False,
    n_workers: int = 1,
    progress: Progress = silent,
) -> PathTape:
    """Simulate ``n_paths`` paths.

    Parameters
    ----------
    chain, policy, n_periods, seed, purpose, record, observed
        As for `simulate_block`.
    n_paths : int
        The first so many paths of whole blocks.
    n_workers : int
        Processes; the paths do not depend on it.
    progress : callable
    """
    n_blocks = -(-n_paths // chain.block_size)
    arguments = [(chain, policy, n_periods, seed, purpose, block, record, observed) for block in range(n_blocks)]
    if n_workers == 1 or n_blocks == 1:
        results: Iterator[PathTape] = (_one(*a) for a in arguments)
    else:
        tasks = (joblib.delayed(_one)(*a) for a in arguments)
        results = joblib.Parallel(n_jobs=n_workers, return_as="generator")(tasks)  # pyright: ignore[reportAssignmentType]
    parts = []
    for part in results:
        parts.append(part)
        progress(ProgressEvent("steered paths", len(parts), n_blocks))
    return joined(parts, n_paths)
