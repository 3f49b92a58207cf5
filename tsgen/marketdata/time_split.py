"""Time-ordered training and validation: the validation part is the last one, with a gap before it.

Windows that share days leak; the purge gap removes from training those that reach into the
validation part.
"""

import math
from typing import NamedTuple

from tsgen.errors import ConfigError, DataError
from tsgen.whole_numbers import whole_number


class TimeSplit(NamedTuple):
    """Two slices of ``range(n)``: ``train`` first, ``validation`` last, a purge gap between."""

    train: slice
    validation: slice


def time_ordered_split(n: int, *, validation_fraction: float, purge: int) -> TimeSplit:
    """Split ``n`` time-ordered items into a first part to train on and a last part to validate on.

    Parameters
    ----------
    n : int
        Number of items (dates, or windows ordered by their start).
    validation_fraction : float in (0, 1)
        Share of the items to validate on, rounded to the nearest count, at least one.
    purge : int
        Items left out between the parts. For windows of L dates that start on every date, ``L - 1`` makes
        sure that no training window shares a date with a validation window.

    Returns
    -------
    TimeSplit
        ``(train, validation)`` slices; ``validation`` ends at ``n``.

    Raises
    ------
    ConfigError
        If a setting is outside its range.
    DataError
        If nothing is left to train on.

    References
    ----------
    Lopez de Prado (2018), "Advances in Financial Machine Learning", section 7.4 (purging).

    Examples
    --------
    >>> time_ordered_split(100, validation_fraction=0.2, purge=5)
    TimeSplit(train=slice(0, 75, None), validation=slice(80, 100, None))
    """
    for name, value, low in (("n", n, 1), ("purge", purge, 0)):
        whole_number(value, name, least=low)
    if not 0.0 < validation_fraction < 1.0:
        raise ConfigError(
            f"validation_fraction must lie strictly between 0 and 1: got {validation_fraction!r}. Try 0.1."
        )
    n_validation = max(1, math.floor(n * validation_fraction + 0.5))
    n_train = n - n_validation - purge
    if n_train < 1:
        raise DataError(
            f"nothing is left to train on: {n} items less {n_validation} for validation and {purge} purged gives "
            f"{n_train}. Load a longer history, or lower validation_fraction or purge."
        )
    return TimeSplit(train=slice(0, n_train), validation=slice(n - n_validation, n))
