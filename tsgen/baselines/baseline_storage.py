"""A baseline on disk: a folder with ``numbers.safetensors`` and ``baseline.json``, nothing executable.

Fields that are arrays go to safetensors, everything else to JSON; loading checks the schema version, the
digest, and through the dataclasses themselves names, shapes and finiteness.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from tsgen.baselines.fitted_baseline import FittedBaseline
from tsgen.baselines.training_data import BaselineRecord
from tsgen.complete_files import complete_folder, sha256_of
from tsgen.errors import CheckpointError, TsgenError

SCHEMA_VERSION = 1
NUMBERS, DESCRIPTION = "numbers.safetensors", "baseline.json"


def save_baseline(baseline: FittedBaseline, folder: str | Path) -> None:
    """Write ``baseline`` to ``folder``; see `FittedBaseline.save`."""
    arrays, settings = _taken_apart(baseline)
    record = dataclasses.asdict(baseline.record)
    for name in ("training_start", "training_cutoff"):
        record[name] = None if record[name] is None else record[name].isoformat()
    with complete_folder(folder) as temporary:
        save_file(arrays, temporary / NUMBERS)
        description = {
            "schema_version": SCHEMA_VERSION,
            "baseline": baseline.name,
            "record": record,
            "settings": settings,
            "arrays": sorted(arrays),
            "numbers_sha256": sha256_of(temporary / NUMBERS),
        }
        text = json.dumps(description, indent=2, sort_keys=True, allow_nan=False)
        (temporary / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def _taken_apart(part: Any, prefix: str = "") -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays by dotted name, and everything else, of a dataclass and the dataclasses in it."""
    arrays: dict[str, np.ndarray] = {}
    settings: dict[str, Any] = {}
    for field in dataclasses.fields(part):
        value, name = getattr(part, field.name), prefix + field.name
        if isinstance(value, BaselineRecord):
            continue
        if isinstance(value, np.ndarray):
            arrays[name] = np.ascontiguousarray(value)
        elif dataclasses.is_dataclass(value):
            inner_arrays, inner_settings = _taken_apart(value, name + ".")
            arrays |= inner_arrays
            settings |= inner_settings
        else:
            settings[name] = value
    return arrays, settings


def _put_together(cls: Any, values: Mapping[str, Any], fixed: dict[str, Any], prefix: str = "") -> Any:
    hints = get_type_hints(cls)
    arguments = dict(fixed)
    for field in dataclasses.fields(cls):
        if field.name in fixed:
            continue
        name, hint = prefix + field.name, hints[field.name]
        inner = dataclasses.is_dataclass(hint) and isinstance(hint, type)
        arguments[field.name] = _put_together(hint, values, {}, name + ".") if inner else values[name]
    return cls(**arguments)


def read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Description and arrays of a stored baseline, checked against schema version and digest.

    Raises
    ------
    CheckpointError
        If the folder is incomplete, damaged, or of another schema version.
    """
    path = folder / DESCRIPTION
    if not path.is_file() or not (folder / NUMBERS).is_file():
        raise CheckpointError(
            f"{folder} is not a baseline folder: {DESCRIPTION} or {NUMBERS} is missing. "
            "Pass the folder that baseline.save wrote."
        )
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). Restore the folder from a copy or fit again.") from error
    found = description.get("schema_version") if isinstance(description, dict) else None
    if found != SCHEMA_VERSION:
        raise CheckpointError(
            f"{path} has schema version {found!r}, this version reads {SCHEMA_VERSION}. Load it with the toolkit "
            "version that wrote it, or fit again."
        )
    if sha256_of(folder / NUMBERS) != description.get("numbers_sha256"):
        raise CheckpointError(
            f"{folder / NUMBERS} does not match the digest in {DESCRIPTION}: it was truncated or changed. Restore it "
            "from a copy or fit again."
        )
    try:
        return description, load_file(folder / NUMBERS)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{folder / NUMBERS} cannot be read ({error}). Restore it or fit again.") from error


def rebuild(classes: Mapping[str, type[FittedBaseline]], folder: str | Path) -> FittedBaseline:
    """Read a stored baseline of one of the named classes.

    Raises
    ------
    CheckpointError
        If the folder does not hold one.
    """
    description, arrays = read_folder(Path(folder))
    try:
        facts: dict[str, Any] = dict(description["record"])
        for name in ("training_start", "training_cutoff"):
            facts[name] = None if facts[name] is None else pd.Timestamp(facts[name])
        for name in ("assets", "notes"):
            facts[name] = tuple(facts[name])
        record = BaselineRecord(**facts)
        return _put_together(classes[description["baseline"]], arrays | description["settings"], {"record": record})
    except TsgenError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{Path(folder) / DESCRIPTION} does not describe a baseline of this version "
            f"({type(error).__name__}: {error}). Restore the folder from a copy or fit again."
        ) from error
