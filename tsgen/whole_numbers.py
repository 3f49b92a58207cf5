"""Counts that users pass: Python or NumPy integers, refused with a reason, kept as Python's."""

from typing import Any

import numpy as np

from tsgen.errors import ConfigError

_WORDS = {0: "a non-negative integer", 1: "a positive integer"}


def whole_number(value: object, name: str, *, least: int = 1, of: str = "") -> int:
    """Return ``value`` as an int; raise `ConfigError` unless it is an integer (not a bool) of at least ``least``.

    Parameters
    ----------
    value : object
    name : str
        For the message.
    least : int
    of : str
        Unit for the message.

    Examples
    --------
    >>> whole_number(np.int64(3), "horizon")
    3
    >>> whole_number(2.5, "horizon", of="periods")
    Traceback (most recent call last):
    ...
    tsgen.errors.ConfigError: horizon must be a positive integer of periods: got 2.5.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        words = _WORDS.get(least, f"an integer of at least {least}")
        raise ConfigError(f"{name} must be {words}{' of ' if of else ''}{of}: got {value!r}.")
    return int(value)


def settle_whole_numbers(settings: Any, least: dict[str, int]) -> None:
    """Check and convert fields of a frozen dataclass, by name and smallest value."""
    for name, smallest in least.items():
        object.__setattr__(settings, name, whole_number(getattr(settings, name), name, least=smallest))
