"""Errors become one message and a documented code; JSON stays one object."""

import json
import warnings

import pytest
import typer

from portfolio import InfeasibleError, SolverError, UnboundedError
from tsgen.cli.command_frame import CommandFrame
from tsgen.cli.exit_codes import exit_code_of
from tsgen.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    LookAheadError,
    ShapeError,
    StorageError,
    TrainingError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (DataError("x"), 3),
        (LookAheadError("x"), 3),
        (ShapeError("x"), 3),
        (InfeasibleError("x"), 4),
        (UnboundedError("x"), 4),
        (SolverError("x"), 4),
        (CheckpointError("x"), 5),
        (StorageError("x"), 5),
        (OSError(28, "No space left on device", "f"), 5),
        (TrainingError("x"), 1),
        (RuntimeError("x"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_has_its_code_and_one_message(error, code, capsys):
    assert exit_code_of(error) == code
    with pytest.raises(typer.Exit) as stopped, CommandFrame("test", as_json=True, debug=False):
        raise error
    assert stopped.value.exit_code == code
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["exit_code"] == code
    assert err.startswith("tsgen test: ")
    assert "Traceback" not in err


def test_debug_lets_the_error_through():
    with pytest.raises(DataError, match="bad"), CommandFrame("test", as_json=False, debug=True):
        raise DataError("bad")


def test_an_interruption_says_how_to_go_on(capsys):
    with pytest.raises(typer.Exit), CommandFrame("run", as_json=False, debug=False, resumable="Run it again."):
        raise KeyboardInterrupt
    assert "interrupted. Run it again." in capsys.readouterr().err


def test_usage_errors_and_exits_belong_to_typer():
    with pytest.raises(typer.BadParameter), CommandFrame("test", as_json=False, debug=False):
        raise typer.BadParameter("x")
    with pytest.raises(typer.Exit), CommandFrame("test", as_json=False, debug=False):
        raise typer.Exit(7)


def test_warnings_are_lines_on_stderr(capsys):
    with CommandFrame("test", as_json=True, debug=False) as frame:
        warnings.simplefilter("always")
        warnings.warn("careful", UserWarning, stacklevel=1)
        frame.finish({"ok": True}, ["fine"])
    out, err = capsys.readouterr()
    assert json.loads(out) == {"ok": True}
    assert "warning: UserWarning: careful" in err
