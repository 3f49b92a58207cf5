"""The numbers of the moving correlation: its long-run matrix, and the usual size of what the direction leaves."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf
from torch import Tensor

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


def moving_covariances(standardised: Array, correlation: Array, direction: Array) -> Tensor:
    """``R v`` before each date, (date, asset), from standardised shocks (date, asset), ``R_0`` and ``v``."""
    clipped = clipped_shocks(torch.from_numpy(standardised))
    average, axis = torch.from_numpy(correlation), torch.from_numpy(direction.copy())
    covariance = torch.empty_like(clipped)
    moments = average
    for t, shock in enumerate(clipped):
        covariance[t] = slow_correlation(moments, average) @ axis
        moments = CORRELATION_DECAY * moments + (1 - CORRELATION_DECAY) * torch.outer(shock, shock)
    return covariance


def recorded_pressure(direction: Direction, standardised: Array, trend: Array) -> Tensor:
    """The pressure ``p`` before each date, (date,).

    Parameters
    ----------
    direction : Direction
        Its covariance per date, or one for all.
    standardised : ndarray of shape (date, asset)
    trend : ndarray of shape (date,)
        Of the panel, known before each date.
    """
    squares = direction.square(clipped_shocks(torch.from_numpy(standardised)))
    along = exponential_average(squares[:, None].numpy(), DIRECTION_DECAY)[:, 0]
    return pressure_on_direction(torch.from_numpy(along), torch.from_numpy(trend))


def dispersion_scale(direction: Direction, standardised: Array, pressure: Tensor, burn_in: int) -> float:
    """One over the mean size of what the direction leaves; the first ``burn_in`` dates are not counted."""
    sizes = direction.residual_size(clipped_shocks(torch.from_numpy(standardised)), pressure)
    return 1.0 / max(float(sizes[burn_in:].mean()), _SMALLEST_RESIDUAL)
