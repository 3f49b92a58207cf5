"""Which stages of a run are finished: small files that hold the digests of what went in and what came out.

A stage counts as finished only if its inputs are the same *and* every output still has its recorded digest.
Outputs are written before their entry, each complete or absent, so a run may be killed at any point.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, final

from tsgen.cli.peak_memory import peak_memory_mb
from tsgen.cli.program_versions import program_versions
from tsgen.complete_files import sha256_of, write_json
from tsgen.errors import ConfigError, StorageError

_FOLDER = ".stages"
_IDENTITY = "run.json"


class StageEntry(NamedTuple):
    """One finished stage."""

    facts: dict[str, Any]
    outputs: dict[str, str]
    """SHA-256 by path relative to the run folder."""
    seconds: float
    peak_memory_mb: float | None
    resumed: bool


def digest_of(content: Any) -> str:
    """SHA-256 of JSON-able content; the order of keys does not matter.

    Examples
    --------
    >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _differences(old: Any, new: Any, path: str = "") -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(set(old) | set(new))
        return [d for k in keys for d in _differences(old.get(k), new.get(k), f"{path}.{k}" if path else str(k))]
    return [] if old == new else [f"{path} was {old!r} and is now {new!r}"]


@final
class StageLedger:
    """The finished stages of one run folder.

    Parameters
    ----------
    root : Path
        The run folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = root / _FOLDER

    def open(self, identity: dict[str, Any], *, outputs: Iterable[str], force: bool) -> None:
        """Claim the folder for a run, or refuse.

        Parameters
        ----------
        identity : dict
            Configuration and data fingerprint, JSON-able.
        outputs : iterable of str
            Names that the run will write.
        force : bool
            Take over a folder of another run; stages whose inputs are unchanged stay finished.

        Raises
        ------
        ConfigError
            If the folder belongs to another configuration or other data, or holds files of unknown origin.
        StorageError
            If the folder cannot be made or read.
        """
        if self.root.exists() and not self.root.is_dir():
            raise StorageError(f"{self.root} is a file, expected a folder or a free name. Choose another --output.")
        stored = self._read(_IDENTITY)
        foreign = [name for name in outputs if (self.root / name).exists()]
        if stored is None and foreign and not force:
            raise ConfigError(
                f"{self.root} already has {', '.join(foreign)}, not from a run that can be resumed. Choose another "
                "--output, or add --force to overwrite."
            )
        if stored is not None and stored != identity and not force:
            changes = "; ".join(_differences(stored, identity)[:3])
            raise ConfigError(
                f"{self.root} holds a run with another configuration or other data: {changes}. Choose another "
                "--output, or add --force to replace what has changed."
            )
        self._remove_leftovers()
        if stored != identity:
            with suppress(OSError):
                (self.root / "manifest.json").unlink()  # describes the run that is being replaced
            write_json(self._folder / _IDENTITY, identity)

    def stage(
        self,
        name: str,
        inputs: dict[str, Any],
        outputs: Iterable[str],
        work: Callable[[], dict[str, Any]],
        *,
        clock: Callable[[], float],
    ) -> StageEntry:
        """Do the work of a stage unless it is finished already.

        Parameters
        ----------
        name : str
        inputs : dict
            Everything the outputs depend on apart from the program, JSON-able.
        outputs : iterable of str
            Files or folders, relative to the run folder, that ``work`` writes.
        work : callable
            Returns JSON-able facts on what it found.
        clock : callable
            Seconds.
        """
        key = digest_of({"stage": name, "inputs": inputs, "program": program_versions()})
        found = self._finished(name, key)
        if found is not None:
            return found
        began = clock()
        # through JSON, as a later start will read it: the order of keys must not depend on who did the work
        facts = json.loads(json.dumps(work(), sort_keys=True, allow_nan=False))
        entry = StageEntry(facts, self.digests(outputs), round(clock() - began, 3), peak_memory_mb(), False)
        content = {k: v for k, v in entry._asdict().items() if k != "resumed"}
        write_json(self._folder / f"{name}.json", {"key": key, **content})
        return entry

    def digests(self, names: Iterable[str]) -> dict[str, str]:
        """SHA-256 of files and of the files in folders, by relative path."""
        files = []
        for name in names:
            path = self.root / name
            files += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        return {p.relative_to(self.root).as_posix(): sha256_of(p) for p in files}

    def _finished(self, name: str, key: str) -> StageEntry | None:
        stored = self._read(f"{name}.json")
        if stored is None or stored.get("key") != key:
            return None
        try:
            outputs = dict(stored["outputs"])
            if not outputs or any(sha256_of(self.root / path) != digest for path, digest in outputs.items()):
                return None
            return StageEntry(stored["facts"], outputs, stored["seconds"], stored["peak_memory_mb"], True)
        except (OSError, KeyError, TypeError, ValueError):  # an output is gone, or the entry is not one of ours
            return None

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            content = json.loads((self._folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # absent or damaged: the stage is simply done again
            return None
        return content if isinstance(content, dict) else None

    def _remove_leftovers(self) -> None:
        """Half-written files of a killed run."""
        for folder in (self.root, self._folder):
            for mark in (".*.incomplete-*", ".*.replaced-*"):
                for path in folder.glob(mark):
                    if path.is_dir():
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        path.unlink(missing_ok=True)
