"""`tsgen fit`: a generator from market data."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from tsgen.cli.command_frame import CommandFrame
from tsgen.cli.commands.shared_options import (
    DebugOption,
    DeviceOption,
    JsonOption,
    KindOption,
    MissingOption,
    SeedOption,
    UntilOption,
    as_date,
)
from tsgen.errors import ConfigError


def fit(  # noqa: PLR0913  (one parameter per option)
    data: Annotated[str, typer.Argument(help="Catalogue name such as us_stocks, or a CSV or Parquet file of prices.")],
    output: Annotated[Path, typer.Option(metavar="GENERATOR_DIR", help="Folder for the generator; replaced if there.")],
    preset: Annotated[
        str, typer.Option(help="'default', 'fast' (closed form only) or 'paper' (published model).")
    ] = "default",
    until: UntilOption = None,
    kind: KindOption = "log",
    assets: Annotated[
        str | None, typer.Option(help="Comma-separated names, in the order wanted. Default: all.")
    ] = None,
    missing: MissingOption = "error",
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Fit a generator of return scenarios to one history of prices.

    \b
    Examples:
      tsgen fit us_stocks --until 2013-12-31 --output runs/generator
      tsgen fit prices.csv --preset fast --assets "AAPL,MSFT" --output runs/generator --json

    \b
    DATA holds prices, one column per asset, dates as YYYY-MM-DD in a column "date" or the first one; at least 201 rows.
    GENERATOR_DIR then holds:
      weights.safetensors  numbers of the fitted model
      generator.json       settings, assets, return kind, training span, data fingerprint, held-out record of
                           every candidate (loss per coordinate with its standard error), versions, digests

    Nothing after --until is read by any fit. --json prints the record of the generator.
    """  # noqa: D301  (the help needs the control character)
    with CommandFrame("fit", as_json=as_json, debug=debug) as frame:
        from tsgen.cli.generator_settings import generator_config
        from tsgen.cli.panel_loading import load_panel, names_of
        from tsgen.cli.run_config import DataSection, GeneratorSection

        values: dict[str, Any] = {"source": data, "kind": kind, "missing": missing, "assets": names_of(assets)}
        try:
            wanted = DataSection(train_until=as_date(until, option="--until"), **values)
            section = GeneratorSection.model_validate({"preset": preset, "seed": seed, "device": device})
        except ValidationError as error:
            raise ConfigError(_explained(error)) from error
        settings = generator_config(section)
        train = load_panel(wanted, test=False).train
        from tsgen.generator import fit_generator

        generator = fit_generator(train, settings, seed=seed, device=device, progress=frame.progress)
        generator.save(output)
        dropped = train.provenance["missing"]
        lines = [repr(generator), *_dropped_lines(dropped), f"Generator: {output}"]
        frame.finish(_content(generator, output) | {"missing": dropped}, lines)


def _explained(error: ValidationError) -> str:
    return "; ".join(
        f"--{e['loc'][0]}: {e['msg'][0].lower()}{e['msg'][1:]}; got {e['input']!r}" for e in error.errors()
    )


def _dropped_lines(dropped: dict[str, Any]) -> list[str]:
    """One line where missing prices cost assets or dates."""
    lost = [f"{len(dropped['dropped_assets'])} assets ({', '.join(dropped['dropped_assets'][:5])})"]
    lost = lost if dropped["dropped_assets"] else []
    lost += [f"{dropped['n_dropped_dates']} dates"] if dropped["n_dropped_dates"] else []
    return [f"Dropped for missing prices (--missing {dropped['policy']}): {' and '.join(lost)}"] if lost else []


def _content(generator: Any, output: Path) -> dict[str, Any]:
    record = generator.record
    return {
        "folder": str(output),
        "assets": list(record.assets),
        "kind": record.kind,
        "frequency": record.frequency,
        "training_start": record.training_start.isoformat(),
        "training_cutoff": record.training_cutoff.isoformat(),
        "n_observations": record.n_observations,
        "fingerprint": record.fingerprint,
        "seed": record.seed,
        "comparisons": record.comparisons,
    }
