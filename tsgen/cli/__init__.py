"""The command line: the one place that knows everything below and puts it together.

`main` is the console entry point. Nothing heavy is imported until a command runs, so that ``--help`` is quick.
"""

__all__ = ["main"]


def main() -> None:
    """Run the command line; the process ends with one of the codes of `tsgen.cli.exit_codes`."""
    from tsgen.cli.application import app

    app(prog_name="tsgen")
