"""Scenarios as a folder of Parquet parts with a manifest: more of them than fit into memory.

Every part is a whole number of generated blocks, is complete or absent, and is itself a file that
`ScenarioSet.load` reads. The manifest names the parts with their digests and says what was asked for, so that an
interrupted job continues where it stopped. Plain Parquet: any other program may read the folder. No torch here.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tsgen.complete_files import complete_file, sha256_of, write_json
from tsgen.errors import DataError, StorageError
from tsgen.return_kind import ReturnKind
from tsgen.scenario_set import ScenarioSet

MANIFEST = "manifest.json"
_SCHEMA_VERSION = 1
_SCENARIO_SET_VERSION, _METADATA_KEY = 1, b"tsgen.scenario_set"  # of a file that ScenarioSet.load reads


class Part(NamedTuple):
    """One file of the folder."""

    file: str
    first_scenario: int
    n_scenarios: int
    sha256: str


class PartsHeader(NamedTuple):
    """What holds for all parts."""

    assets: tuple[str, ...]
    kind: ReturnKind
    asof: str | None
    n_scenarios: int
    horizon: int
    scenarios_per_part: int
    provenance: dict[str, Any]
    """Everything that determines the numbers: a folder is continued only by the same request."""

    @property
    def n_parts(self) -> int:
        """Number of files once complete."""
        return -(-self.n_scenarios // self.scenarios_per_part)

    def part_file(self, number: int) -> str:
        """Name of a part's file."""
        return f"part-{number:06d}.parquet"

    def span(self, number: int) -> tuple[int, int]:
        """First scenario of a part, and how many it has."""
        first = number * self.scenarios_per_part
        return first, min(self.scenarios_per_part, self.n_scenarios - first)


def write_part(folder: Path, header: PartsHeader, number: int, blocks: Iterable[NDArray[np.float32]]) -> Part:
    """Write one part, complete or not at all, one row group per block.

    Parameters
    ----------
    folder : Path
    header : PartsHeader
    number : int
        Part number, from 0.
    blocks : iterable of ndarray of shape (scenario, time, asset), float32
        Consecutive scenarios; what exceeds the part is dropped. Only one block is in memory at a time.

    Raises
    ------
    DataError
        If a return is not finite.
    StorageError
        If the operating system refuses.
    """
    first, count = header.span(number)
    facts = {
        "schema_version": _SCENARIO_SET_VERSION,
        "assets": header.assets,
        "kind": header.kind,
        "asof": header.asof,
        "n_scenarios": count,
        "horizon": header.horizon,
        "provenance": {**header.provenance, "part": number, "first_scenario": first},
    }
    names = [f"return.{a}" for a in header.assets]
    fields = [("scenario", pa.int64()), ("period", pa.int32()), *((n, pa.float32()) for n in names)]
    schema = pa.schema(fields, metadata={_METADATA_KEY: json.dumps(facts, sort_keys=True).encode()})
    target, done = folder / header.part_file(number), 0
    with (
        complete_file(target) as temporary,
        pq.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            use_dictionary=["scenario", "period"],  # pyright: ignore[reportArgumentType]  (stub)
            column_encoding=dict.fromkeys(names, "BYTE_STREAM_SPLIT"),
            write_page_checksum=True,
        ) as writer,
    ):
        for block in blocks:
            kept = block[: count - done]
            writer.write_table(_rows(kept, first + done, schema))
            done += len(kept)
        if done != count:
            raise DataError(f"part {number} needs {count} scenarios, its blocks hold {done}: pass all of its blocks.")
    return Part(header.part_file(number), first, count, sha256_of(target))


def _rows(block: NDArray[np.float32], first: int, schema: pa.Schema) -> pa.Table:
    count, horizon, n_assets = block.shape
    if not np.isfinite(block).all():
        scenario = first + int(np.argwhere(~np.isfinite(block))[0, 0])
        raise DataError(
            f"scenario {scenario} has returns that are not finite: the model diverges on this history. Check the "
            "history for extreme values, or fit again."
        )
    scenario = np.repeat(np.arange(first, first + count, dtype=np.int64), horizon)
    period = np.tile(np.arange(1, horizon + 1, dtype=np.int32), count)
    by_asset = np.ascontiguousarray(block.reshape(-1, n_assets).T)
    return pa.table([scenario, period, *by_asset], schema=schema)


def write_manifest(folder: Path, header: PartsHeader, parts: Iterable[Part]) -> None:
    """Write the manifest; it is complete once every part of the request is listed."""
    listed = sorted(parts, key=lambda p: p.first_scenario)
    write_json(
        folder / MANIFEST,
        {
            "schema_version": _SCHEMA_VERSION,
            **header._asdict(),
            "complete": len(listed) == header.n_parts,
            "parts": [p._asdict() for p in listed],
        },
    )


