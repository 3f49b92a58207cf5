"""The numbers of the moving correlation: its long-run matrix, and the usual size of what the direction leaves."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from tsgen.whitening.exponential_average import exponential_average
from tsgen.whitening.moving_correlation import (
    CORRELATION_DECAY,
    DIRECTION_DECAY,
    Direction,
    clipped_shocks,
    pressure_on_direction,
    slow_correlation,
)

Array = NDArray[np.float64]

_LARGEST_SHOCK = 4.0
_SMALLEST_RESIDUAL = 0.01


def long_run_correlation(standardised: Array) -> Array:
    """Ledoit-Wolf correlation of standardised shocks (date, asset), winsorised at four deviations."""
    if standardised.shape[1] == 1:
        return np.eye(1)
    covariance = ledoit_wolf(np.clip(standardised, -_LARGEST_SHOCK, _LARGEST_SHOCK), assume_centered=True)[0]
    spread = np.sqrt(np.diag(covariance))
    return covariance / np.outer(spread, spread)


def dispersion_scale(standardised: Array, trend: Array, correlation: Array, direction: Array, burn_in: int) -> float:
    """One over the mean size of what the direction leaves.

    Parameters
    ----------
    standardised : ndarray of shape (date, asset)
    trend : ndarray of shape (date,)
        Of the panel, known before each date.
    correlation : ndarray of shape (asset, asset)
        From `long_run_correlation`.
    direction : ndarray of shape (asset,)
        Its first eigenvector.
    burn_in : int
        First dates, not counted.
    """
    if standardised.shape[1] == 1:
        return 1.0
    clipped = clipped_shocks(torch.from_numpy(standardised))
    average, axis = torch.from_numpy(correlation), torch.from_numpy(direction.copy())
    covariance = torch.empty_like(clipped)
    moments = average
    for t, shock in enumerate(clipped):
        covariance[t] = slow_correlation(moments, average) @ axis
        moments = CORRELATION_DECAY * moments + (1 - CORRELATION_DECAY) * torch.outer(shock, shock)
    along = Direction(axis, covariance)
    squares = exponential_average(along.square(clipped)[:, None].numpy(), DIRECTION_DECAY)[:, 0]
    sizes = along.residual_size(clipped, pressure_on_direction(torch.from_numpy(squares), torch.from_numpy(trend)))
    return 1.0 / max(float(sizes[burn_in:].mean()), _SMALLEST_RESIDUAL)
