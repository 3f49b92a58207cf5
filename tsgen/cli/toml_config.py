"""TOML in, frozen and validated models out: what the configurations of all commands share.

Pydantic stays at this border. Unknown keys are refused by name, with the close ones. Below `run_config`,
`steer_config` and `backtest_config`.
"""

import tomllib
from collections.abc import Iterator
from datetime import date, datetime
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

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


AS_TUPLE = BeforeValidator(_as_tuple)
WholeDate = Annotated[date, BeforeValidator(_whole_date)]
Names = Annotated[tuple[str, ...], AS_TUPLE]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Section(BaseModel):
    """A table of a configuration: frozen, strict in types, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


SectionT = TypeVar("SectionT", bound=Section)


def embedded_text(name: str) -> str:
    """A commented configuration that is part of the package."""
    return (files("tsgen.cli") / name).read_text(encoding="utf-8")


def config_text(path: Path, *, advice: str) -> str:
    """Text of a configuration file.

    Raises
    ------
    StorageError
        If there is no such file or it is not UTF-8 text; the message ends with ``advice``.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(
            f"cannot read the configuration {path}: {getattr(error, 'strerror', None) or error}. {advice}"
        ) from error


def validated(model: type[SectionT], text: str, *, origin: str, command: str) -> SectionT:
    r"""Read a configuration.

    Parameters
    ----------
    model : subclass of Section
    text : str
        TOML.
    origin : str
        Named in messages.
    command : str
        Its ``--print-default`` is recommended by messages.

    Raises
    ------
    ConfigError
        If it is not TOML, a key is unknown (the message names close ones) or a value has the wrong type or range.

    Examples
    --------
    >>> class Sampling(Section):
    ...     horizon: Count = 21
    >>> validated(Sampling, "horizn = 5", origin="my.toml", command="tsgen run")
    Traceback (most recent call last):
    ...
    tsgen.errors.ConfigError: my.toml: unknown key 'horizn'. Did you mean 'horizon'? Known keys: horizon.
    """
    advice = f"Compare with `{command} --print-default`."
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin} is not valid TOML: {error}. {advice}") from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = (f"{origin}: {_explained(e, model, advice)}" for e in error.errors())
        raise ConfigError("\n".join(lines)) from error


def beside(config: Path, source: str) -> str:
    """A relative CSV or Parquet file starts at the folder of the configuration; other names stay as they are.

    Examples
    --------
    >>> beside(Path("tasks/my.toml"), "prices.csv"), beside(Path("tasks/my.toml"), "us_stocks")
    ('tasks/prices.csv', 'us_stocks')
    """
    is_file = Path(source).suffix.lower() in (".csv", ".parquet") and not Path(source).is_absolute()
    return str(config.parent / source) if is_file else source


def portable(path: str) -> str:
    """The name of a file without its folders; a catalogue name stays as it is.

    Examples
    --------
    >>> portable("us_stocks"), portable("/home/me/prices.csv")
    ('us_stocks', 'prices.csv')
    """
    return Path(path).name


def _explained(error: Any, model: type[BaseModel], advice: str) -> str:
    *parents, key = error["loc"]
    section = ".".join(str(part) for part in parents if not isinstance(part, int))
    where = f" in [{section}]" if section else ""
    if error["type"] == "extra_forbidden":
        known = list(_model_at(model, parents).model_fields)
        close = get_close_matches(str(key), known, n=2)
        hint = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
        return f"unknown key {str(key)!r}{where}.{hint} Known keys: {', '.join(known)}."
    if error["type"] == "missing":
        return f"{key!r}{where} is required. {advice}"
    return f"{key!r}{where}: {error['msg'][0].lower()}{error['msg'][1:]}; got {error['input']!r}."


def _model_at(model: type[BaseModel], location: list[Any]) -> type[BaseModel]:
    """The model of the table at ``location``, also where it is optional or one of several."""
    for part in location:
        field = model.model_fields.get(str(part))
        if field is not None:
            model = next(_models_in(field.annotation), model)
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
