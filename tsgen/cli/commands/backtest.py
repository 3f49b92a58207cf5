"""`tsgen backtest`: strategies walked forward through the past, with costs, lag and intervals."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsgen.cli.command_frame import CommandFrame
from tsgen.cli.commands.shared_options import DebugOption, JsonOption
from tsgen.errors import ConfigError

if TYPE_CHECKING:
    from tsgen.cli.backtest_run import BacktestRun

_SHOWN = ("annualised return", "annualised volatility", "Sharpe ratio")


def backtest(
    config: Annotated[
        Path | None, typer.Argument(metavar="CONFIG.toml", help="Configuration; --print-default prints one.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the results; default: [output] folder of the configuration.")
    ] = None,
    print_default: Annotated[bool, typer.Option("--print-default", help="Print a configuration and end.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Walk strategies forward through past returns: every decision knows the past only, and pays for its trades.

    \b
    Examples:
      tsgen backtest --print-default > my.toml    a commented configuration to change
      tsgen backtest my.toml --output runs/mine
      tsgen backtest my.toml --json

    \b
    The folder then holds:
      performance.csv  per strategy: annualised return, volatility, Sharpe ratio with 95 % intervals (stationary
                       bootstrap), maximum drawdown, probabilistic Sharpe ratio, turnover and cost a year, failures
      differences.csv  to equal weight (or the first strategy), paired by date, with 95 % intervals
      comparison.csv   model confidence set of quadratic utility, deflated Sharpe ratio: all per period
      wealth.csv       wealth after each close, from 1
      books/           per strategy: ledger, weights, trades, targets, decisions (Parquet), fractions of wealth
      backtest.json    configuration, versions, data fingerprint, file digests, seconds

    Decisions are made after a close and traded [backtest] lag closes later. A solver that fails holds the positions and
    is counted. A run that was interrupted resumes when the same command is given again. Returns are decimals per
    period, dates are YYYY-MM-DD. A poor result is a result, not an error: the exit code is then 0, too.
    """  # noqa: D301  (the help needs the control character)
    if print_default:
        from tsgen.cli.backtest_config import default_backtest_text

        typer.echo(default_backtest_text(), nl=False)
        return
    resumable = "Finished strategies are kept; run the same command again to go on."
    with CommandFrame("backtest", as_json=as_json, debug=debug, resumable=resumable) as frame:
        if config is None:
            raise ConfigError("give a configuration: `tsgen backtest --print-default > my.toml` makes one to change.")
        from tsgen.cli.backtest_config import load_backtest_config
        from tsgen.cli.backtest_run import run_backtest

        wanted = load_backtest_config(config)
        done = run_backtest(wanted, Path(wanted.output.folder) if output is None else output, progress=frame.progress)
        frame.finish(
            {"folder": str(done.folder), "manifest": done.manifest, "performance": _content(done)}, _lines(done)
        )


def _content(done: "BacktestRun") -> dict[str, Any]:
    content: dict[str, Any] = {}
    for (strategy, measure), row in done.performance.iterrows():  # pyright: ignore
        numbers = {str(key): None if value != value else float(value) for key, value in row.items()}
        content.setdefault(str(strategy), {})[str(measure)] = numbers
    return content


def _lines(done: "BacktestRun") -> list[str]:
    table, facts = done.performance, done.manifest["configuration"]["backtest"]
    names = list(dict.fromkeys(table.index.get_level_values("strategy")))
    width = max(len(name) for name in names)
    lines = [f"From {facts['start']}, after costs; 95 % intervals in parentheses:", ""]
    for name in names:
        value, low, high = (table.loc[name][column] for column in ("value", "low", "high"))
        shown = [f"{value[m]:+.1%} ({low[m]:+.1%} to {high[m]:+.1%})" for m in _SHOWN[:2]]
        sharpe = _SHOWN[2]
        lines.append(
            f"{name:<{width}}  return {shown[0]}, volatility {shown[1]}, Sharpe {value[sharpe]:.2f} "
            f"({low[sharpe]:.2f} to {high[sharpe]:.2f}), turnover {value['turnover']:.1f} a year"
        )
    failed = {name: n for name, n in done.manifest["failed_decisions"].items() if n}
    if failed:
        lines += ["", "Failed decisions, positions held: " + ", ".join(f"{name} {n}" for name, n in failed.items())]
    lines += [f"Not judged, {name}: {reason}" for name, reason in done.manifest["not_judged"].items()]
    biases = done.manifest["data"]["origin"].get("known_biases")
    if biases:
        lines += ["", f"Known biases of these data: {biases}"]
    return [*lines, "", f"All results: {done.folder}"]
