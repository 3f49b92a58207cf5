"""`tsgen run`: the whole pipeline from one configuration."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tsgen.cli.command_frame import CommandFrame
from tsgen.cli.commands.shared_options import DebugOption, JsonOption


def run(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG.toml]", help="Configuration; without it the embedded default.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Run folder; default: [output] folder of the configuration.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Take over a folder of another configuration; what did not change is kept.")
    ] = False,
    print_default: Annotated[bool, typer.Option("--print-default", help="Print the embedded default and end.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Returns in, scenarios, weights and a report out: the whole job.

    \b
    Examples:
      tsgen run                                   the embedded default: 20 US stocks, trained to the end of 2013
      tsgen run --print-default > my.toml         a commented copy to change
      tsgen run my.toml --output runs/mine

    \b
    The run folder then holds:
      scenarios.parquet  returns, decimals per period: scenario, period, one column per asset
      weights.csv        fractions of wealth: asset, tsgen_scenarios, historical_moments, equal_weight
      generator/         the fitted generator, for `tsgen sample`
      report.html        charts and tables; opens offline in a browser
      manifest.json      configuration, seeds, versions, data fingerprint, file digests, seconds, peak memory in MB

    A run that was interrupted or killed resumes when the same command is given again: finished stages are kept and the
    files come out the same. --json prints the folder and the manifest.
    """  # noqa: D301  (the help needs the control character)
    from tsgen.cli.run_config import default_config_text, load_run_config

    if print_default:
        typer.echo(default_config_text(), nl=False)
        return
    resumable = "Finished stages are kept: run the same command again to resume."
    with CommandFrame("run", as_json=as_json, debug=debug, resumable=resumable) as frame:
        settings = load_run_config(config)
        from tsgen.cli.pipeline import run_pipeline

        folder = output or Path(settings.output.folder)
        result = run_pipeline(settings, folder, force=force, progress=frame.progress)
        content = {"folder": str(result.folder), "manifest": result.manifest}
        frame.finish(content, _lines(result.folder, result.manifest))


def _lines(folder: Path, manifest: dict[str, Any]) -> list[str]:
    run_facts, results = manifest["run"], manifest["results"]
    lines = [results["generator"], results["scenarios"], ""]
    for name, realised in results["realised"].items():
        if realised is None:
            continue
        error = realised["standard_errors"]
        lines.append(
            f"afterwards, {name}: {realised['annualised_return']:+.1%} a year (± {error['annualised_return']:.1%}), "
            f"volatility {realised['annualised_volatility']:.1%}, maximum drawdown {realised['maximum_drawdown']:.1%}"
        )
    biases = manifest["data"]["origin"].get("known_biases")
    if biases:
        lines += ["", f"Known biases of these data: {biases}"]
    memory = run_facts["peak_memory_mb"]
    took = f"{run_facts['seconds']['total']:.0f} s" + ("" if memory is None else f", {memory:,.0f} MB at most")
    kept = run_facts["resumed_stages"]
    lines += ["", f"Done in {took}" + (f" (kept from before: {', '.join(kept)})" if kept else "")]
    return [*lines, f"Report: {folder / 'report.html'}", f"All results: {folder}"]
