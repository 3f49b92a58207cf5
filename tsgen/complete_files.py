"""Files are complete or absent: write to a temporary sibling, flush to disk, rename.

A process killed half-way, or a disk that fills up, leaves the previous version untouched and no
half-written file under the final name. Bottom layer: standard library only.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tsgen.errors import StorageError

_TEMPORARY_MARK = ".incomplete-"


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explain(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"could not write {path}: {error.strerror or error}. Nothing was changed under that name; "
        "free some space or choose another folder, then run the same command again."
    )


@contextmanager
def complete_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path; on a clean exit it becomes ``path``, otherwise it disappears.

    Parameters
    ----------
    path : str or Path
        The final name. Its folder is created if needed.

    Yields
    ------
    Path
        Where to write. Same folder as ``path``, so that the final rename is atomic.

    Raises
    ------
    StorageError
        If the operating system refuses (disk full, no permission).

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with complete_file(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> [p.name for p in folder.iterdir()]
    ['a.txt']
    """
    final = Path(path)
    temporary = final.with_name(f".{final.name}{_TEMPORARY_MARK}{uuid.uuid4().hex[:8]}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        temporary.replace(final)
        _flush(final.parent)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise _explain(final, error) from error
    finally:
        with suppress(OSError):  # the reason, if any, has already been raised
            temporary.unlink(missing_ok=True)


@contextmanager
def complete_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder; on a clean exit it replaces ``path`` as a whole.

    Parameters
    ----------
    path : str or Path
        The final folder. An earlier folder of that name is replaced, never mixed with the new one.

    Yields
    ------
    Path
        An empty folder to fill.

    Raises
    ------
    StorageError
        If the operating system refuses, or ``path`` is an existing file.
    """
    final = Path(path)
    token = uuid.uuid4().hex[:8]
    temporary = final.with_name(f".{final.name}{_TEMPORARY_MARK}{token}")
    retired = final.with_name(f".{final.name}.replaced-{token}")
    if final.exists() and not final.is_dir():
        raise StorageError(f"{final} is a file, expected a folder or a free name. Choose another folder.")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        yield temporary
        for item in temporary.rglob("*"):
            if item.is_file():
                _flush(item)
        if final.exists():
            final.rename(retired)
        temporary.rename(final)
        _flush(final.parent)
    except OSError as error:
        if retired.exists() and not final.exists():
            retired.rename(final)
        if isinstance(error, StorageError):
            raise
        raise _explain(final, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(retired, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8, complete or not at all."""
    with complete_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any) -> None:
    """Write ``content`` as indented JSON with sorted keys; NaN and infinity are refused."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


def sha256_of(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as handle:
        for chunk in iter(lambda: handle.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()
