"""Fit of the volatility whitening to a wide panel: shared weights, correlation by factors, nothing that must move.

What is chosen for twenty real series would cost five hundred simulated ones of constant volatility much of their
covariance. So what narrow panels take for granted is asked here, where many series tell: the share of the level in the
volatility, up to all of it, beside one set of weights for all series; and whether the strengths of the factors, the
pressure along the first direction and the size of what it leaves move at all. Shares of these three between none and
all, by likelihood, were too small out of sample (energy of 20 stocks .03 % worse), so it is none or all; and where
strengths move, so does the pressure, though it then looks idle in the sample (without it .04 % worse).
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tsgen.errors import ConfigError
from tsgen.whitening.exponential_average import exponential_average
from tsgen.whitening.factor_analysis import SMALLEST_UNIQUE, factor_analysis, number_of_factors
from tsgen.whitening.moving_correlation import DIRECTION_WEIGHT, Direction, clipped_shocks
from tsgen.whitening.moving_correlation_fit import (
    fit_dispersion,
    pressure_worth_following,
    recorded_pressure,
    worth_following,
)
from tsgen.whitening.pair_correlation import STRENGTH_DECAY, FactorNumbers, FactorPairs, relative_strength, squares_of
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


def _factor_numbers(structure: _Structure, clipped: Tensor, burn_in: int) -> tuple[FactorNumbers, Tensor]:
    """Numbers of the factors, their direction not yet weighed, and the moving averages before each date."""
    loadings, unique, extraction = (torch.from_numpy(np.array(a)) for a in structure)
    used = clipped[burn_in:]
    one = torch.ones((), dtype=torch.float64)
    numbers = FactorNumbers(
        loadings, unique, extraction, (used @ extraction).square().mean(dim=0), used.square().mean(), one, 0.0 * one
    )
    squares = squares_of(clipped, numbers)
    averages = torch.from_numpy(exponential_average(squares.numpy(), STRENGTH_DECAY))
    if loadings.shape[1] == 0:
        return numbers, averages
    own = (squares[:, :-1] / averages[:, -1:])[burn_in:].numpy()
    moving = worth_following(own, relative_strength(averages)[burn_in:].numpy())
    return numbers._replace(slow_weight=moving * one), averages


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
    found, averages = _factor_numbers(_structure(used, count), clipped, fitted.burn_in)
    axis = torch.full((n_assets,), n_assets**-0.5, dtype=torch.float64)
    if count:
        axis = torch.linalg.eigh(found.loadings @ found.loadings.T + torch.diag(found.unique))[1][:, -1].clone()
    covariance = FactorPairs(found).covariance((averages,), axis)
    direction = Direction(axis, covariance, 0.0)
    pressure = recorded_pressure(direction, fitted.standardised, fitted.trend)
    if count:
        idle = not pressure_worth_following(direction, fitted.standardised, pressure, fitted.burn_in)
        followed = bool(found.slow_weight) or not idle
        direction = direction._replace(weight=DIRECTION_WEIGHT if followed else 0.0)
    dispersion = fit_dispersion(direction, fitted.standardised, pressure, fitted.burn_in)
    numbers = numbers_of(fitted.fields, axis.numpy(), dispersion)
    weight = torch.tensor(float(direction.weight), dtype=torch.float64)
    return VolatilityWhitening(numbers, FactorPairs(found._replace(direction_weight=weight)))
