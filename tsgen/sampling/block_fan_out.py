"""Blocks of paths, one after the other or on several worker processes, with the same result.

Every block is computed in full and with one thread, whatever was asked for: batch size and thread count
change the rounding of matrix products, so they must not depend on the number of scenarios or workers.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import cast

import joblib
import torch
from torch import Tensor

from tsgen.progress import Progress, ProgressEvent, silent
from tsgen.random_streams import stream_key
from tsgen.sampling.adapted_sampler import ConditionalSampler, prepare_run, sample_block
from tsgen.sampling.origin import Origin
from tsgen.single_thread import single_thread


def stream_blocks(
    sampler: ConditionalSampler, origin: Origin, horizon: int, *, seed: int, blocks: Iterable[int], device: str = "cpu"
) -> Iterator[Tensor]:
    """Generate blocks one after the other; memory does not depend on how many there are.

    Parameters
    ----------
    sampler : ConditionalSampler
        Its head is moved to ``device`` in a copy.
    origin : Origin
    horizon : int
    seed : int
    blocks : iterable of int
        Block numbers.
    device : str

    Yields
    ------
    Tensor of shape (block_size, horizon, asset), float32
        On the CPU; the same whatever blocks were generated before.
    """
    local = sampler if device == "cpu" else replace(sampler, head=copy.deepcopy(sampler.head).to(device))
    key, run = stream_key(seed, "scenarios"), None
    for block in blocks:
        with single_thread():  # not around the loop: between two blocks the caller's thread count holds
            run = prepare_run(local) if run is None else run
            part = sample_block(local, origin, horizon, key=key, block=block, device=device, run=run)
        yield part


def _one_block(sampler: ConditionalSampler, origin: Origin, horizon: int, seed: int, block: int, device: str) -> Tensor:
    return next(stream_blocks(sampler, origin, horizon, seed=seed, blocks=[block], device=device))


def sample_paths(
    sampler: ConditionalSampler,
    origin: Origin,
    n_scenarios: int,
    horizon: int,
    *,
    seed: int,
    n_workers: int = 1,
    device: str = "cpu",
    first_block: int = 0,
    progress: Progress = silent,
) -> Tensor:
    """Generate scenarios block by block.

    Parameters
    ----------
    sampler, origin
        What to sample and from where.
    n_scenarios, horizon : int
    seed : int
    n_workers : int
        Processes (joblib); the scenarios do not depend on it.
    device : str
        ``"cpu"`` or ``"cuda"``; with workers, each uses this device.
    first_block : int
        Number of the first block: blocks 7, 8, ... alone equal those of a full run.
    progress : callable

    Returns
    -------
    Tensor of shape (n_scenarios, horizon, asset), float32
    """
    n_blocks = -(-n_scenarios // sampler.config.block_size)
    blocks = range(first_block, first_block + n_blocks)
    if n_workers == 1:
        results = stream_blocks(sampler, origin, horizon, seed=seed, blocks=blocks, device=device)
    else:
        tasks = (joblib.delayed(_one_block)(sampler, origin, horizon, seed, block, device) for block in blocks)
        results = joblib.Parallel(n_jobs=n_workers, return_as="generator")(tasks)
    size = sampler.config.block_size
    paths = torch.empty(n_scenarios, horizon, sampler.whitening.n_assets)
    for number, part in enumerate(cast("Iterable[Tensor]", results)):
        room = paths[number * size : (number + 1) * size]
        room.copy_(part[: len(room)])
        progress(ProgressEvent("sampling", number + 1, n_blocks, f"{(number + 1) * size} paths"))
    return paths
