"""A generator on disk: a folder with ``weights.safetensors`` and ``generator.json``, nothing executable.

Loading checks the schema version, the digest of the weights, names, shapes and finiteness of every tensor;
nothing is ever unpickled. The folder is written complete or not at all.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tsgen.complete_files import complete_folder, sha256_of
from tsgen.errors import CheckpointError, StorageError, TsgenError
from tsgen.generator.generator_config import GeneratorConfig
from tsgen.networks.score_head import HeadShape, ScoreHead
from tsgen.sampling.origin import Origin
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.torch_streams import module_initialisation
from tsgen.training.head_selection import HeadConfig
from tsgen.training.training_config import TrainingConfig
from tsgen.whitening.identity import IdentityWhitening
from tsgen.whitening.linear_prediction import LinearPredictionWhitening
from tsgen.whitening.own_lags import OwnLagWhitening
from tsgen.whitening.pair_correlation import FactorPairs, MovingPairs
from tsgen.whitening.path_volatility import PathVolatilityWhitening
from tsgen.whitening.regime_switching import RegimeSwitchingWhitening
from tsgen.whitening.residual_map import ResidualMap
from tsgen.whitening.volatility import VolatilityWhitening
from tsgen.whitening.whitening_protocol import Whitening

if TYPE_CHECKING:
    from tsgen.generator.adapted_generator import AdaptedDiffusionGenerator

SCHEMA_VERSION = 8
WEIGHTS, DESCRIPTION = "weights.safetensors", "generator.json"
_KINDS = (
    IdentityWhitening,
    LinearPredictionWhitening,
    PathVolatilityWhitening,
    RegimeSwitchingWhitening,
)
_PANELS = {pairs.kind: VolatilityWhitening for pairs in (MovingPairs, FactorPairs)}
_WHITENINGS = {c.kind: c for c in _KINDS} | _PANELS | {OwnLagWhitening.kind_around(k): OwnLagWhitening for k in _PANELS}


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": t.detach().cpu().contiguous() for name, t in tensors.items()}


def _without(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) + 1 :]: t for name, t in tensors.items() if name.startswith(prefix + ".")}


def _json_date(stamp: pd.Timestamp | None) -> str | None:
    return None if stamp is None else stamp.isoformat()


def save_generator(generator: "AdaptedDiffusionGenerator", folder: str | Path) -> None:
    """Write ``generator`` to ``folder``; see `AdaptedDiffusionGenerator.save`."""
    origin = generator.origin
    tensors = {
        **_prefixed("head", generator.head.state_dict()),
        **_prefixed("whitening", generator.whitening.arrays()),
        **_prefixed("state", {str(i): s for i, s in enumerate(origin.state)}),
        **_prefixed("origin", {"window": origin.window, "known": origin.known}),
        **_start_tensors(generator.start_states),
        **_prefixed("residual_map", {} if generator.residual_map is None else generator.residual_map._asdict()),
    }
    record = dataclasses.asdict(generator.record)
    record["training_start"] = _json_date(generator.record.training_start)
    record["training_cutoff"] = _json_date(generator.record.training_cutoff)
    target = _target(Path(folder))
    with complete_folder(target) as temporary:
        try:
            save_file(tensors, temporary / WEIGHTS)
        except SafetensorError as error:  # how the library reports a full disk
            raise StorageError(
                f"could not write {target}: {error}. Nothing was changed under that name; free some space or choose "
                "another folder, then save again."
            ) from error
        (temporary / WEIGHTS).chmod(0o644)  # the library writes for the owner alone
        description = {
            "schema_version": SCHEMA_VERSION,
            "config": dataclasses.asdict(generator.config),
            "record": record,
            "head_shape": generator.head.shape._asdict(),
            "whitening": {"kind": generator.whitening.kind, "facts": generator.whitening.facts()},
            "tensors": {name: {"shape": list(t.shape), "dtype": str(t.dtype)} for name, t in sorted(tensors.items())},
            "weights_sha256": sha256_of(temporary / WEIGHTS),
        }
        description["description_sha256"] = description_digest(description)
        text = json.dumps(description, indent=2, sort_keys=True, allow_nan=False)
        (temporary / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def _start_tensors(states: Origin | None) -> dict[str, Tensor]:
    if states is None:
        return {}
    return {
        **_prefixed("start_state", {str(i): s for i, s in enumerate(states.state)}),
        **_prefixed("start", {"window": states.window, "known": states.known}),
    }


def _start_states(tensors: dict[str, Tensor]) -> Origin | None:
    state, rest = _without("start_state", tensors), _without("start", tensors)
    return Origin(state=tuple(state[str(i)] for i in range(len(state))), **rest) if rest else None


def description_digest(description: dict[str, Any]) -> str:
    """SHA-256 of the description without its own digest, in canonical form."""
    rest = {name: value for name, value in description.items() if name != "description_sha256"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _target(folder: Path) -> Path:
    """The real folder to write; a folder that holds anything but a generator is never replaced."""
    target = folder.resolve()
    if target.is_dir():
        foreign = sorted(item.name for item in target.iterdir() if item.name not in (WEIGHTS, DESCRIPTION))
        if foreign:
            raise StorageError(
                f"{folder} holds files that are not a generator's "
                f"({', '.join(foreign[:3])}{', ...' if foreign[3:] else ''}): saving would delete them. "
                "Choose a new folder, for example one named generator inside it."
            )
    return target


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    if not path.is_file():
        raise CheckpointError(
            f"{folder} is not a generator folder: {DESCRIPTION} is missing. Pass the folder that generator.save wrote."
        )
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). Restore the folder from a copy or fit again.") from error
    found = description.get("schema_version") if isinstance(description, dict) else None
    if found != SCHEMA_VERSION:
        raise CheckpointError(
            f"{path} has schema version {found!r}, this version reads {SCHEMA_VERSION}. Load it with the toolkit "
            "version "
            "that wrote it, or fit again."
        )
    return description


def _read_tensors(folder: Path, description: dict[str, Any]) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    if not path.is_file():
        raise CheckpointError(f"{folder} is incomplete: {WEIGHTS} is missing. Restore it from a copy or fit again.")
    if sha256_of(path) != description["weights_sha256"]:
        raise CheckpointError(
            f"{path} does not match the digest in {DESCRIPTION}: it was truncated or changed. Restore it from a "
            "copy or "
            "fit again."
        )
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}). Restore it from a copy or fit again.") from error
    declared = description["tensors"]
    for name in sorted(set(declared) ^ set(tensors)):
        raise CheckpointError(f"{path}: tensor {name!r} is declared or stored, but not both. Fit again.")
    for name, t in tensors.items():
        if list(t.shape) != declared[name]["shape"] or str(t.dtype) != declared[name]["dtype"]:
            raise CheckpointError(
                f"{path}: tensor {name!r} has shape {list(t.shape)}, {declared[name]} is declared. Fit again."
            )
        if t.is_floating_point() and not bool(torch.isfinite(t).all()):
            raise CheckpointError(f"{path}: tensor {name!r} has values that are not finite. Fit again.")
    return tensors


def _config(stored: dict[str, Any]) -> GeneratorConfig:
    head = {**stored["head"], "contexts": tuple(stored["head"]["contexts"])}
    return GeneratorConfig(
        whitening=stored["whitening"],
        head=HeadConfig(**head),
        training=TrainingConfig(**stored["training"]),
        sampler=SamplerConfig(**stored["sampler"]),
    )


def _rebuild(description: dict[str, Any], tensors: dict[str, Tensor]) -> "AdaptedDiffusionGenerator":
    from tsgen.generator.adapted_generator import AdaptedDiffusionGenerator, FitRecord

    with module_initialisation(0, "placeholder"):  # overwritten by the stored weights
        head = ScoreHead(HeadShape(**description["head_shape"]))
    head.load_state_dict(_without("head", tensors), strict=True)
    whitening_facts = description["whitening"]
    restored: Whitening = _WHITENINGS[whitening_facts["kind"]].restore(
        _without("whitening", tensors), whitening_facts["facts"]
    )
    if restored.facts() != whitening_facts["facts"]:
        raise CheckpointError(
            f"the whitening was fitted with the settings {whitening_facts['facts']}, this version has "
            f"{restored.facts()}. Load it with the toolkit version that wrote it, or fit again."
        )
    state = _without("state", tensors)
    origin = _without("origin", tensors)
    residual_map = _without("residual_map", tensors)
    stored = dict(description["record"])
    for name in ("training_start", "training_cutoff"):
        stored[name] = None if stored[name] is None else pd.Timestamp(stored[name])
    record = FitRecord(**{**stored, "assets": tuple(stored["assets"])})
    if description_digest(description) != description.get("description_sha256"):
        raise CheckpointError(
            f"{DESCRIPTION} does not match its own digest: it was changed by hand or damaged. Restore the folder from "
            "a copy or fit again."
        )
    if len(record.assets) != restored.n_assets or head.shape.n_assets != restored.n_assets:
        raise CheckpointError(
            f"the folder names {len(record.assets)} assets, its whitening has {restored.n_assets} and its head "
            f"{head.shape.n_assets}. Fit again."
        )
    return AdaptedDiffusionGenerator(
        config=_config(description["config"]),
        record=record,
        whitening=restored,
        head=head.requires_grad_(False).eval(),
        origin=Origin(
            state=tuple(state[str(i)] for i in range(len(state))), window=origin["window"], known=origin["known"]
        ),
        residual_map=ResidualMap(**residual_map) if residual_map else None,
        start_states=_start_states(tensors),
    )


def load_generator(folder: str | Path) -> "AdaptedDiffusionGenerator":
    """Read a generator written by `AdaptedDiffusionGenerator.save`.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    AdaptedDiffusionGenerator
        Samples identically to the saved one.

    Raises
    ------
    CheckpointError
        If the folder is incomplete, damaged, or of another schema version.

    Examples
    --------
    >>> load_generator("no such folder")
    Traceback (most recent call last):
    ...
    tsgen.errors.CheckpointError: no such folder is not a generator folder: generator.json is missing. Pass ...
    """
    description = _read_description(Path(folder))
    try:
        return _rebuild(description, _read_tensors(Path(folder), description))
    except TsgenError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise CheckpointError(
            f"{Path(folder) / DESCRIPTION} does not describe a generator of this version ({type(error).__name__}: "
            f"{error}). "
            "Restore it from a copy or fit again."
        ) from error
