"""One thread for numerical libraries, also when several parts run in threads of one process.

How a matrix product is split over threads changes its rounding, and a solver may then take another path. Small
products are also slower on several threads, five times so beside another busy process: they wait for each other. The
limit is one of the process: with overlapping users, the last to leave restores it, not the first.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import threadpool_limits

_lock = threading.Lock()
_users: list[Any] = []


@contextmanager
def one_numeric_thread() -> Iterator[None]:
    """Context in which BLAS and OpenMP use one thread.

    Examples
    --------
    >>> from threadpoolctl import threadpool_info
    >>> with one_numeric_thread():
    ...     all(pool["num_threads"] == 1 for pool in threadpool_info())
    True
    """
    with _lock:
        # the first one knows the limits to go back to; the others only count
        _users.append(threadpool_limits(limits=1) if not _users else None)
    try:
        yield
    finally:
        with _lock:
            limits = _users[0]
            _users.pop()
            if not _users and limits is not None:
                limits.restore_original_limits()
