"""Refusal of values that no statistic can use: comparisons with NaN are false, so a NaN would count as harmless."""

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import DataError


def require_finite(values: NDArray[np.float64], what: str) -> None:
    """Raise `DataError` unless every value is finite.

    Examples
    --------
    >>> require_finite(np.array([0.0, np.nan]), "returns")
    Traceback (most recent call last):
    ...
    tsgen.errors.DataError: returns must be finite: 1 of 2 values are not. Remove or repair them first.
    """
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise DataError(f"{what} must be finite: {bad} of {values.size} values are not. Remove or repair them first.")
