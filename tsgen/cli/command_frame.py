"""The frame around every command: progress on stderr, the result on stdout, errors as one message and a code.

With ``--json`` stdout holds exactly one JSON object, also after an error.
"""

import json
import sys
import warnings
from types import TracebackType
from typing import Any, Self, final

import typer

from tsgen.cli.exit_codes import ExitCode, exit_code_of
from tsgen.cli.progress_display import ProgressDisplay, progress_display
from tsgen.errors import TsgenError


@final
class CommandFrame:
    """Context of one command.

    Parameters
    ----------
    command : str
        Name, for messages.
    as_json : bool
        Print the result as JSON.
    debug : bool
        Let errors through with their traceback.
    resumable : str, optional
        Added to the message after an interruption.
    """

    def __init__(self, command: str, *, as_json: bool, debug: bool, resumable: str = "") -> None:
        self.command, self.as_json, self.debug, self.resumable = command, as_json, debug, resumable
        self.progress: ProgressDisplay = progress_display(sys.stderr)
        self._warnings = warnings.catch_warnings()

    def __enter__(self) -> Self:
        self._warnings.__enter__()
        warnings.showwarning = _show_warning
        self.progress.start()
        return self

    def finish(self, content: dict[str, Any], lines: list[str]) -> None:
        """Print the result: ``content`` with ``--json``, else ``lines``."""
        self.progress.stop()
        if self.as_json:
            typer.echo(json.dumps(content, allow_nan=False))
        else:
            typer.echo("\n".join(lines))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
        self._warnings.__exit__(kind, error, trace)
        # typer.Exit and the usage errors of typer are RuntimeErrors that typer itself turns into codes
        if error is None or self.debug or type(error).__module__.startswith(("typer", "click")):
            return
        if not isinstance(error, (Exception, KeyboardInterrupt)):
            return
        code, message = exit_code_of(error), self._message(error)
        typer.echo(f"tsgen {self.command}: {message}", err=True)
        if self.as_json:
            facts = {"type": type(error).__name__, "message": message, "exit_code": int(code)}
            typer.echo(json.dumps({"error": facts}))
        raise typer.Exit(int(code)) from error

    def _message(self, error: BaseException) -> str:
        if isinstance(error, KeyboardInterrupt):
            return f"interrupted. {self.resumable or 'Nothing was changed; run the same command again.'}"
        if isinstance(error, TsgenError):
            return str(error)
        if isinstance(error, OSError):
            return (
                f"{error.strerror or error}: {error.filename or 'a file'}. Check the path, the rights and free space."
            )
        return (
            f"unexpected {type(error).__name__}: {error}. This is a fault of the program; run again with --debug for "
            "the traceback and report it."
        )


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    typer.echo(f"warning: {category.__name__}: {message}", err=True)


def succeeded(checks_passed: bool) -> None:
    """End the command with code 1 unless all checks passed."""
    if not checks_passed:
        raise typer.Exit(int(ExitCode.UNEXPECTED))
