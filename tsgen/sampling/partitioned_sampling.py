"""Sampling into a folder of Parquet parts: any number of scenarios, constant memory, resumable.

A part is a function of the request and its number alone. Which worker makes it, in which order, in one run or in
several, leaves no trace in its bytes.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, cast

import joblib

from tsgen.errors import StorageError
from tsgen.networks.score_head import ScoreHead
from tsgen.progress import Progress, ProgressEvent, silent
from tsgen.sampling.adapted_sampler import ConditionalSampler
from tsgen.sampling.block_fan_out import stream_blocks
from tsgen.sampling.origin import Origin
from tsgen.scenario_parts import (
    MANIFEST,
    Part,
    PartsHeader,
    ScenarioParts,
    check_part,
    read_manifest,
    write_manifest,
    write_part,
)

_PART_BYTES = 32 * 2**20  # of float32 returns: large enough to compress well, small enough to lose little when killed


class PartTask(NamedTuple):
    """What a worker needs to make any part."""

    sampler: ConditionalSampler
    origin: Origin
    header: PartsHeader
    seed: int
    device: str
    folder: Path


def scenarios_per_part(block_size: int, horizon: int, n_assets: int) -> int:
    """Whole blocks of about 32 MiB; a function of the request, never of the machine.

    Examples
    --------
    >>> scenarios_per_part(512, 21, 20)
    19968
    """
    block_bytes = 4 * block_size * horizon * n_assets
    return block_size * max(1, _PART_BYTES // block_bytes)


def model_digest(sampler: ConditionalSampler, origin: Origin) -> str:
    """SHA-256 of every number of the model and of the state it starts from."""
    digest = hashlib.sha256()
    tensors = {f"whitening.{k}": v for k, v in sampler.whitening.arrays().items()}
    tensors |= {f"state.{i}": s for i, s in enumerate(origin.state)}
    tensors |= {"origin.window": origin.window, "origin.known": origin.known}
    tensors |= {} if sampler.residual_map is None else sampler.residual_map._asdict()
    if isinstance(sampler.head, ScoreHead):
        tensors |= {f"head.{k}": v for k, v in sampler.head.state_dict().items()}
        digest.update(repr(sampler.head.shape).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)} {tensors[name].dtype}".encode())
        digest.update(tensors[name].detach().cpu().contiguous().numpy().tobytes())
    settings = (sampler.whitening.kind, sampler.whitening.facts(), sampler.last_share, sampler.evaluate_start)
    digest.update(json.dumps(settings, sort_keys=True).encode())
    return digest.hexdigest()


def _make_part(task: PartTask, number: int) -> Part:
    size = task.sampler.config.block_size
    first, count = task.header.span(number)
    blocks = range(first // size, -(-(first + count) // size))
    stream = stream_blocks(
        task.sampler, task.origin, task.header.horizon, seed=task.seed, blocks=blocks, device=task.device
    )
    return write_part(task.folder, task.header, number, (block.numpy() for block in stream))


def _differences(asked: PartsHeader, found: PartsHeader) -> str:
    flat = [{**h._asdict(), **h.provenance, "provenance": None} for h in (asked, found)]
    names = sorted(k for k in flat[0] | flat[1] if flat[0].get(k) != flat[1].get(k))
    return ", ".join(f"{k} {flat[1].get(k)!r} there, {flat[0].get(k)!r} asked" for k in names)


def _finished(folder: Path, header: PartsHeader) -> list[Part]:
    """Parts that an earlier run of the same request left whole."""
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise StorageError(f"{folder} is a file, expected a folder or a free name. Choose another folder.")
    if not (folder / MANIFEST).exists():
        foreign = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
        if foreign:
            raise StorageError(
                f"{folder} holds files of something else ({', '.join(foreign[:3])}{', ...' if foreign[3:] else ''}). "
                "Choose a new folder."
            )
        return []
    found, parts = read_manifest(folder)
    if found != header:
        raise StorageError(
            f"{folder} holds scenarios of another request: {_differences(header, found)}. Choose another folder, or "
            "repeat the earlier call to finish it."
        )
    whole = []
    for part in parts:
        with suppress(StorageError):  # missing or damaged: it is written again
            check_part(folder, part)
            whole.append(part)
    return whole


def sample_parts(task: PartTask, *, n_workers: int = 1, progress: Progress = silent) -> ScenarioParts:
    """Write every part that is not yet there.

    Parameters
    ----------
    task : PartTask
        ``task.header`` says how many scenarios; its provenance must determine the numbers.
    n_workers : int
        Processes (joblib); the bytes do not depend on it.
    progress : callable

    Returns
    -------
    ScenarioParts

    Raises
    ------
    StorageError
        If the folder holds another request or other files, or the operating system refuses.
    DataError
        If a generated return is not finite.
    """
    header, folder = task.header, task.folder
    parts = _finished(folder, header)
    for leftover in folder.glob(".*.incomplete-*"):  # of a killed run
        leftover.unlink(missing_ok=True)
    there = {p.file for p in parts}
    missing = [n for n in range(header.n_parts) if header.part_file(n) not in there]
    write_manifest(folder, header, parts)
    for part in _made(task, missing, n_workers):
        parts.append(part)
        write_manifest(folder, header, parts)
        done = sum(p.n_scenarios for p in parts)
        progress(ProgressEvent("sampling", len(parts), header.n_parts, f"{done} paths written"))
    return ScenarioParts.open(folder)


def _made(task: PartTask, missing: list[int], n_workers: int) -> Iterator[Part]:
    if n_workers == 1 or len(missing) < 2:
        return (_make_part(task, number) for number in missing)
    jobs = (joblib.delayed(_make_part)(task, number) for number in missing)
    pool = joblib.Parallel(n_jobs=min(n_workers, len(missing)), return_as="generator_unordered")
    return cast("Iterator[Part]", pool(jobs))
