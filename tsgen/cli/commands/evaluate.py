"""`tsgen evaluate`: a scorecard of a stored model on data that it has not seen."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsgen.cli.command_frame import CommandFrame
from tsgen.cli.commands.shared_options import DebugOption, JsonOption, MissingOption, SeedOption, as_date
from tsgen.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from tsgen.cli.baseline_choice import FittedBaselines
    from tsgen.cli.evaluation_inputs import EvaluationData
    from tsgen.evaluation.evaluation_config import EvaluationConfig
    from tsgen.evaluation.scorecard import Scorecard

_PERIODS = 20


def evaluate(  # noqa: PLR0913  (one parameter per option)
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Folder of a generator or baseline, or a SCENARIOS.parquet.")
    ],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Catalogue name, or a CSV or Parquet file of prices.")],
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="YYYY-MM-DD", help="First date that is evaluated. Default: after the training cut-off."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Last date that is evaluated. Default: the last there is.")
    ] = None,
    history: Annotated[
        str | None, typer.Option(metavar="DATA", help="Prices before DATA, if they are in another file.")
    ] = None,
    baselines: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Comma-separated names from the list above, or 'all'. Default: none."),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Periods per window on which laws of paths are compared. [default: 20]")
    ] = None,
    scenarios: Annotated[int, typer.Option(min=2, help="Scenarios per window.")] = 32,
    daily_scenarios: Annotated[int, typer.Option(min=99, help="Scenarios of every daily one-step forecast.")] = 500,
    daily_dates: Annotated[
        int, typer.Option(min=0, help="Daily forecasts on the last so many dates, at least 50; 0: no daily forecasts.")
    ] = 2500,
    null_worlds: Annotated[int, typer.Option(min=19, help="Pseudo-real samples behind every floor.")] = 99,
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for scorecard.json and scorecard.html.")
    ] = None,
    missing: MissingOption = "error",
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Judge a model on data it has not seen: good or not, compared with what, and is the difference real.

    \b
    Examples:
      tsgen evaluate runs/generator us_stocks --baselines stationary-bootstrap,fhs-garch --output runs/scorecard
      tsgen evaluate runs/generator us_stocks --from 2020-01-02 --baselines all --json
      tsgen evaluate runs/scenarios.parquet us_stocks          (fixed scenarios, judged as unconditional paths)

    \b
    A generator is re-conditioned on the history at every as-of date: for windows of 20 periods that do not overlap
    (laws of paths) and for daily one-step forecasts (calibration, value at risk, expected shortfall).
    Baselines are fitted on everything up to the training cut-off of the model and judged on the same dates:
      iid-gaussian, student-t-copula, stationary-bootstrap, block-bootstrap, fhs-ewma, fhs-garch, fhs-gjr,
      garch-ccc, garch-dcc, var, arma, gaussian-process, regurgitation (replays its training data)

    \b
    How to read the result:
      floor         what the true law itself would score with samples of the same sizes: no model can do better
      at floor      no fault was found; above floor: further away than noise explains (5 % level)
      below floor   closer to the data than the data are to themselves: suspicious, as if it had seen them
      pass, reject  tests that have no distance; report: shown, not judged
      scores        from 0 to 1: 1 at the floor, 1/2 seven deviations above it; groups are means, overall a weighted
                    mean, capped if a gate failed (a forecast that sees the future, replayed training data)
      differences   of proper scores, model minus baseline: negative favours the model; each with its standard error
    A poor score is a result, not an error: the exit code is then 0, too.

    \b
    FOLDER then holds:
      scorecard.json   every metric with value, floor, standard error, verdict; read with Scorecard.from_json
      scorecard.html   the same with charts and stylised facts; opens offline in a browser

    Returns are decimals per period in the convention of the model. --json prints scores, files and the whole card.
    """  # noqa: D301  (the help needs the control character)
    with CommandFrame("evaluate", as_json=as_json, debug=debug) as frame:
        first, last = as_date(start, option="--from"), as_date(until, option="--until")
        if 0 < daily_dates < 50:
            raise ConfigError(f"--daily-dates must be 0 or at least 50, or no test has power: got {daily_dates}.")
        from tsgen.cli.baseline_choice import FittedBaselines, baseline_names, fit_baselines
        from tsgen.cli.evaluation_inputs import load_data, load_model, training_part
        from tsgen.evaluation.evaluation_config import EvaluationConfig
        from tsgen.evaluation.world_comparison import ComparisonEffort

        if output is not None and output.is_file():
            raise StorageError(f"--output {output} is a file, expected a folder or a free name. Choose another one.")
        names = baseline_names(baselines)
        settings = EvaluationConfig(
            horizon=horizon or _PERIODS,
            n_scenarios=scenarios,
            n_daily_scenarios=daily_scenarios,
            max_daily_dates=max(daily_dates, 50),
            daily=daily_dates > 0,
            effort=ComparisonEffort(null_worlds=null_worlds),
        )
        judged = load_model(model)
        _check_horizon(judged, horizon)
        given = load_data(judged, data, history=history, start=first, until=last, missing=missing)
        fitted = FittedBaselines({}, {})
        if names:
            training = training_part(judged, given, warm_up=settings.warm_up)
            fitted = fit_baselines(names, training, progress=frame.progress, strict=baselines != "all")
        from_option = start is not None
        card = _card(judged, given, fitted, settings, seed=seed, frame=frame, cut_here=from_option)
        files = {} if output is None else _written(card, output)
        frame.finish(_content(card, files), _lines(card, files))


