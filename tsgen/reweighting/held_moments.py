"""Rows that hold a mean or a variance at its value under a given law, for views that are linear only then."""

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.linear_row import LinearRow
from tsgen.reweighting.weighted_moments import moments

Floats = NDArray[np.float64]


def held_mean(label: str, values: Floats, probabilities: Floats, *, held_for: str) -> LinearRow:
    """Row that keeps the mean of ``values``.

    Examples
    --------
    >>> str(held_mean("A", np.array([0.0, 2.0]), np.array([0.5, 0.5]), held_for="volatility of A"))
    'mean of A held at 1 (for volatility of A)'
    """
    m = moments(values, probabilities)
    return LinearRow(name=f"mean of {label}", feature=values, target=m.mean, relation="==", held_for=held_for)


def held_variance(label: str, values: Floats, probabilities: Floats, *, held_for: str) -> LinearRow:
    """Row that keeps the variance of ``values``, where its mean is kept as well.

    Examples
    --------
    >>> str(held_variance("A", np.array([0.0, 2.0]), np.array([0.5, 0.5]), held_for="skew of A"))
    'variance of A held at 1 (for skew of A)'
    """
    m = moments(values, probabilities)
    return LinearRow(
        name=f"variance of {label}",
        feature=np.square(values - m.mean),
        target=m.deviation**2,
        relation="==",
        held_for=held_for,
    )
