"""Fit of the volatility whitening to a wide panel: shared weights, correlation by factors, nothing that must move.

What is chosen for twenty real series would cost five hundred simulated ones of constant volatility much of their
covariance. So three things that narrow panels take for granted are estimated here, where many series tell: the share of
the level in the volatility, up to all of it; the six weights, one set for all series; and how much of the pressure
along the first direction counts.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tsgen.errors import ConfigError
from tsgen.whitening.exponential_average import exponential_average
from tsgen.whitening.factor_analysis import SMALLEST_UNIQUE, factor_analysis, number_of_factors
from tsgen.whitening.moving_correlation import CORRELATION_DECAY, DIRECTION_WEIGHT, Direction, clipped_shocks
from tsgen.whitening.moving_correlation_fit import dispersion_scale, recorded_pressure
from tsgen.whitening.pair_correlation import LARGEST_FACTOR_SQUARE, FactorNumbers, FactorPairs
from tsgen.whitening.volatility import LEVEL_SHARE, VolatilityWhitening
from tsgen.whitening.volatility_fit import (
    START_LOGITS,
    Features,
    counted_dates,
    fit_dynamics,
    most_likely_logits,
    numbers_of,
)

Array = NDArray[np.float64]

_MOST_SERIES = 100  # of those that share their weights
_LARGEST_OWN_SHARE = 0.9
_TINY = 1e-6  # of the bound of factor analysis
_SHARES = np.linspace(0.0, 1.0, 21)


class _Structure(NamedTuple):
    loadings: Array
    unique: Array
    extraction: Array


def shared_weights(features: Features, burn_in: int) -> tuple[Array, float]:
    """One set of weights for all series, repeated (asset, 6), and the share of the level, at least that of few series.

    Series at rest are not asked, unless all are.
    """
    shocks = features.shocks[burn_in:]
    counted = counted_dates(shocks)
    asked = np.flatnonzero(counted.max(axis=0) == 1.0)
    asked = np.arange(shocks.shape[1]) if len(asked) == 0 else asked
    chosen = asked[np.unique(np.linspace(0, len(asked) - 1, min(len(asked), _MOST_SERIES)).round().astype(int))]
    level = np.broadcast_to(features.level[chosen, None], (*shocks[:, chosen].shape, 1))
    mixed = (1.0 - LEVEL_SHARE) * features.filtered[burn_in:, chosen] + LEVEL_SHARE * level
    x = torch.from_numpy(np.concatenate([mixed, level], axis=-1))
    e = torch.from_numpy(shocks[:, chosen] / np.sqrt(counted[:, chosen].max(axis=0)))
    start = np.array([[*START_LOGITS, START_LOGITS[0], np.log(5.0)]])
    logits = most_likely_logits(x, e, torch.from_numpy(counted[:, chosen]), start)[0]
    weights = np.exp(logits - logits.max())
    weights /= weights.sum()
    moving = weights[:-1] / weights[:-1].sum()
    return np.tile(moving, (shocks.shape[1], 1)), LEVEL_SHARE + (1.0 - LEVEL_SHARE) * float(weights[-1])


def _structure(standardised: Array, n_factors: int) -> _Structure:
    """Loadings and unique variances that add up to one, from clipped standardised shocks (date, asset)."""
    unit = standardised / np.sqrt((standardised**2).mean(axis=0))
    fitted = factor_analysis(unit.T @ unit / len(unit), n_factors)
    scaled = fitted.loadings / fitted.unique[:, None]
    gram = fitted.loadings.T @ scaled
    gram += 1e-9 * max(1.0, float(np.trace(gram))) * np.eye(n_factors)  # a factor of strength zero stays unestimated
    extraction = np.linalg.solve(gram, scaled.T).T.astype(np.float64)
    left = unit - unit @ extraction @ fitted.loadings.T
    own_share = (fitted.loadings * extraction).sum(axis=1)  # of an asset in the estimate of its own common part
    # two funds on one index have less of their own than factor analysis allows: their shocks would come out too small
    bound = (fitted.unique <= SMALLEST_UNIQUE) & (own_share < _LARGEST_OWN_SHARE)
    measured = (left**2).mean(axis=0) / (1.0 - np.minimum(own_share, _LARGEST_OWN_SHARE))
    measured = np.clip(measured, _TINY * fitted.unique, fitted.unique)
    unique = np.where(bound, measured, fitted.unique)
    total = (fitted.loadings**2).sum(axis=1) + unique
    return _Structure(fitted.loadings / np.sqrt(total)[:, None], unique / total, extraction)


def _likely_share(squares: Array, variances: Array) -> float:
    """Share of the moves of a variance around one that makes squares likeliest under the normal law.

    Parameters
    ----------
    squares, variances : ndarray of shape (date, series)
        The scale of each series of squares is profiled out.
    """
    losses = []
    for share in _SHARES:
        variance = 1.0 + share * (variances - 1.0)
        losses.append((np.log(variance).mean(axis=0) + np.log((squares / variance).mean(axis=0))).mean())
    return float(_SHARES[np.argmin(losses)])


def _factor_numbers(structure: _Structure, clipped: Array, burn_in: int) -> tuple[FactorNumbers, Array]:
    """Numbers of the factors, their direction not yet weighed, and the moving averages before each date."""
    scores = (clipped @ structure.extraction) ** 2
    mean_square = scores[burn_in:].mean(axis=0)
    squares = np.minimum(scores / mean_square, LARGEST_FACTOR_SQUARE)
    averages = exponential_average(squares, CORRELATION_DECAY)
    weight = _likely_share(squares[burn_in:], averages[burn_in:]) if squares.shape[1] else 0.0
    fields = (structure.loadings, structure.unique, structure.extraction, mean_square, np.array(weight), np.array(0.0))
    return FactorNumbers(*(torch.from_numpy(np.array(field)) for field in fields)), averages


def fit_factor_volatility(returns: Array, *, n_factors: int | None = None) -> VolatilityWhitening:
    """Fit mean, volatility and factor correlation to a return panel of many assets.

    Parameters
    ----------
    returns : ndarray of shape (date, asset), float64
        Decimals per period, in time order.
    n_factors : int, optional
        Default: the number that held-out quarters of the history confirm, at most 20.

    Returns
    -------
    VolatilityWhitening

    Raises
    ------
    DataError
        If there are fewer than 100 dates, a value is missing or infinite, or an asset does not move.
    ConfigError
        If ``n_factors`` is negative or not below the number of assets.

    References
    ----------
    Engle, Ng, Rothschild (1990), Journal of Econometrics 45, 213-237.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> panel = 0.01 * (rng.normal(size=(300, 1)) + rng.normal(size=(300, 30)))
    >>> fit_factor_volatility(panel).facts()["n_factors"]
    1
    """
    n_assets = returns.shape[-1]
    if n_factors is not None and not 0 <= n_factors < n_assets:
        raise ConfigError(
            f"n_factors must be between 0 and the number of assets - 1 = {n_assets - 1}: got {n_factors}."
        )
    fitted = fit_dynamics(returns, shared_weights)
    clipped = clipped_shocks(torch.from_numpy(fitted.standardised))
    used = clipped[fitted.burn_in :].numpy()
    count = number_of_factors(used) if n_factors is None else n_factors
    found, averages = _factor_numbers(_structure(used, count), clipped.numpy(), fitted.burn_in)
    axis = torch.full((n_assets,), n_assets**-0.5, dtype=torch.float64)
    if count:
        axis = torch.linalg.eigh(found.loadings @ found.loadings.T + torch.diag(found.unique))[1][:, -1].clone()
    covariance = FactorPairs(found).covariance((torch.from_numpy(averages),), axis)
    direction = Direction(axis, covariance, 0.0)
    pressure = recorded_pressure(direction, fitted.standardised, fitted.trend)
    if count:
        squares, moves = (x[fitted.burn_in :, None].numpy() for x in (direction.square(clipped), pressure))
        direction = direction._replace(
            weight=DIRECTION_WEIGHT * _likely_share(squares, 1.0 + DIRECTION_WEIGHT * (moves - 1.0))
        )
    scale = dispersion_scale(direction, fitted.standardised, pressure, fitted.burn_in)
    numbers = numbers_of(fitted.fields | {"direction": axis.numpy(), "dispersion_scale": scale})
    weight = torch.tensor(float(direction.weight), dtype=torch.float64)
    return VolatilityWhitening(numbers, FactorPairs(found._replace(direction_weight=weight)))
