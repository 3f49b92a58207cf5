"""One process at a time in a run folder; the lock ends with the process, however it ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tsgen.errors import StorageError


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if needed.

    Raises
    ------
    StorageError
        If another process holds it, or the folder cannot be made.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise StorageError(
            f"cannot write into {folder}: {error.strerror}. Choose another --output or free the disk."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StorageError(
                f"another process is working in {folder}. Wait for it, or choose another --output."
            ) from error
        yield
    finally:
        os.close(descriptor)
