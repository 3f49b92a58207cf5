"""The configuration of a run: TOML in, frozen and validated models out; unknown keys are refused by name.

Pydantic stays at this border. Whether numbers make sense *together* is decided by the objects that use
them (`GeneratorConfig`, `Bounds`, ...), whose messages travel on.
"""

import json
import tomllib
from datetime import date, datetime
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tsgen.errors import ConfigError, StorageError


def _whole_date(value: Any) -> Any:
    """A TOML date, or the same in quotes; a time of day or half a date is refused."""
    if isinstance(value, datetime):
        raise ValueError("expected a date without time of day, such as 2013-12-31")
    if isinstance(value, str):
        try:
            return date.fromisoformat(value) if len(value) == 10 else value
        except ValueError as error:
            raise ValueError(f"expected a date such as 2013-12-31: {error}") from error
    return value


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


WholeDate = Annotated[date, BeforeValidator(_whole_date)]
Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@final
class DataSection(_Section):
    """Which returns, and what may be seen of them."""

    source: str
    kind: Literal["log", "simple"] = "log"
    train_until: WholeDate | None = None
    missing: Literal["error", "drop_dates", "drop_assets", "align"] = "error"
    assets: Names = ()


@final
class HeadSection(_Section):
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
class TrainingSection(_Section):
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
class SamplerSection(_Section):
    """Overrides of `tsgen.sampling.sampler_config.SamplerConfig`."""

    scheme: str | None = None
    n_steps: int | None = None
    block_size: int | None = None


@final
class GeneratorSection(_Section):
    """Preset and what differs from it."""

    preset: Literal["default", "paper", "fast"] = "default"
    seed: Seed = 0
    device: str = "cpu"
    whitening: Literal["conditional", "factor", "identity"] | None = None
    head: HeadSection = HeadSection()
    training: TrainingSection = TrainingSection()
    sampler: SamplerSection = SamplerSection()


@final
class ScenariosSection(_Section):
    """How many scenarios, how long, from which seed."""

    n: Count = 2000
    horizon: Count = 21
    seed: Seed = 0
    workers: Count = 1


@final
class GroupSection(_Section):
    """One limit on the total weight of some assets."""

    members: Names
    name: str = ""
    lower: Finite | None = None
    upper: Finite | None = None


@final
class PortfolioSection(_Section):
    """Objective, limits and costs."""

    risk_aversion: Finite = 5.0
    min_weight: Finite = 0.0
    max_weight: Finite = 1.0
    groups: Annotated[tuple[GroupSection, ...], BeforeValidator(_as_tuple)] = ()
    max_turnover: Finite | None = None
    cost_bps: Annotated[Finite, Field(ge=0)] = 0.0
    previous: str | None = None
    previous_column: str | None = None


@final
class OutputSection(_Section):
    """Where the run folder goes."""

    folder: str = "runs/latest"


@final
class RunConfig(_Section):
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


def portable(path: str) -> str:
    """The name of a file without its folders; a catalogue name stays as it is.

    Examples
    --------
    >>> portable("us_stocks"), portable("/home/me/prices.csv")
    ('us_stocks', 'prices.csv')
    """
    return Path(path).name


def default_config_text() -> str:
    """The embedded default as commented TOML."""
    return (files("tsgen.cli") / "default.toml").read_text(encoding="utf-8")


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
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin} is not valid TOML: {error}. Compare with `tsgen run --print-default`.") from error
    try:
        return RunConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{origin}: {_explained(e)}" for e in error.errors())) from error


def load_run_config(path: Path | None) -> RunConfig:
    """The configuration of a file, or the embedded default; relative paths in a file start at its folder.

    Raises
    ------
    StorageError
        If there is no such file or it is not UTF-8 text.
    """
    if path is None:
        return parse_run_config(default_config_text(), origin="the embedded default")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(
            f"cannot read the configuration {path}: {getattr(error, 'strerror', None) or error}. Give the path of a "
            "TOML file, or no path for the embedded default."
        ) from error
    config = parse_run_config(text, origin=path.name)
    previous = config.portfolio.previous
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"source": _beside(path, config.data.source)}),
            "portfolio": config.portfolio.model_copy(
                update={"previous": None if previous is None else _beside(path, previous)}
            ),
        }
    )


def _beside(config: Path, source: str) -> str:
    is_file = Path(source).suffix.lower() in (".csv", ".parquet") and not Path(source).is_absolute()
    return str(config.parent / source) if is_file else source


def _section_of(location: tuple[Any, ...]) -> tuple[str, type[BaseModel]]:
    """Name of the section at ``location`` and its model."""
    model: type[BaseModel] = RunConfig
    for part in location:
        field = model.model_fields.get(str(part))
        found = None if field is None else field.annotation
        if part == "groups":
            found = GroupSection
        if isinstance(found, type) and issubclass(found, BaseModel):
            model = found
    return ".".join(str(p) for p in location if not isinstance(p, int)), model


def _explained(error: Any) -> str:
    *parents, key = error["loc"]
    section, model = _section_of(tuple(parents))
    where = f" in [{section}]" if section else ""
    if error["type"] == "extra_forbidden":
        known = list(model.model_fields)
        close = get_close_matches(str(key), known, n=2)
        hint = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
        return f"unknown key {str(key)!r}{where}.{hint} Known keys: {', '.join(known)}."
    if error["type"] == "missing":
        return f"{key!r}{where} is required. Compare with `tsgen run --print-default`."
    return f"{key!r}{where}: {error['msg'][0].lower()}{error['msg'][1:]}; got {error['input']!r}."
