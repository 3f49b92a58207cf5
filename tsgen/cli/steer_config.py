"""The configuration of `tsgen steer`: TOML in, a frozen and validated model and steering objects out."""

import tomllib
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tsgen.cli.run_config import Count, Finite, Seed, WholeDate
from tsgen.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from tsgen.steering import RiskConstraint, SteeringConfig
    from tsgen.steering.risk_functionals import RiskFunctional

FunctionalName = Literal[
    "terminal_return", "realised_volatility", "max_drawdown", "expected_shortfall", "event_probability"
]
_EVENT_KEYS = {"terminal_loss": "loss", "barrier_hit": "barrier", "drawdown_beyond": "depth"}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@final
class HistorySection(_Section):
    """Where the paths start."""

    source: str
    until: WholeDate | None = None
    missing: Literal["error", "drop_dates", "drop_assets", "align"] = "error"


@final
class ConstraintSection(_Section):
    """One constraint."""

    functional: FunctionalName
    relation: Literal["==", "<=", ">="]
    level: Finite
    weights: str | dict[str, Finite] | None = None
    confidence: Finite | None = None
    event: Literal["terminal_loss", "barrier_hit", "drawdown_beyond"] | None = None
    loss: Finite | None = None
    barrier: Finite | None = None
    depth: Finite | None = None


@final
class SettingsSection(_Section):
    """Overrides of `tsgen.steering.SteeringConfig`."""

    n_steps: int | None = None
    n_paths: int | None = None
    n_iterations: int | None = None
    n_certificate_paths: int | None = None
    bound_deviations: Finite | None = None
    n_candidates: int | None = None
    covariance_correction: bool | None = None
    block_size: int | None = None
    n_workers: int | None = None


@final
class SteeredScenariosSection(_Section):
    """Scenarios to write beside the steered generator."""

    n: Annotated[int, Field(ge=0)] = 2000
    seed: Seed = 0


@final
class SteeredOutputSection(_Section):
    """Where the results go."""

    folder: str = "runs/steered"


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@final
class SteerConfig(_Section):
    r"""A steering task.

    Examples
    --------
    >>> parse_steer_config('generator = "g"\nhorizon = 5').horizon
    5
    """

    generator: str
    horizon: Count
    seed: Seed = 0
    history: HistorySection | None = None
    constraints: Annotated[tuple[ConstraintSection, ...], BeforeValidator(_as_tuple)] = ()
    settings: SettingsSection = SettingsSection()
    scenarios: SteeredScenariosSection = SteeredScenariosSection()
    output: SteeredOutputSection = SteeredOutputSection()


def default_steer_text() -> str:
    """The embedded example as commented TOML."""
    return (files("tsgen.cli") / "steer.toml").read_text(encoding="utf-8")


def parse_steer_config(text: str, *, origin: str = "configuration") -> SteerConfig:
    r"""Read a configuration.

    Raises
    ------
    ConfigError
        If it is not TOML, a key is unknown or a value has the wrong type or range.

    Examples
    --------
    >>> parse_steer_config('generator = "g"\nhorzon = 5')
    Traceback (most recent call last):
    ...
    tsgen.errors.ConfigError: configuration: 'horizon' is required. Compare with `tsgen steer --print-default`...
    """
    try:
        return SteerConfig.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{origin} is not valid TOML: {error}. Compare with `tsgen steer --print-default`."
        ) from error
    except ValidationError as error:
        raise ConfigError("\n".join(f"{origin}: {_explained(e)}" for e in error.errors())) from error


def load_steer_config(path: Path) -> SteerConfig:
    """The configuration of a file; relative paths in it start at its folder.

    Raises
    ------
    StorageError
        If there is no such file or it is not UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(
            f"cannot read the configuration {path}: {getattr(error, 'strerror', None) or error}. Give the path of a "
            "TOML file; `tsgen steer --print-default` shows one."
        ) from error
    config = parse_steer_config(text, origin=path.name)
    return config.model_copy(update={"generator": str(path.parent / config.generator)})


def _explained(error: Any) -> str:
    location = [str(p) for p in error["loc"] if not isinstance(p, int)]
    name = ".".join(location)
    if error["type"] == "extra_forbidden":
        known = sorted(_known_keys(location[:-1]))
        close = get_close_matches(location[-1], known, n=2)
        hint = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
        return f"unknown key {name!r}.{hint} Known keys: {', '.join(known)}."
    if error["type"] == "missing":
        return f"{name!r} is required. Compare with `tsgen steer --print-default`."
    return f"{name!r}: {error['msg'][0].lower()}{error['msg'][1:]}; got {error['input']!r}."


def _known_keys(location: list[str]) -> list[str]:
    sections: dict[str, type[BaseModel]] = {
        "history": HistorySection,
        "constraints": ConstraintSection,
        "settings": SettingsSection,
        "scenarios": SteeredScenariosSection,
        "output": SteeredOutputSection,
    }
    return list((sections[location[0]] if location else SteerConfig).model_fields)


def constraint_of(section: ConstraintSection, assets: tuple[str, ...]) -> "RiskConstraint":
    """Constraint of a section; left-out weights are equal ones.

    Raises
    ------
    ConfigError
        If keys do not belong together, or a value is out of range.
    """
    from tsgen.steering import RiskConstraint

    return RiskConstraint(_functional(section, assets), section.relation, section.level)


def _functional(section: ConstraintSection, assets: tuple[str, ...]) -> "RiskFunctional":
    from tsgen import steering

    weights = dict.fromkeys(assets, 1.0 / len(assets)) if section.weights is None else section.weights
    _check_keys(section)
    match section.functional:
        case "terminal_return":
            return steering.TerminalReturn(weights)
        case "realised_volatility":
            return steering.RealisedVolatility(weights)
        case "max_drawdown":
            return steering.MaxDrawdown(weights)
        case "expected_shortfall":
            return steering.ExpectedShortfall(weights, 0.95 if section.confidence is None else section.confidence)
        case "event_probability":
            if section.event == "terminal_loss":
                return steering.EventProbability(steering.TerminalLoss(of=weights, loss=section.loss or 0.0))
            if section.event == "barrier_hit":
                return steering.EventProbability(steering.BarrierHit(of=weights, barrier=section.barrier or 0.0))
            return steering.EventProbability(steering.DrawdownBeyond(of=weights, depth=section.depth or 0.0))


def _check_keys(section: ConstraintSection) -> None:
    """Only the keys that the functional reads, and all that it needs."""
    given = {key for key in ("event", "loss", "barrier", "depth", "confidence") if getattr(section, key) is not None}
    needed: set[str] = set()
    if section.functional == "event_probability":
        if section.event is None:
            raise ConfigError(f"an event_probability needs an event: one of {', '.join(_EVENT_KEYS)}.")
        needed = {"event", _EVENT_KEYS[section.event]}
    allowed = needed | ({"confidence"} if section.functional == "expected_shortfall" else set())
    if given - allowed or needed - given:
        raise ConfigError(
            f"a constraint on {section.functional}{f' {section.event}' if section.event else ''} reads "
            f"{', '.join(sorted(allowed)) or 'no further keys'}: got {', '.join(sorted(given)) or 'none'}."
        )


def steering_settings(section: SettingsSection) -> "SteeringConfig":
    """Settings of the steering; raises `ConfigError` if one is out of range.

    Examples
    --------
    >>> steering_settings(SettingsSection(n_steps=8)).n_steps
    8
    """
    from tsgen.steering import SteeringConfig

    return SteeringConfig(**section.model_dump(exclude_none=True))
