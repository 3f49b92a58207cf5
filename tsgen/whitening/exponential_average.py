"""Exponentially weighted averages of recorded values, as filters know them before each date."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]


def exponential_average(values: Array, decay: float) -> Array:
    """Average known before each date, started at one; (date, series) to (date, series).

    Examples
    --------
    >>> exponential_average(np.array([[3.0], [1.0], [9.0]]), 0.5).ravel().tolist()
    [1.0, 2.0, 1.5]
    """
    start = np.full((1, values.shape[1]), decay)
    filtered, _ = lfilter([1.0 - decay], [1.0, -decay], values, axis=0, zi=start)
    return np.vstack([np.ones((1, values.shape[1])), filtered[:-1]])
