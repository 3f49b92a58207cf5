"""The configuration of `tsgen steer`: TOML in, a frozen and validated model and steering objects out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, final

from pydantic import Field

from tsgen.cli.toml_config import (
    AS_TUPLE,
    Count,
    Finite,
    Section,
    Seed,
    WholeDate,
    beside,
    config_text,
    embedded_text,
    validated,
)
from tsgen.errors import ConfigError

if TYPE_CHECKING:
    from tsgen.steering import RiskConstraint, SteeringConfig
    from tsgen.steering.risk_functionals import RiskFunctional

FunctionalName = Literal[
    "terminal_return", "realised_volatility", "max_drawdown", "expected_shortfall", "event_probability"
]
_EVENT_KEYS = {"terminal_loss": "loss", "barrier_hit": "barrier", "drawdown_beyond": "depth"}


@final
class HistorySection(Section):
    """Where the paths start."""

    source: str
    until: WholeDate | None = None
    missing: Literal["error", "drop_dates", "drop_assets", "align"] = "error"


@final
class ConstraintSection(Section):
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
class SettingsSection(Section):
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
class SteeredScenariosSection(Section):
    """Scenarios to write beside the steered generator."""

    n: Annotated[int, Field(ge=0)] = 2000
    seed: Seed = 0


@final
class SteeredOutputSection(Section):
    """Where the results go."""

    folder: str = "runs/steered"


@final
class SteerConfig(Section):
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
    constraints: Annotated[tuple[ConstraintSection, ...], AS_TUPLE] = ()
    settings: SettingsSection = SettingsSection()
    scenarios: SteeredScenariosSection = SteeredScenariosSection()
    output: SteeredOutputSection = SteeredOutputSection()


def default_steer_text() -> str:
    """The embedded example as commented TOML."""
    return embedded_text("steer.toml")


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
    return validated(SteerConfig, text, origin=origin, command="tsgen steer")


def load_steer_config(path: Path) -> SteerConfig:
    """The configuration of a file; relative paths in it start at its folder.

    Raises
    ------
    StorageError
        If there is no such file or it is not UTF-8 text.
    """
    text = config_text(path, advice="Give the path of a TOML file; `tsgen steer --print-default` shows one.")
    config = parse_steer_config(text, origin=path.name)
    history = config.history
    if history is not None:
        history = history.model_copy(update={"source": beside(path, history.source)})
    return config.model_copy(update={"generator": str(path.parent / config.generator), "history": history})


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
