"""Constraints and statistics as JSON-able records, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from tsgen.errors import CheckpointError, ConfigError
from tsgen.reweighting import BarrierHit, DrawdownBeyond, TerminalLoss
from tsgen.steering.bound_statistic import BoundedMean, BoundStatistic, EventIndicator, TailExcess
from tsgen.steering.risk_functionals import (
    EventProbability,
    ExpectedShortfall,
    MaxDrawdown,
    PathEvent,
    PathMean,
    RealisedVolatility,
    RiskFunctional,
    TerminalReturn,
)

_PLAIN = {k.__name__: k for k in (TerminalReturn, RealisedVolatility, MaxDrawdown)}
_EVENTS = {k.__name__: k for k in (TerminalLoss, BarrierHit, DrawdownBeyond)}
_STATISTICS = {k.__name__: k for k in (BoundedMean, EventIndicator, TailExcess)}


def _weights(weights: Any) -> Any:
    return dict(weights) if isinstance(weights, Mapping) else (weights if isinstance(weights, str) else list(weights))


def functional_record(functional: RiskFunctional) -> dict[str, Any]:
    """JSON-able description of a functional.

    Raises
    ------
    ConfigError
        For a `PathMean`: a function has no description.

    Examples
    --------
    >>> functional_record(ExpectedShortfall("A", 0.9))
    {'kind': 'ExpectedShortfall', 'weights': 'A', 'level': 0.9}
    """
    if isinstance(functional, PathMean):
        raise ConfigError(
            f"{functional.label} is a function of your program and cannot be stored. Keep the program that steers, or "
            "use one of the other functionals."
        )
    if isinstance(functional, EventProbability):
        event = functional.event
        numbers = {k: v for k, v in vars(event).items() if k != "of"}
        return {"kind": "EventProbability", "event": type(event).__name__, "of": _weights(event.of), **numbers}
    record: dict[str, Any] = {"kind": type(functional).__name__, "weights": _weights(functional.weights)}
    if isinstance(functional, ExpectedShortfall):
        record["level"] = functional.level
    return record


def functional_from(record: dict[str, Any]) -> RiskFunctional:
    """Inverse of `functional_record`.

    Examples
    --------
    >>> functional_from(functional_record(MaxDrawdown([0.5, 0.5]))).weights
    (0.5, 0.5)
    """
    kind, rest = record["kind"], {k: v for k, v in record.items() if k != "kind"}
    if kind == "EventProbability":
        event: PathEvent = _EVENTS[rest.pop("event")](**rest)
        return EventProbability(event)
    if kind == "ExpectedShortfall":
        return ExpectedShortfall(rest["weights"], rest["level"])
    return _PLAIN[kind](rest["weights"])


def statistic_record(statistic: BoundStatistic) -> dict[str, Any]:
    """JSON-able description of a statistic; an absent bound is ``None``."""
    if not isinstance(statistic, (BoundedMean, EventIndicator, TailExcess)):
        raise ConfigError(f"unknown statistic {type(statistic).__name__}.")
    fields = {k: (None if isinstance(v, float) and np.isinf(v) else v) for k, v in asdict(statistic).items()}
    return {"kind": type(statistic).__name__, **fields}


def statistic_from(record: dict[str, Any]) -> BoundStatistic:
    """Inverse of `statistic_record`; raises `CheckpointError` for an unknown kind."""
    fields = dict(record)
    kind = fields.pop("kind")
    if kind not in _STATISTICS:
        raise CheckpointError(f"unknown statistic {kind!r}: the folder was written by another version. Steer again.")
    if kind != "EventIndicator":
        fields["lower"] = -np.inf if fields["lower"] is None else fields["lower"]
        fields["upper"] = np.inf if fields["upper"] is None else fields["upper"]
    return _STATISTICS[kind](**fields)
