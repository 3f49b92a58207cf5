"""`tsgen doctor`: whether this installation is in order."""

from tsgen.cli.command_frame import CommandFrame, succeeded
from tsgen.cli.commands.shared_options import DebugOption, JsonOption


def doctor(as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Check the installation and list the data sets.

    \b
    Examples:
      tsgen doctor
      tsgen doctor --json

    Looks at versions, where the packages come from, torch (threads, CUDA), the solver, every data set of the catalogue
    (dates x assets of returns), writing of temporary files and free disk space (MB). Exit code 0: all well; 1: a check
    failed, and its line says what to do.
    """  # noqa: D301  (the help needs the control character)
    with CommandFrame("doctor", as_json=as_json, debug=debug) as frame:
        from tsgen.cli.health_checks import health_checks

        checks = health_checks()
        passed = all(c.passed for c in checks)
        lines = [f"{'ok     ' if c.passed else 'PROBLEM'} {c.name}: {c.detail}" for c in checks]
        content = {"ok": passed, "checks": [c._asdict() for c in checks]}
        frame.finish(content, [*lines, "All is well." if passed else "There are problems; see above."])
        succeeded(passed)