def _check_horizon(model: Any, horizon: int | None) -> None:
    from tsgen.scenario_set import ScenarioSet

    if isinstance(model, ScenarioSet) and horizon not in (None, model.horizon):
        raise ConfigError(
            f"--horizon {horizon} does not fit: these scenarios have {model.horizon} periods. Leave --horizon out."
        )


def _card(
    model: Any,
    given: "EvaluationData",
    fitted: "FittedBaselines",
    settings: "EvaluationConfig",
    *,
    seed: int,
    frame: CommandFrame,
    cut_here: bool,
) -> "Scorecard":
    import tsgen
    from tsgen.evaluation.scorecard import SkippedMetrics
    from tsgen.scenario_set import ScenarioSet

    # fixed scenarios have no use for a history: --from only says which returns are real
    history = None if cut_here and isinstance(model, ScenarioSet) else given.history
    card = tsgen.evaluate(
        model,
        given.data,
        baselines=fitted.models,
        seed=seed,
        history=history,
        progress=frame.progress,
        config=settings,
    )
    refused = [SkippedMetrics(f"baseline {name}", reason) for name, reason in fitted.refused.items()]
    return replace(
        card,
        skipped=(*card.skipped, *refused),
        facts=card.facts | {"data": given.data.source, "assets": list(given.data.assets), "kind": given.data.kind},
    )


def _written(card: "Scorecard", folder: Path) -> dict[str, str]:
    from tsgen.complete_files import write_text
    from tsgen.report.scorecard_page import write_scorecard

    write_text(folder / "scorecard.json", card.to_json() + "\n")
    write_scorecard(card, folder / "scorecard.html")
    return {"card": str(folder / "scorecard.json"), "page": str(folder / "scorecard.html")}


def _content(card: "Scorecard", files: dict[str, str]) -> dict[str, Any]:
    import json

    from tsgen.cli.scorecard_lines import finite_scores

    return {
        "files": files,
        "scores": finite_scores(card),
        "failed_gates": card.failed_gates,
        "scorecard": json.loads(card.to_json()),
    }


def _lines(card: "Scorecard", files: dict[str, str]) -> list[str]:
    from tsgen.cli.scorecard_lines import scorecard_lines

    shown = [f"Page: {files['page']}", f"Card: {files['card']}"] if files else []
    return [*scorecard_lines(card), *shown]
