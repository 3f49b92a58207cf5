"""`tsgen steer`: a generator steered to risk constraints, with its certificate."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsgen.cli.command_frame import CommandFrame, succeeded
from tsgen.cli.commands.shared_options import DebugOption, JsonOption
from tsgen.errors import ConfigError

if TYPE_CHECKING:
    from tsgen.cli.steer_config import SteerConfig
    from tsgen.generator import AdaptedDiffusionGenerator
    from tsgen.marketdata import ReturnPanel

_PROGRESS = ".progress"


def steer(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG.toml", help="Steering task.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the results; default: [output] folder of the configuration.")
    ] = None,
    print_default: Annotated[bool, typer.Option("--print-default", help="Print a commented example and end.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Steer a fitted generator to risk constraints, with a certificate.

    \b
    Examples:
      tsgen steer --print-default > stress.toml   a commented task to change
      tsgen steer stress.toml --output runs/stress

    \b
    The folder then holds:
      steered/           control weights and description, for tsgen.load_steered
      certificate.json   each constraint with and without weights, divergence from the reference in nats, effective
                         paths, verdict: ok, weights-required or failed
      scenarios.parquet  returns, decimals per period, with probabilities towards the exact law

    Progress shows the certificate as it grows. A call that was interrupted goes on when the same command is given
    again. Code 1 if the verdict is failed; --json prints the certificate.
    """  # noqa: D301  (the help needs the control character)
    from tsgen.cli.steer_config import default_steer_text, load_steer_config

    if print_default:
        typer.echo(default_steer_text(), nl=False)
        return
    resumable = "Finished iterations are kept: run the same command again to resume."
    with CommandFrame("steer", as_json=as_json, debug=debug, resumable=resumable) as frame:
        if config is None:
            raise ConfigError("give a configuration: `tsgen steer --print-default` shows one.")
        settings = load_steer_config(config)
        folder = output or Path(settings.output.folder)
        certificate = _steered(settings, folder, frame)
        frame.finish(
            {"folder": str(folder), "certificate": certificate.to_dict()},
            [*certificate.lines(), "", f"All results: {folder}"],
        )
    succeeded(certificate.verdict != "failed")


def _steered(settings: "SteerConfig", folder: Path, frame: CommandFrame) -> Any:
    import shutil

    from tsgen.cli.folder_lock import folder_lock
    from tsgen.cli.steer_config import constraint_of, steering_settings
    from tsgen.complete_files import write_json
    from tsgen.generator import load_generator
    from tsgen.steering import SteeringWarning, steer

    generator = load_generator(settings.generator)
    constraints = [constraint_of(c, generator.assets) for c in settings.constraints]
    with folder_lock(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore", SteeringWarning)  # the verdict is printed
        steered = steer(
            generator,
            constraints,
            horizon=settings.horizon,
            history=_history(settings, generator),
            seed=settings.seed,
            config=steering_settings(settings.settings),
            resume=folder / _PROGRESS,
            progress=frame.progress,
        )
        steered.save(folder / "steered")
        write_json(folder / "certificate.json", steered.certificate.to_dict())
        if settings.scenarios.n:
            drawn = steered.sample(
                settings.scenarios.n,
                seed=settings.scenarios.seed,
                n_workers=steered.config.n_workers,
                progress=frame.progress,
            )
            drawn.save(folder / "scenarios.parquet")
        shutil.rmtree(folder / _PROGRESS, ignore_errors=True)
        _remove_leftovers(folder)
    return steered.certificate


def _remove_leftovers(folder: Path) -> None:
    """Half-written siblings that a killed call has left behind; the caller holds the folder's lock."""
    import shutil

    for mark in (".*.incomplete-*", ".*.replaced-*"):
        for leftover in folder.glob(mark):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


def _history(settings: "SteerConfig", generator: "AdaptedDiffusionGenerator") -> "ReturnPanel | None":
    if settings.history is None:
        return None
    from tsgen.marketdata import load_returns

    chosen = settings.history
    until = None if chosen.until is None else chosen.until.isoformat()
    return load_returns(
        chosen.source, kind=generator.kind, missing=chosen.missing, assets=generator.assets, until=until
    )
