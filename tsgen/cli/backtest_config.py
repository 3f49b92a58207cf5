"""The configuration of a backtest: TOML in, frozen and validated models out; unknown keys are refused by name."""

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, final

from pydantic import Field

from tsgen.cli.baseline_choice import BASELINES
from tsgen.cli.run_config import GeneratorSection
from tsgen.cli.toml_config import (
    AS_TUPLE,
    Count,
    Finite,
    Names,
    Section,
    Seed,
    WholeDate,
    beside,
    config_text,
    embedded_text,
    portable,
    validated,
)
from tsgen.errors import ConfigError

EQUAL, HISTORICAL, SHRUNK, OWN = "equal-weight", "historical-moments", "ledoit-wolf", "tsgen"
STRATEGIES = (EQUAL, HISTORICAL, SHRUNK, OWN, *BASELINES)


@final
class BacktestData(Section):
    """Which returns; how much of them a decision sees is the backtest's business."""

    source: str
    kind: Literal["log", "simple"] = "log"
    missing: Literal["error", "drop_dates", "drop_assets", "align"] = "error"
    assets: Names = ()


Objectives = Annotated[
    tuple[Literal["mean-variance", "mean-cvar"], ...],
    AS_TUPLE,
    Field(min_length=1),
]


@final
class BacktestSection(Section):
    """When what is decided, and how it is traded."""

    start: WholeDate
    end: WholeDate | None = None
    strategies: Names = (EQUAL, HISTORICAL, OWN)
    objectives: Objectives = ("mean-variance",)
    rebalance: Literal["daily", "weekly", "monthly", "quarterly", "yearly"] = "monthly"
    lag: int = 1
    horizon: Count = 21
    n_scenarios: Count = 2000
    retrain: Literal["never", "monthly", "quarterly", "yearly"] = "never"
    seed: Seed = 0
    workers: Count = 1


@final
class BacktestPortfolio(Section):
    """Objectives, limits and costs."""

    risk_aversion: Finite = 5.0
    cvar_aversion: Finite = 0.12
    cvar_level: Annotated[Finite, Field(gt=0, lt=1)] = 0.95
    min_weight: Finite = 0.0
    max_weight: Finite = 1.0
    max_turnover: Finite | None = None
    cost_bps: Annotated[Finite, Field(ge=0)] = 10.0


@final
class BacktestOutput(Section):
    """Where the results go."""

    folder: str = "runs/backtest"


@final
class BacktestConfig(Section):
    r"""A whole backtest.

    Examples
    --------
    >>> parse_backtest_config('[data]\nsource = "sample"\n[backtest]\nstart = 2018-01-02').backtest.lag
    1
    """

    data: BacktestData
    generator: GeneratorSection = GeneratorSection()
    backtest: BacktestSection
    portfolio: BacktestPortfolio = BacktestPortfolio()
    output: BacktestOutput = BacktestOutput()

    def facts(self) -> dict[str, Any]:
        """JSON-able content without what cannot change results; of paths only the file name."""
        content = json.loads(self.model_dump_json())
        content["data"]["source"] = portable(self.data.source)
        del content["output"], content["backtest"]["workers"]
        return content


def default_backtest_text() -> str:
    """The embedded default as commented TOML."""
    return embedded_text("backtest.toml")


def parse_backtest_config(text: str, *, origin: str = "configuration") -> BacktestConfig:
    r"""Read a configuration.

    Parameters
    ----------
    text : str
        TOML.
    origin : str
        Named in messages.

    Raises
    ------
    ConfigError
        If it is not TOML, a key or strategy is unknown (the message names close ones) or a value has the wrong type
        or range.

    Examples
    --------
    >>> parse_backtest_config('[data]\nsource = "sample"\n[backtest]\nstart = 2018-01-02\nlagg = 2')
    Traceback (most recent call last):
    ...
    tsgen.errors.ConfigError: configuration: unknown key 'lagg' in [backtest]. Did you mean 'lag'? Known keys: ...
    """
    config = validated(BacktestConfig, text, origin=origin, command="tsgen backtest")
    _check_strategies(config.backtest.strategies, origin)
    if len(set(config.backtest.objectives)) < len(config.backtest.objectives):
        raise ConfigError(f"{origin}: 'objectives' in [backtest] name one twice. Name each once.")
    return config


def load_backtest_config(path: Path) -> BacktestConfig:
    """The configuration of a file; a relative path of data in it starts at its folder.

    Raises
    ------
    StorageError
        If there is no such file or it is not UTF-8 text.
    """
    text = config_text(path, advice="Give the path of a TOML file; `tsgen backtest --print-default` prints one.")
    config = parse_backtest_config(text, origin=path.name)
    source = beside(path, config.data.source)
    return config.model_copy(update={"data": config.data.model_copy(update={"source": source})})


def _check_strategies(names: tuple[str, ...], origin: str) -> None:
    for name in names:
        if name not in STRATEGIES:
            near = get_close_matches(name, STRATEGIES, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{origin}: unknown strategy {name!r}.{hint} Known are {', '.join(STRATEGIES)}.")
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"{origin}: 'strategies' in [backtest] must name at least one, each once: got {list(names)}.")