def read_manifest(folder: Path) -> tuple[PartsHeader, list[Part]]:
    """Header and finished parts of a folder, complete or not.

    Raises
    ------
    StorageError
        If there is no manifest or it is damaged.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema_version"] != _SCHEMA_VERSION:
            raise ValueError(f"schema version {content['schema_version']!r}, this version reads {_SCHEMA_VERSION}")
        header = PartsHeader(**{name: content[name] for name in PartsHeader._fields})
        parts = [Part(**entry) for entry in content["parts"]]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"{folder} is not a folder of scenario parts: {MANIFEST} cannot be read ({type(error).__name__}: {error}). "
            "Pass a folder that generator.sample_to_parquet wrote."
        ) from error
    return header._replace(assets=tuple(header.assets)), parts


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ScenarioParts:
    """Scenarios on disk, read part by part.

    Parameters
    ----------
    folder : Path
        Written by `AdaptedDiffusionGenerator.sample_to_parquet`.
    header : PartsHeader
    parts : tuple of Part
        In scenario order.

    Examples
    --------
    >>> ScenarioParts.open("no such folder")
    Traceback (most recent call last):
    ...
    tsgen.errors.StorageError: no such folder is not a folder of scenario parts: manifest.json cannot be read ...
    """

    folder: Path
    header: PartsHeader
    parts: tuple[Part, ...]

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open a complete folder; only the manifest is read.

        Raises
        ------
        StorageError
            If the folder has no readable manifest, or some parts are still missing.
        """
        root = Path(folder)
        header, parts = read_manifest(root)
        if len(parts) != header.n_parts:
            raise StorageError(
                f"{root} is incomplete: {len(parts)} of {header.n_parts} parts are written. Run the same "
                "sample_to_parquet call again to finish it."
            )
        return cls(folder=root, header=header, parts=tuple(parts))

    @property
    def n_scenarios(self) -> int:
        """Number of scenarios in all parts."""
        return self.header.n_scenarios

    @property
    def horizon(self) -> int:
        """Number of periods."""
        return self.header.horizon

    @property
    def assets(self) -> tuple[str, ...]:
        """Asset names in the order of the last axis."""
        return self.header.assets

    @property
    def asof(self) -> pd.Timestamp | None:
        """Last date whose data the maker of the scenarios had seen."""
        return None if self.header.asof is None else pd.Timestamp(self.header.asof)

    def __len__(self) -> int:
        """Number of parts."""
        return len(self.parts)

    def part(self, number: int) -> ScenarioSet:
        """Read one part, after checking its digest.

        Parameters
        ----------
        number : int
            From 0.

        Returns
        -------
        ScenarioSet
            Its scenarios are equally likely; ``provenance["first_scenario"]`` says where they stand among all.

        Raises
        ------
        DataError
            If there is no such part.
        StorageError
            If the file is missing or its bytes changed.
        """
        if not 0 <= number < len(self.parts):
            raise DataError(f"there is no part {number}: {self.folder} has parts 0 to {len(self.parts) - 1}.")
        entry = self.parts[number]
        check_part(self.folder, entry)
        return ScenarioSet.load(self.folder / entry.file)

    def __iter__(self) -> Iterator[ScenarioSet]:
        """Read the parts one after the other; memory does not depend on their number."""
        return (self.part(number) for number in range(len(self.parts)))

    def load(self) -> ScenarioSet:
        """Read everything into memory, as one `ScenarioSet`."""
        returns = np.empty((self.n_scenarios, self.horizon, len(self.assets)))
        for entry, part in zip(self.parts, self, strict=True):
            returns[entry.first_scenario : entry.first_scenario + entry.n_scenarios] = part.returns
        fields = {"kind": self.header.kind, "asof": self.asof, "provenance": self.header.provenance}
        return ScenarioSet(returns, assets=self.assets, **fields)

    def __repr__(self) -> str:
        return (
            f"ScenarioParts({self.n_scenarios} scenarios x {self.horizon} periods x {len(self.assets)} assets, "
            f"{self.header.kind} returns, {len(self.parts)} parts in {self.folder})"
        )


def check_part(folder: Path, part: Part) -> None:
    """Raise `StorageError` unless the file of ``part`` is there with the recorded bytes."""
    path = folder / part.file
    if not path.is_file():
        raise StorageError(f"{path} is missing. Run the same sample_to_parquet call again: it writes what is missing.")
    if sha256_of(path) != part.sha256:
        raise StorageError(
            f"{path} does not match its digest in {MANIFEST}: it was truncated or changed. Run the same "
            "sample_to_parquet call again: it rewrites damaged parts."
        )
