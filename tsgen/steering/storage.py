"""A steered generator on disk: control weights and a description; the reference stays where it is.

The description holds the reference's digest, and loading refuses another reference: a control is worth nothing, and its
weights are wrong, for any other law.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tsgen.complete_files import complete_folder, sha256_of
from tsgen.errors import CheckpointError, StorageError, TsgenError
from tsgen.marketdata import ReturnPanel
from tsgen.steering.certificate import SteeringCertificate
from tsgen.steering.controlled_chain import ControlledChain
from tsgen.steering.functional_records import functional_from, functional_record
from tsgen.steering.policy_storage import policy_from, policy_record, policy_tensors
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.steered_generator import SteeredGenerator
from tsgen.steering.steering_config import SteeringConfig
from tsgen.steering.steering_reference import SteerableGenerator, SteeringReference, reference_of

SCHEMA_VERSION = 2
WEIGHTS, DESCRIPTION = "control.safetensors", "steering.json"


def save_steered(steered: SteeredGenerator, folder: str | Path) -> None:
    """Write ``steered`` to ``folder``; see `SteeredGenerator.save`."""
    functionals = [functional_record(f) for f in steered.chain.book.functionals]
    target = Path(folder).resolve()
    if target.is_dir():
        foreign = sorted(item.name for item in target.iterdir() if item.name not in (WEIGHTS, DESCRIPTION))
        if foreign:
            raise StorageError(
                f"{folder} holds files that are not a steered generator's ({', '.join(foreign[:3])}): saving would "
                "delete them. Choose a new folder."
            )
    policy = steered.policy
    with complete_folder(target) as temporary:
        if policy is not None:
            try:
                save_file(policy_tensors(policy), temporary / WEIGHTS)
            except SafetensorError as error:  # how the library reports a full disk
                raise StorageError(
                    f"could not write {target}: {error}. Nothing was changed under that name; free some space, then "
                    "save again."
                ) from error
            (temporary / WEIGHTS).chmod(0o644)  # the library writes for the owner alone
        description = {
            "schema_version": SCHEMA_VERSION,
            "reference_digest": steered.reference.digest(),
            "functionals": functionals,
            "horizon": steered.horizon,
            "n_steps": steered.chain.n_steps,
            "block_size": steered.chain.block_size,
            "n_candidates": steered.chain.n_candidates,
            "config": asdict(steered.config),
            "seed": steered.seed,
            "policy": None if policy is None else policy_record(policy),
            "certificate": steered.certificate.to_dict(),
            "weights_sha256": None if policy is None else sha256_of(temporary / WEIGHTS),
        }
        text = json.dumps(description, indent=2, sort_keys=True, allow_nan=False)
        (temporary / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def load_steered(
    folder: str | Path, generator: SteerableGenerator | SteeringReference, *, history: ReturnPanel | None = None
) -> SteeredGenerator:
    """Read a steered generator written by `SteeredGenerator.save`.

    Parameters
    ----------
    folder : str or Path
    generator : fitted generator or SteeringReference
        The reference that was steered.
    history : ReturnPanel, optional
        The history that was steered for.

    Returns
    -------
    SteeredGenerator
        Samples identically to the saved one.

    Raises
    ------
    CheckpointError
        If the folder is incomplete or damaged, or belongs to another reference.

    Examples
    --------
    >>> load_steered("no such folder", None)
    Traceback (most recent call last):
    ...
    tsgen.errors.CheckpointError: no such folder is not a steered generator: steering.json is missing. Pass the ...
    """
    path = Path(folder)
    if not (path / DESCRIPTION).is_file():
        raise CheckpointError(
            f"{folder} is not a steered generator: {DESCRIPTION} is missing. Pass the folder that save wrote."
        )
    try:
        description = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
        if description["schema_version"] != SCHEMA_VERSION:
            raise CheckpointError(
                f"{path / DESCRIPTION} has schema version {description['schema_version']!r}, this version reads "
                f"{SCHEMA_VERSION}. Steer again."
            )
        return _rebuilt(path, description, reference_of(generator, history))
    except TsgenError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, OSError, SafetensorError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is damaged ({type(error).__name__}: {error}). Restore it from a copy or steer again."
        ) from error


def _rebuilt(path: Path, description: dict[str, Any], reference: SteeringReference) -> SteeredGenerator:
    if reference.digest() != description["reference_digest"]:
        raise CheckpointError(
            f"{path} steers another reference: digest {description['reference_digest'][:12]} expected, got "
            f"{reference.digest()[:12]}. Load the generator that was steered, with the same history."
        )
    policy = None
    if description["policy"] is not None:
        if not (path / WEIGHTS).is_file() or sha256_of(path / WEIGHTS) != description["weights_sha256"]:
            raise CheckpointError(
                f"{path / WEIGHTS} is missing or does not match its digest. Restore it from a copy or steer again."
            )
        policy = policy_from(load_file(path / WEIGHTS), description["policy"])
    config = dict(description["config"])
    config["gain_band"] = None if config["gain_band"] is None else tuple(config["gain_band"])
    functionals = [functional_from(r) for r in description["functionals"]]
    return SteeredGenerator(
        chain=ControlledChain(
            reference=reference,
            book=PortfolioBook.of(functionals, reference.assets),
            horizon=description["horizon"],
            n_steps=description["n_steps"],
            block_size=description["block_size"],
            n_candidates=description["n_candidates"],
        ),
        policy=policy,
        certificate=SteeringCertificate.from_dict(description["certificate"]),
        config=SteeringConfig(**config),
        seed=description["seed"],
    )
