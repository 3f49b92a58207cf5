"""Blocks of paths, one after the other or on several worker processes, with the same result.

Every block is computed in full and with one thread, whatever was asked for: batch size and thread count
change the rounding of matrix products, so they must not depend on the number of scenarios or workers.
"""

import copy
from dataclasses import replace

import joblib
import torch
from torch import Tensor

from tsgen.progress import Progress, ProgressEvent, silent
from tsgen.random_streams import stream_key
from tsgen.sampling.adapted_sampler import ConditionalSampler, sample_block
from tsgen.sampling.origin import Origin
from tsgen.single_thread import single_thread


def _one_block(sampler: ConditionalSampler, origin: Origin, horizon: int, seed: int, block: int, device: str) -> Tensor:
    with single_thread():
        return sample_block(sampler, origin, horizon, key=stream_key(seed, "scenarios"), block=block, device=device)


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
    if device != "cpu":
        sampler = replace(sampler, head=copy.deepcopy(sampler.head).to(device))
    if n_workers == 1:
        results = (_one_block(sampler, origin, horizon, seed, block, device) for block in blocks)
    else:
        tasks = (joblib.delayed(_one_block)(sampler, origin, horizon, seed, block, device) for block in blocks)
        results = joblib.Parallel(n_jobs=n_workers, return_as="generator")(tasks)
    parts = []
    for part in results:
        parts.append(part)
        progress(ProgressEvent("sampling", len(parts), n_blocks, f"{len(parts) * sampler.config.block_size} paths"))
    return torch.cat(parts)[:n_scenarios]
