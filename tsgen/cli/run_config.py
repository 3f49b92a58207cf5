"""The configuration of a run: TOML in, frozen and validated models out; unknown keys are refused by name.

Whether numbers make sense *together* is decided by the objects that use them (`GeneratorConfig`, `Bounds`, ...),
whose messages travel on.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, final

from pydantic import Field

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


@final
class DataSection(Section):
    """Which returns, and what may be seen of them."""

    source: str
    kind: Literal["log", "simple"] = "log"
    train_until: WholeDate | None = None
    missing: Literal["error", "drop_dates", "drop_assets", "align"] = "error"
    assets: Names = ()


@final
class HeadSection(Section):
    """Overrides of `tsgen.training.head_selection.HeadConfig`; what is left out comes from the preset."""

    n_components: int | None = None
    contexts: Names | None = None
    lookback: int | None = None
    width: int | None = None
    n_blocks: int | None = None
    activation: str | None = None
    anchor_is_floor: bool | None = None
    acceptance: Finite | None = None


@final
class TrainingSection(Section):
    """Overrides of `tsgen.training.training_config.TrainingConfig`."""

    max_steps: int | None = None
    batch_rows: int | None = None
    learning_rate: Finite | None = None
    weight_decay: Finite | None = None
    average_decay: Finite | None = None
    validation_fraction: Finite | None = None
    purge: int | None = None
    evaluate_every: int | None = None
    patience: int | None = None
    early_stopping: Literal["held_out", "ntk"] | None = None


@final
class SamplerSection(Section):
    """Overrides of `tsgen.sampling.sampler_config.SamplerConfig`."""

    scheme: str | None = None
    n_steps: int | None = None
    block_size: int | None = None


@final
class GeneratorSection(Section):
    """Preset and what differs from it."""

    preset: Literal["default", "paper", "fast"] = "default"
    seed: Seed = 0
    device: str = "cpu"
    whitening: Literal["conditional", "factor", "identity"] | None = None
    head: HeadSection = HeadSection()
    training: TrainingSection = TrainingSection()
    sampler: SamplerSection = SamplerSection()


@final
class ScenariosSection(Section):
    """How many scenarios, how long, from which seed."""

    n: Count = 2000
    horizon: Count = 21
    seed: Seed = 0
    workers: Count = 1


@final
class GroupSection(Section):
    """One limit on the total weight of some assets."""

    members: Names
    name: str = ""
    lower: Finite | None = None
    upper: Finite | None = None


@final
class PortfolioSection(Section):
    """Objective, limits and costs."""

    risk_aversion: Finite = 5.0
    min_weight: Finite = 0.0
    max_weight: Finite = 1.0
    groups: Annotated[tuple[GroupSection, ...], AS_TUPLE] = ()
    max_turnover: Finite | None = None
    cost_bps: Annotated[Finite, Field(ge=0)] = 0.0
    previous: str | None = None
    previous_column: str | None = None


@final
class OutputSection(Section):
    """Where the run folder goes."""

    folder: str = "runs/latest"


@final
class RunConfig(Section):
    r"""A whole run.

    Examples
    --------
    >>> parse_run_config('[data]\nsource = "sample"').scenarios.horizon
    21
    """

    data: DataSection
    generator: GeneratorSection = GeneratorSection()
    scenarios: ScenariosSection = ScenariosSection()
    portfolio: PortfolioSection = PortfolioSection()
    output: OutputSection = OutputSection()

    def facts(self) -> dict[str, Any]:
        """JSON-able content without the output folder; of paths only the file name: digests say which file it was."""
        content = json.loads(self.model_dump_json())
        content["data"]["source"] = portable(self.data.source)
        content["portfolio"]["previous"] = (
            None if self.portfolio.previous is None else portable(self.portfolio.previous)
        )
        del content["output"]
        return content


def default_config_text() -> str:
    """The embedded default as commented TOML."""
    return embedded_text("default.toml")


def parse_run_config(text: str, *, origin: str = "configuration") -> RunConfig:
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
        If it is not TOML, a key is unknown (the message names close ones) or a value has the wrong type or range.

    Examples
    --------
    >>> parse_run_config('[data]\nsource = "sample"\n[scenarios]\nhorzon = 5')
    Traceback (most recent call last):
    ...
    tsgen.errors.ConfigError: configuration: unknown key 'horzon' in [scenarios]. Did you mean 'horizon'? Known ...
    """
    return validated(RunConfig, text, origin=origin, command="tsgen run")


def load_run_config(path: Path | None) -> RunConfig:
    """The configuration of a file, or the embedded default; relative paths in a file start at its folder.

    Raises
    ------
    StorageError
        If there is no such file or it is not UTF-8 text.
    """
    if path is None:
        return parse_run_config(default_config_text(), origin="the embedded default")
    text = config_text(path, advice="Give the path of a TOML file, or no path for the embedded default.")
    config = parse_run_config(text, origin=path.name)
    previous = config.portfolio.previous
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"source": beside(path, config.data.source)}),
            "portfolio": config.portfolio.model_copy(
                update={"previous": None if previous is None else beside(path, previous)}
            ),
        }
    )
