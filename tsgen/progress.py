"""Progress of long work as events: libraries report, only the command line shows bars."""

from collections.abc import Callable
from typing import NamedTuple


class ProgressEvent(NamedTuple):
    """One report: ``done`` of ``total`` units of ``stage``, with a short remark."""

    stage: str
    done: int
    total: int
    note: str = ""


Progress = Callable[[ProgressEvent], None]


def silent(event: ProgressEvent) -> None:
    """Do nothing: the default listener."""
    del event
