"""Checkpoints of the policy iteration: after every iteration a folder from which it goes on as if never interrupted."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tsgen.complete_files import complete_folder, sha256_of
from tsgen.errors import CheckpointError, ConfigError
from tsgen.steering.functional_records import statistic_from, statistic_record
from tsgen.steering.path_tape import PathTape
from tsgen.steering.policy_iteration import IterationRecord, Progressed
from tsgen.steering.policy_storage import policy_from, policy_record, policy_tensors
from tsgen.steering.steered_sample import SteeredSample

_TENSORS, _FACTS = "iteration.safetensors", "iteration.json"
_SCHEMA_VERSION = 2


def save_progress(state: Progressed, folder: str | Path, identity: dict[str, Any]) -> None:
    """Write the state after an iteration, complete or not at all.

    Parameters
    ----------
    state : Progressed
    folder : str or Path
    identity : dict
        What must be the same for the iteration to go on: reference, constraints, settings, seed.
    """
    tensors: dict[str, torch.Tensor] = {}
    for i, (tape, sample) in enumerate(zip(state.tapes, state.samples, strict=True)):
        tensors |= {f"tape.{i}.{name}": value.contiguous() for name, value in tape._asdict().items()}
        tensors |= {f"value.{i}.{j}": torch.from_numpy(v.copy()) for j, v in enumerate(sample.values)}
    if state.policy is not None:
        tensors |= {f"policy.{name}": value for name, value in policy_tensors(state.policy).items()}
    with complete_folder(folder) as temporary:
        save_file(tensors, temporary / _TENSORS)
        facts = {
            "schema_version": _SCHEMA_VERSION,
            "identity": identity,
            "n_tapes": len(state.tapes),
            "n_values": len(state.samples[0].values),
            "policy": None if state.policy is None else policy_record(state.policy),
            "records": [asdict(r) for r in state.records],
            "statistics": [statistic_record(s) for s in state.statistics],
            "met": state.met,
            "sha256": sha256_of(temporary / _TENSORS),
        }
        (temporary / _FACTS).write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def load_progress(folder: str | Path, identity: dict[str, Any]) -> Progressed | None:
    """Read a state written by `save_progress`; ``None`` if there is none yet.

    Raises
    ------
    CheckpointError
        If the folder is damaged.
    ConfigError
        If it belongs to another task.
    """
    path = Path(folder)
    if not (path / _FACTS).is_file():
        return None
    try:
        facts = json.loads((path / _FACTS).read_text(encoding="utf-8"))
        if facts["identity"] != identity:
            changed = sorted(k for k in identity if facts["identity"].get(k) != identity[k])
            raise ConfigError(
                f"{path} holds the progress of another steering task ({', '.join(changed)} differ). Give it another "
                "folder, or delete this one."
            )
        if sha256_of(path / _TENSORS) != facts["sha256"]:
            raise CheckpointError(f"{path / _TENSORS} is damaged. Delete the folder and steer again.")
        return _rebuilt(facts, load_file(path / _TENSORS))
    except (KeyError, ValueError, TypeError, OSError, SafetensorError) as error:
        if isinstance(error, (ConfigError, CheckpointError)):
            raise
        raise CheckpointError(
            f"{path} is not the progress of a steering task ({type(error).__name__}: {error}). Delete the folder and "
            "steer again."
        ) from error


def _rebuilt(facts: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Progressed:
    tapes, samples = [], []
    for i in range(facts["n_tapes"]):
        tape = PathTape(**{name: tensors[f"tape.{i}.{name}"] for name in PathTape._fields})
        values = tuple(tensors[f"value.{i}.{j}"].numpy() for j in range(facts["n_values"]))
        tapes.append(tape)
        samples.append(SteeredSample(values, tape.log_ratio.numpy()))
    own = {k.removeprefix("policy."): v for k, v in tensors.items() if k.startswith("policy.")}
    return Progressed(
        policy=None if facts["policy"] is None else policy_from(own, facts["policy"]),
        tapes=tuple(tapes),
        samples=tuple(samples),
        records=tuple(_record(r) for r in facts["records"]),
        statistics=tuple(statistic_from(s) for s in facts["statistics"]),
        met=bool(facts["met"]),
    )


def _record(content: dict[str, Any]) -> IterationRecord:
    own = {**content, "multipliers": tuple(content["multipliers"]), "biases": tuple(content["biases"])}
    return IterationRecord(**own)
