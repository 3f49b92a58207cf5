"""Progress: lines are few and complete, bars only on terminals."""

import io

import pytest
from rich.console import Console

from tsgen.cli.progress_display import BarDisplay, LineDisplay, progress_display
from tsgen.progress import ProgressEvent


class _Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_lines_are_at_most_one_in_two_seconds_per_stage_and_the_last_always_shows():
    stream, clock = io.StringIO(), _Clock()
    show = LineDisplay(stream, clock=clock)
    show.start()
    for i in range(101):
        clock.now = 0.1 * i
        show(ProgressEvent("train", i, 100, "loss 1"))
    show.stop()
    lines = stream.getvalue().splitlines()
    # ten seconds: the first event, one every two seconds, the last
    assert [line.split(":")[1].split("/")[0].strip() for line in lines] == ["0", "20", "40", "60", "80", "100"]
    assert lines[-1] == "train: 100/100 in 10.0 s, loss 1"


def test_time_left_is_elapsed_time_scaled():
    stream, clock = io.StringIO(), _Clock()
    show = LineDisplay(stream, clock=clock)
    show(ProgressEvent("fit", 0, 4))
    clock.now = 30.0
    show(ProgressEvent("fit", 1, 4))
    assert stream.getvalue().splitlines()[-1] == "fit: 1/4, about 90 s left"


def test_bars_show_stage_share_and_note():
    stream = io.StringIO()
    show = BarDisplay(Console(file=stream, force_terminal=True, width=120))
    show.start()
    show(ProgressEvent("load [x]", 0, 1))
    show(ProgressEvent("train", 50, 200, "loss [/1]"))
    show.stop()
    show.stop()
    for piece in ("load [x]", "train", "25 %", "loss [/1]"):
        assert piece in stream.getvalue()


def test_a_pipe_gets_lines():
    assert isinstance(progress_display(io.StringIO()), LineDisplay)


def test_a_terminal_gets_bars(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    assert isinstance(progress_display(Terminal()), BarDisplay)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(progress_display(Terminal()), LineDisplay)


@pytest.mark.parametrize("done", [0, 4])
def test_no_estimate_without_evidence(done):
    stream, clock = io.StringIO(), _Clock()
    LineDisplay(stream, clock=clock)(ProgressEvent("fit", done, 4))
    assert "left" not in stream.getvalue()
