"""Fit of the factor whitening: factor analysis for the long run, Student-t likelihood for how variances move.

The long-run covariance comes from returns as they are (winsorised at eight standard deviations); the weights of the
variance recursions are chosen per factor, pooled across factors, and once for all idiosyncratic variances.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from tsgen.errors import ConfigError, DataError
from tsgen.whitening.exponential_average import exponential_average
from tsgen.whitening.factor_analysis import SMALLEST_UNIQUE, factor_analysis, number_of_factors
from tsgen.whitening.factor_volatility import DECAYS, FactorNumbers, FactorWhitening, shocks_of
from tsgen.whitening.shrunk_mean import shrunk_mean
from tsgen.whitening.volatility_fit import SHORTEST_PANEL, check_panel_values, counted_dates

Array = NDArray[np.float64]

_WINSOR = 8.0
_BURN_IN = 60
_POOLING = 15.0
_MOST_SERIES = 100  # of the idiosyncratic ones, which share their weights
_SMALLEST_SQUARE = 0.05
_LARGEST_OWN_SHARE = 0.9
_TINY = 1e-6  # of the bound of factor analysis


class _Structure(NamedTuple):
    loadings: Array
    variance: Array
    extraction: Array


def _structure(shocks: Array, deviation: Array, n_factors: int) -> _Structure:
    """Long-run loadings, idiosyncratic variances and the weights that estimate the factors."""
    clipped = np.clip(shocks, -_WINSOR, _WINSOR)
    fitted = factor_analysis(clipped.T @ clipped / len(clipped), n_factors)
    loadings, variance = deviation[:, None] * fitted.loadings, deviation**2 * fitted.unique
    scaled = loadings / variance[:, None]
    gram = loadings.T @ scaled
    gram += 1e-9 * max(1.0, float(np.trace(gram))) * np.eye(n_factors)  # a factor of strength zero stays unestimated
    extraction = np.linalg.solve(gram, scaled.T).T.astype(np.float64)
    left = deviation * clipped
    left = left - left @ extraction @ loadings.T
    own_share = (loadings * extraction).sum(axis=1)  # of an asset in the estimate of its own common part
    # two funds on one index have less of their own than factor analysis allows: their shocks would come out too small
    bound = (fitted.unique <= SMALLEST_UNIQUE) & (own_share < _LARGEST_OWN_SHARE)
    measured = np.maximum((left**2).mean(axis=0) / (1.0 - np.minimum(own_share, _LARGEST_OWN_SHARE)), _TINY * variance)
    return _Structure(loadings, np.where(bound, np.minimum(measured, variance), variance), extraction)


def _known_before(squares: Array) -> Array:
    """Filtered squares (date, series, decay) known before each date, started at 1."""
    return np.stack([exponential_average(squares, decay) for decay in DECAYS], axis=-1)


def _student_t_loss(parameters: Tensor, features: Tensor, squares: Tensor, pooling: float) -> Tensor:
    """Mean Student-t negative log likelihood of squares given weighted features; parameters (group, 6)."""
    logits, dof = parameters[:, :5], 2.1 + torch.exp(parameters[:, 5])
    weights = torch.softmax(logits, dim=1)
    variance = weights[:, 0] + (features * weights[:, 1:]).sum(dim=-1)
    constant = torch.lgamma(dof / 2) - torch.lgamma((dof + 1) / 2) + 0.5 * torch.log(torch.pi * (dof - 2.0))
    scaled = torch.log1p(squares / variance / (dof - 2.0))
    likelihood = (constant + 0.5 * variance.log() + 0.5 * (dof + 1) * scaled).mean()
    return likelihood + pooling * ((logits - logits.mean(dim=0)) ** 2).sum(dim=1).mean()


def _fit_weights(features: Array, squares: Array, n_groups: int) -> Array:
    """Weights (group, 5) of the long-run level and the four features; one group: shared by all series."""
    x, y = torch.from_numpy(features[_BURN_IN:].copy()), torch.from_numpy(squares[_BURN_IN:].copy())
    start = np.tile([1.0, -1.0, 0.5, -1.0, 0.5, np.log(5.0)], (n_groups, 1))
    pooling = _POOLING / len(y)

    def value_and_gradient(flat: Array) -> tuple[float, Array]:
        parameters = torch.from_numpy(flat.reshape(n_groups, 6).copy()).requires_grad_()
        loss = _student_t_loss(parameters, x, y, pooling)
        (gradient,) = torch.autograd.grad(loss, parameters)
        return float(loss.detach()), gradient.numpy().ravel()

    box = [(-8.0, 8.0)] * 5 + [(-2.0, 5.0)]
    found = minimize(
        value_and_gradient, start.ravel(), jac=True, method="L-BFGS-B", bounds=box * n_groups, options={"maxiter": 150}
    )
    if not np.isfinite(found.fun):
        raise DataError("the likelihood of the volatility is not finite on these returns. Look for extreme values.")
    logits = found.x.reshape(n_groups, 6)[:, :5]
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def fit_factor_volatility(returns: Array, *, n_factors: int | None = None) -> FactorWhitening:
    """Fit factors and volatilities to a return panel of many assets.

    Parameters
    ----------
    returns : ndarray of shape (date, asset), float64
        Decimals per period, in time order.
    n_factors : int, optional
        Default: the number that held-out quarters of the history confirm, at most 20.

    Returns
    -------
    FactorWhitening

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
    >>> fit_factor_volatility(panel).n_factors
    1
    """
    returns = np.asarray(returns, dtype=np.float64)
    check_panel_values(returns)
    n_dates, n_assets = returns.shape
    if n_dates < SHORTEST_PANEL:
        raise DataError(
            f"fitting factors and volatilities needs at least {SHORTEST_PANEL} dates: got {n_dates}. Use a longer "
            "history."
        )
    mean = shrunk_mean(returns)
    deviation = _winsorised_deviation(returns - mean)
    if n_factors is not None and not 0 <= n_factors < n_assets:
        raise ConfigError(
            f"n_factors must be between 0 and the number of assets - 1 = {n_assets - 1}: got {n_factors}."
        )
    shocks = (returns - mean) / deviation
    count = number_of_factors(np.clip(shocks, -_WINSOR, _WINSOR)) if n_factors is None else n_factors
    return FactorWhitening(_numbers(returns, mean, _structure(shocks, deviation, count)))


def _winsorised_deviation(values: Array) -> Array:
    """Deviation of values cut off at eight of those deviations; of a series at rest, of the dates on which it moves."""
    counted = counted_dates(values)
    of_moves = np.sqrt(counted.max(axis=0))
    scale = values.std(axis=0)
    for _ in range(50):
        scale = np.sqrt((counted * np.minimum(values**2, (_WINSOR * of_moves * scale) ** 2)).mean(axis=0)) / of_moves
    return scale


def _mean_square(values: Array) -> Array:
    return np.maximum(np.minimum(values**2, _WINSOR**2).mean(axis=0), _SMALLEST_SQUARE)


def _numbers(returns: Array, mean: Array, structure: _Structure) -> FactorNumbers:
    n_factors = structure.loadings.shape[1]
    resting = counted_dates(returns).max(axis=0) > 1.0  # their rare squares of a hundred say nothing on the others
    moving = np.ones(len(resting)) if resting.all() else np.where(resting, 0.0, 1.0)
    factors = (returns - mean) @ structure.extraction
    residual = (returns - mean - factors @ structure.loadings.T) / np.sqrt(structure.variance)
    fields = {
        "mean": mean,
        "loadings": structure.loadings,
        "deviation": np.sqrt(structure.variance),
        "extraction": structure.extraction,
        "factor_square": _mean_square(factors),
        "residual_square": _mean_square(residual),
        "leverage_scale": np.ones(n_factors),
        "factor_weights": np.ones((n_factors, 5)),
        "own_weights": np.ones(5),
        "common_weights": moving / moving.sum(),
    }
    numbers = FactorNumbers(**{k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in fields.items()})
    shocks = shocks_of(torch.from_numpy(returns.copy()), numbers)
    scale = 1.0 / shocks.falls.mean(dim=0).clamp_min(_SMALLEST_SQUARE)
    factor_weights = torch.ones(0, 5, dtype=torch.float64)
    if n_factors:
        moves = np.concatenate([_known_before(s.numpy()) for s in (shocks.factor, shocks.falls * scale)], axis=-1)
        factor_weights = torch.from_numpy(_fit_weights(moves, shocks.factor.numpy(), n_factors))
    common = _known_before((shocks.own @ numbers.common_weights)[:, None].numpy())
    used = np.flatnonzero(moving)
    chosen = used[np.unique(np.linspace(0, len(used) - 1, min(len(used), _MOST_SERIES)).round().astype(int))]
    own = shocks.own.numpy()[:, chosen]
    moves = np.concatenate([_known_before(own), np.broadcast_to(common, (*own.shape, 2))], axis=-1)
    own_weights = torch.from_numpy(_fit_weights(moves, own, 1)[0])
    return numbers._replace(leverage_scale=scale, factor_weights=factor_weights, own_weights=own_weights)
