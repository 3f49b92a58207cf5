"""Peak memory of this process and its workers, from the operating system's own books."""

import sys
from pathlib import Path

_PROC = Path("/proc/self/task")


def _peak_of_process(pid: str) -> float:
    try:
        lines = (Path("/proc") / pid / "status").read_text(encoding="utf-8").splitlines()
    except OSError:  # it ended in the meantime
        return 0.0
    kilobytes = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return float(kilobytes[0]) / 1024 if kilobytes else 0.0


def _living_children() -> list[str]:
    children: list[str] = []
    for listed in _PROC.glob("*/children"):
        try:
            children += listed.read_text(encoding="utf-8").split()
        except OSError:  # the thread ended
            continue
    return children


def peak_memory_mb() -> float | None:
    """Peak resident memory in MB (2**20 bytes) of this process and its workers.

    An upper bound: the peaks need not have been at the same time. On Linux workers are the living child processes
    (those of joblib stay alive between uses); elsewhere the largest finished one. ``None`` where the system keeps no
    such books.

    Examples
    --------
    >>> peak = peak_memory_mb()
    >>> peak is None or peak > 10
    True
    """
    try:
        import resource
    except ImportError:
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    if _PROC.is_dir():
        # not RUSAGE_CHILDREN: a process that only starts another program is booked with the memory of its parent
        return round(own + sum(_peak_of_process(pid) for pid in _living_children()), 1)
    return round(own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit, 1)
