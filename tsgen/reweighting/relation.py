"""Relations between an expectation and its target, and the checks that every view shares.

A relation fixes the sign of a multiplier: at least (``>=``) pulls upwards only, at most (``<=``) downwards only.
"""

import math
from typing import Literal

from tsgen.errors import ConfigError

Relation = Literal["==", "<=", ">="]
RELATIONS: tuple[Relation, ...] = ("==", "<=", ">=")


def check_relation(relation: str) -> Relation:
    """Return ``relation`` if it is ``"=="``, ``"<="`` or ``">="``; raise `ConfigError` otherwise.

    Examples
    --------
    >>> check_relation(">=")
    '>='
    """
    if relation not in RELATIONS:
        raise ConfigError(f"relation must be '==', '<=' or '>=': got {relation!r}.")
    return relation


def check_number(value: float, what: str, *, lowest: float = -math.inf, highest: float = math.inf) -> float:
    """Return a finite number inside a closed range as float; raise `ConfigError` otherwise.

    Examples
    --------
    >>> check_number(1, "target", lowest=0.0)
    1.0
    """
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what} must be a number: got {value!r}.") from error
    if not math.isfinite(number) or not lowest <= number <= highest:
        raise ConfigError(f"{what} must be a finite number in [{lowest:g}, {highest:g}]: got {number:g}.")
    return number


def check_positive(value: float, what: str) -> float:
    """Return a finite number above zero as float; raise `ConfigError` otherwise.

    Examples
    --------
    >>> check_positive(0.2, "target")
    0.2
    """
    number = check_number(value, what)
    if number <= 0:
        raise ConfigError(f"{what} must be above zero: got {number:g}.")
    return number


def check_tail_level(level: float) -> float:
    """Return a confidence level strictly between 0 and 1; raise `ConfigError` otherwise.

    Examples
    --------
    >>> check_tail_level(0.95)
    0.95
    """
    number = check_number(level, "level")
    if not 0.0 < number < 1.0:
        raise ConfigError(
            f"level must be a confidence level strictly between 0 and 1: got {number:g}. "
            "Use level=0.95 for the worst 5 % of outcomes."
        )
    return number
