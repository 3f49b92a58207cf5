"""Progress events on the screen: bars with the time left on a terminal, plain lines elsewhere.

Both write to stderr, so that stdout holds results only.
"""

import time
from collections.abc import Callable
from typing import Protocol, TextIO, final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tsgen.progress import ProgressEvent

_SECONDS_BETWEEN_LINES = 2.0


class ProgressDisplay(Protocol):
    """A listener of `tsgen.progress.ProgressEvent` that can be started and stopped."""

    def __call__(self, event: ProgressEvent) -> None:
        """Show one event."""
        ...

    def start(self) -> None:
        """Begin to show events."""
        ...

    def stop(self) -> None:
        """Stop, leaving the last state on the screen; may be called twice."""
        ...


@final
class BarDisplay:
    """One bar per stage with elapsed and remaining time."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def start(self) -> None:
        """Begin to show events."""
        self._bars.start()

    def stop(self) -> None:
        """Stop, leaving the bars on the screen."""
        self._bars.stop()

    def __call__(self, event: ProgressEvent) -> None:
        """Show one event; a stage of a single step moves to and fro until it is done."""
        total = None if event.total <= 1 and event.done == 0 else event.total
        if event.stage not in self._tasks:
            self._tasks[event.stage] = self._bars.add_task(event.stage, total=total, note="")
        self._bars.update(self._tasks[event.stage], total=total, completed=event.done, note=event.note)


@final
class LineDisplay:
    """Plain lines: first and last event of a stage, and at most one every two seconds between."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._began: dict[str, float] = {}
        self._printed: dict[str, float] = {}

    def start(self) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        """Nothing to do: every line is complete."""

    def __call__(self, event: ProgressEvent) -> None:
        """Print the event if it is time."""
        now = self._clock()
        began = self._began.setdefault(event.stage, now)
        last = self._printed.get(event.stage)
        if last is not None and now - last < _SECONDS_BETWEEN_LINES and event.done < event.total:
            return
        self._printed[event.stage] = now
        note = f", {event.note}" if event.note else ""
        self._stream.write(f"{event.stage}: {event.done}/{event.total}{_time_left(event, now - began)}{note}\n")
        self._stream.flush()


def _time_left(event: ProgressEvent, elapsed: float) -> str:
    if event.done >= event.total:
        return f" in {elapsed:.1f} s"
    if event.done == 0 or elapsed < 1.0:
        return ""
    return f", about {elapsed * (event.total - event.done) / event.done:.0f} s left"


def progress_display(stream: TextIO) -> ProgressDisplay:
    """Bars if ``stream`` is a terminal, lines otherwise."""
    console = Console(file=stream)
    return BarDisplay(console) if console.is_terminal and not console.is_dumb_terminal else LineDisplay(stream)
