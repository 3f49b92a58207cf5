"""`tsgen optimise`: mean-variance weights from a file of scenarios."""

from pathlib import Path
from typing import Annotated

import typer

from tsgen.cli.command_frame import CommandFrame
from tsgen.cli.commands.shared_options import DebugOption, JsonOption
from tsgen.errors import ConfigError


def optimise(  # noqa: PLR0913  (one parameter per option)
    scenarios: Annotated[
        Path, typer.Argument(metavar="SCENARIOS", help="File, or folder of parts, written by `tsgen sample`.")
    ],
    risk_aversion: Annotated[
        float, typer.Option(help="Weight of variance in mean - G/2 variance; usual values 1 to 10.")
    ],
    output: Annotated[Path, typer.Option(metavar="weights.csv", help="File for the weights; replaced if there.")],
    min_weight: Annotated[float, typer.Option(help="Smallest weight of each asset, fraction of wealth.")] = 0.0,
    max_weight: Annotated[float, typer.Option(help="Largest weight of each asset, fraction of wealth.")] = 1.0,
    previous: Annotated[
        Path | None, typer.Option(metavar="CSV", help="What is held now: columns asset, weight. Default: only cash.")
    ] = None,
    previous_column: Annotated[
        str | None, typer.Option(help="Column of --previous to use, if it has several of weights.")
    ] = None,
    cost_bps: Annotated[
        float, typer.Option(min=0.0, help="One-way trading cost in basis points of what is traded.")
    ] = 0.0,
    max_turnover: Annotated[
        float | None,
        typer.Option(min=0.0, help="Largest sum of absolute trades, fraction of wealth; needs --previous."),
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Choose mean-variance weights, fully invested, from scenarios.

    Maximises expected return - G/2 x variance - costs of simple buy-and-hold returns over the whole horizon.

    \b
    Examples:
      tsgen optimise runs/scenarios.parquet --risk-aversion 5 --output runs/weights.csv
      tsgen optimise runs/scenarios.parquet --risk-aversion 5 --max-weight 0.2 --previous held.csv \\
            --cost-bps 10 --max-turnover 0.5 --output runs/weights.csv --json

    \b
    weights.csv then holds two columns:
      asset, weight        fractions of wealth, summing to 1

    A folder of parts is read into memory, 8 bytes a number. If no weights satisfy all limits, nothing is written, the
    message names those that contradict each other, and the exit code is 4. --json prints weights, status, objective
    (decimals over the horizon) and diagnostics.
    """  # noqa: D301  (the help needs the control character)
    with CommandFrame("optimise", as_json=as_json, debug=debug) as frame:
        if max_turnover is not None and previous is None:
            raise ConfigError("--max-turnover limits trades from what is held now: give --previous CSV too.")
        from tsgen.cli import portfolio_settings
        from tsgen.cli.run_config import PortfolioSection
        from tsgen.cli.weights_file import read_weights
        from tsgen.scenario_parts import ScenarioParts
        from tsgen.scenario_set import ScenarioSet

        # typer has typed the values; whether they make sense is for the optimiser to say (NaN included)
        section = PortfolioSection.model_construct(
            risk_aversion=risk_aversion,
            min_weight=min_weight,
            max_weight=max_weight,
            max_turnover=max_turnover,
            cost_bps=cost_bps,
        )
        held = None if previous is None else read_weights(previous, column=previous_column)
        loaded = ScenarioParts.open(scenarios).load() if scenarios.is_dir() else ScenarioSet.load(scenarios)
        allocation = portfolio_settings.optimise(loaded, section, previous=held)
        allocation.to_csv(output)
        content = {
            "file": str(output),
            "weights": allocation.weights.to_dict(),
            "status": allocation.status,
            "objective": allocation.objective,
            "diagnostics": allocation.diagnostics,
        }
        numbers = allocation.diagnostics
        lines = [
            repr(allocation),
            f"expected return {numbers['expected_return']:+.2%}, volatility {numbers['volatility']:.2%} over "
            f"{numbers['horizon']} periods; cost {numbers['cost']:.4%}, turnover {numbers['turnover']:.0%}",
            f"Weights: {output}",
        ]
        frame.finish(content, lines)
