"""The command line as a whole: its commands and what holds for all of them."""

from typing import Annotated

import typer

from tsgen.cli.commands.backtest import backtest
from tsgen.cli.commands.doctor import doctor
from tsgen.cli.commands.evaluate import evaluate
from tsgen.cli.commands.fit import fit
from tsgen.cli.commands.optimise import optimise
from tsgen.cli.commands.run import run
from tsgen.cli.commands.sample import sample
from tsgen.cli.commands.steer import steer
from tsgen.cli.exit_codes import EXIT_CODE_HELP

# plain help: line breaks of the examples survive, in a terminal and in a pipe
app = typer.Typer(
    name="tsgen",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
    epilog=EXIT_CODE_HELP,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        import tsgen

        typer.echo(f"tsgen {tsgen.__version__}")
        raise typer.Exit


@app.callback()
def _tsgen(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Synthetic return scenarios you may decide on, and portfolios from them.

    Start with `tsgen doctor`, then `tsgen run`: real returns in, scenarios, weights and a report out.
    Returns are decimals per period, weights are fractions of wealth, dates are YYYY-MM-DD.
    Progress goes to stderr, results to stdout; every command takes --json.
    """
    del version


for _command in (run, fit, sample, steer, evaluate, optimise, backtest, doctor):
    app.command(epilog=EXIT_CODE_HELP)(_command)
