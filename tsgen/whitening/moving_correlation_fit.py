"""The numbers of the moving correlation: its long-run matrix, and the usual size of what the direction leaves."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf
from torch import Tensor

from tsgen.whitening.exponential_average import exponential_average
from tsgen.whitening.moving_correlation import (
    CORRELATION_DECAY,
    CORRELATION_WEIGHTS,
    DIRECTION_DECAY,
    DIRECTION_WEIGHT,
    DISPERSION_DECAY,
    Direction,
    clipped_shocks,
    dispersion_weight,
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


class PairHistory(NamedTuple):
    """What moving pairs would have said before each date."""

    covariance: Tensor
    """(date, asset): ``R v``."""
    surprise: Tensor
    """(date,): minus twice the normal log likelihood of the clipped shocks, but for its constant."""


def pair_history(standardised: Array, correlation: Array, direction: Array) -> PairHistory:
    """From standardised shocks (date, asset), ``R_0`` and ``v``."""
    clipped = clipped_shocks(torch.from_numpy(standardised))
    average, axis = torch.from_numpy(correlation), torch.from_numpy(direction.copy())
    covariance = torch.empty_like(clipped)
    surprise = torch.empty(len(clipped), dtype=torch.float64)
    moments = average
    for t, shock in enumerate(clipped):
        slow = slow_correlation(moments, average)
        covariance[t] = slow @ axis
        surprise[t] = normal_surprise(shock[None], slow)[0]
        moments = CORRELATION_DECAY * moments + (1 - CORRELATION_DECAY) * torch.outer(shock, shock)
    return PairHistory(covariance, surprise)


def normal_surprise(shocks: Tensor, correlation: Tensor) -> Tensor:
    """Minus twice the normal log likelihood of shocks (date, asset), but for its constant; (date,)."""
    root = torch.linalg.cholesky(correlation)
    white = torch.linalg.solve_triangular(root, shocks.T, upper=False)
    return white.square().sum(dim=0) + 2.0 * root.diagonal().log().sum()


def pairs_move(moving: Tensor, clipped: Tensor, correlation: Array) -> bool:
    """Whether moving pairs are likelier than constant ones, by Akaike's criterion.

    The constant matrix was fitted to the very dates it is asked about, so each of its pairs counts against it; for less
    than one, as moving pairs lean on it too.

    Parameters
    ----------
    moving : Tensor of shape (date,)
        From `pair_history`, after its first dates.
    clipped : Tensor of shape (date, asset)
        On the same dates.
    correlation : ndarray of shape (asset, asset)
    """
    n_pairs = clipped.shape[1] * (clipped.shape[1] - 1) // 2
    handicap = 2.0 * n_pairs * CORRELATION_WEIGHTS[1]
    constant = normal_surprise(clipped, torch.from_numpy(correlation)).sum() + handicap
    return bool(moving.sum() < constant)


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


def worth_following(squares: Array, variances: Array) -> bool:
    """Whether squares (date, series) are likelier under the normal law with moving variances than with one variance.

    The scale of each series is profiled out.
    """
    moving = np.log(variances).mean(axis=0) + np.log((squares / variances).mean(axis=0))
    return bool(moving.mean() < np.log(squares.mean(axis=0)).mean())


def pressure_worth_following(direction: Direction, standardised: Array, pressure: Tensor, burn_in: int) -> bool:
    """Whether the variance along the direction is likelier to move with the pressure than to stay.

    Parameters
    ----------
    direction, standardised, pressure, burn_in
        As `fit_dispersion`.
    """
    squares = direction.square(clipped_shocks(torch.from_numpy(standardised)))
    moving = 1.0 + DIRECTION_WEIGHT * (pressure - 1.0)
    return worth_following(*(x[burn_in:, None].numpy() for x in (squares, moving)))


class Dispersion(NamedTuple):
    """How the size of what the direction leaves is followed."""

    scale: float
    """H, one over its mean."""
    weight: float
    """w, zero where it does not move."""


def fit_dispersion(direction: Direction, standardised: Array, pressure: Tensor, burn_in: int) -> Dispersion:
    """Scale of the sizes around the direction, and whether following them is worth their noise.

    Parameters
    ----------
    direction : Direction
    standardised : ndarray of shape (date, asset)
    pressure : Tensor of shape (date,)
        From `recorded_pressure`.
    burn_in : int
        First dates, not counted.
    """
    sizes = direction.residual_size(clipped_shocks(torch.from_numpy(standardised)), pressure).numpy()[:, None]
    scale = 1.0 / max(float(sizes[burn_in:].mean()), _SMALLEST_RESIDUAL)
    weight = dispersion_weight(standardised.shape[1])
    around = 1.0 + weight * (exponential_average(scale * sizes, DISPERSION_DECAY) - 1.0)
    followed = worth_following(sizes[burn_in:] ** 2, around[burn_in:] ** 2)
    return Dispersion(scale, weight if followed else 0.0)
