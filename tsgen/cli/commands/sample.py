"""`tsgen sample`: scenarios from a fitted generator."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsgen.cli.command_frame import CommandFrame
from tsgen.cli.commands.shared_options import (
    DebugOption,
    DeviceOption,
    GeneratorFolder,
    JsonOption,
    MissingOption,
    SeedOption,
    UntilOption,
    as_date,
)
from tsgen.errors import ConfigError

if TYPE_CHECKING:
    from datetime import date

    from tsgen.generator import AdaptedDiffusionGenerator
    from tsgen.marketdata import ReturnPanel
    from tsgen.scenario_parts import PartsHeader


def sample(  # noqa: PLR0913  (one parameter per option)
    generator: GeneratorFolder,
    scenarios: Annotated[int, typer.Option(min=1, help="Number of scenarios.")],
    horizon: Annotated[int, typer.Option(min=1, help="Length in periods of the training data, e.g. 21 trading days.")],
    output: Annotated[
        Path,
        typer.Option(metavar="FILE.parquet", help="File, replaced if there; with --parts a folder."),
    ],
    seed: SeedOption = 0,
    history: Annotated[
        str | None, typer.Option(metavar="DATA", help="Start after these prices instead of after the training data.")
    ] = None,
    until: UntilOption = None,
    missing: MissingOption = "error",
    workers: Annotated[int, typer.Option(min=1, help="Processes; the scenarios do not depend on it.")] = 1,
    parts: Annotated[
        bool,
        typer.Option("--parts", help="Write a folder of Parquet parts, in constant memory and resumable."),
    ] = False,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Sample scenarios of the next periods from a fitted generator.

    \b
    Examples:
      tsgen sample runs/generator --scenarios 2000 --horizon 21 --seed 0 --output runs/scenarios.parquet
      tsgen sample runs/generator --scenarios 2000 --horizon 21 --output runs/march.parquet \\
            --history us_stocks --until 2020-03-13        (conditions of another day, same generator)
      tsgen sample runs/generator --scenarios 1000000 --horizon 21 --output runs/million --parts --workers 2

    \b
    FILE.parquet then holds one row per scenario and period:
      scenario, period     counted from 0 and from 1
      return.<asset>       decimals per period, in the return convention of the generator (log or simple)
    Its metadata hold assets, convention, as-of date, seed and the fingerprint of the training data.
    With --parts the folder holds such files, of float32, and manifest.json with their digests; the same command
    finishes an interrupted folder, and the files are the same for any number of workers.
    """  # noqa: D301  (the help needs the control character)
    with CommandFrame("sample", as_json=as_json, debug=debug) as frame:
        if until is not None and history is None:
            raise ConfigError("--until says where --history ends: give --history DATA too, or leave --until out.")
        _check_output(output, parts=parts)
        last = as_date(until, option="--until")
        from tsgen.generator import load_generator

        fitted = load_generator(generator)
        past = None if history is None else _history(history, fitted, missing, last)
        request = {"history": past, "seed": seed, "n_workers": workers, "device": device, "progress": frame.progress}
        if parts:
            written = fitted.sample_to_parquet(output, scenarios, horizon, **request)
            content = {"folder": str(output), "n_parts": len(written), **_facts(written.header)}
            frame.finish(content, [repr(written), f"Scenarios: {output}"])
            return
        drawn = fitted.sample(scenarios, horizon, **request)
        drawn.save(output)
        content = {
            "file": str(output),
            "n_scenarios": drawn.n_scenarios,
            "horizon": drawn.horizon,
            "assets": list(drawn.assets),
            "kind": drawn.kind,
            "asof": None if drawn.asof is None else drawn.asof.isoformat(),
            "provenance": drawn.provenance,
        }
        frame.finish(content, [repr(drawn), f"Scenarios: {output}"])


def _check_output(output: Path, *, parts: bool) -> None:
    if not parts and output.suffix != ".parquet":
        raise ConfigError(f"--output must end in .parquet: got {output.name!r}. For a folder of parts add --parts.")
    if parts and output.suffix == ".parquet":
        raise ConfigError(f"--output is a folder with --parts: got the file name {output.name!r}. Leave .parquet out.")


def _facts(header: "PartsHeader") -> dict[str, Any]:
    names = ("n_scenarios", "horizon", "assets", "kind", "asof", "provenance")
    return {name: getattr(header, name) for name in names}


def _history(source: str, fitted: "AdaptedDiffusionGenerator", missing: str, last: "date | None") -> "ReturnPanel":
    from tsgen.marketdata import load_returns
    from tsgen.marketdata.missing_values import check_missing_policy

    policy, until = check_missing_policy(missing), None if last is None else last.isoformat()
    return load_returns(source, kind=fitted.kind, missing=policy, assets=fitted.assets, until=until)
