r"""The trading system behind paths: least squares of factors, returns and features on what is known before.

State (position, 1, factors, return), each of order one; only the position is controlled. The residuals are kept as
noise, so that the identified system reproduces the paths exactly. Above `trading_paths` and `system_identification`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from portfolio.dynamic.feature_maps import FeatureMap, SelectedInputs
from portfolio.dynamic.nearly_linear_system import NearlyLinearSystem
from portfolio.dynamic.system_identification import fit_linear_dynamics
from portfolio.dynamic.trading_paths import TradingPaths
from tsgen.errors import DataError

Array = NDArray[np.float64]


class IdentifiedMarket(NamedTuple):
    """What least squares says of the market, in units of `MarketScale`."""

    system: NearlyLinearSystem
    feature_dynamics: Array
    noise: Array
    returns_covariance: Array
    r_squared: tuple[float, ...]


class MarketScale(NamedTuple):
    """Units in which states and costs are of order one."""

    factors: Array
    """Root mean square of every factor."""
    returns: float
    """Typical standard deviation of a return: states and costs are brought to order one with it."""


def market_scale(paths: TradingPaths) -> MarketScale:
    """Units of factors and returns on these paths; raises `DataError` where something does not move."""
    weights = paths.probabilities / paths.n_decisions
    factors = np.sqrt(np.einsum("s,stf->f", weights, paths.signals**2))
    still = np.flatnonzero(factors == 0)
    if len(still):
        raise DataError(f"signal number {int(still[0])} is zero on all paths. Remove it.")
    centred = paths.returns - np.einsum("s,sta->a", weights, paths.returns)
    variances = np.einsum("s,sta->a", weights, centred**2)
    # what is left of a constant after subtracting its mean is rounding
    frozen = np.flatnonzero(variances <= 1e-24 * np.abs(paths.returns).max() ** 2)
    if len(frozen):
        raise DataError(f"returns of {paths.assets[int(frozen[0])]} do not move: leave the asset out.")
    variance = float(variances.mean())
    return MarketScale(factors=factors, returns=float(np.sqrt(variance)))


def identify_market(paths: TradingPaths, features: FeatureMap, scale: MarketScale) -> IdentifiedMarket:
    """Least squares of next factors, next features and earned returns on (1, factors, features).

    Raises
    ------
    DataError
        If factors or features are collinear, or there are too few rows.
    """
    n, k, m = paths.returns.shape[2], paths.signals.shape[2], features.n_features
    scaled, earned = paths.signals / scale.factors, paths.returns[:, :-1] / scale.returns
    phi = features.value(paths.signals)
    ones = np.ones((*scaled.shape[:2], 1))
    inputs = np.concatenate([ones, scaled, phi], axis=2)
    outputs = np.concatenate([scaled[:, 1:], earned, phi[:, 1:]], axis=2)
    weights = np.repeat(paths.probabilities, inputs.shape[1] - 1)
    fit = fit_linear_dynamics(
        inputs[:, :-1].reshape(-1, inputs.shape[2]), outputs.reshape(-1, outputs.shape[2]), weights
    )
    d = 2 * n + 1 + k
    transition, nonlinear, control = np.zeros((d, d)), np.zeros((d, m)), np.zeros((d, n))
    transition[:n, :n], control[:n], transition[n, n] = np.eye(n), np.eye(n), 1.0
    transition[n + 1 :, n : n + 1 + k] = fit.coefficients[: k + n, : 1 + k]
    nonlinear[n + 1 :] = fit.coefficients[: k + n, 1 + k :]
    dynamics = np.zeros((m, d + m))
    dynamics[:, n : n + 1 + k], dynamics[:, d:] = fit.coefficients[k + n :, : 1 + k], fit.coefficients[k + n :, 1 + k :]
    residuals = outputs - inputs[:, :-1] @ fit.coefficients.T
    noise = np.zeros((paths.n_scenarios, paths.n_decisions - 1, d))
    noise[:, :, n + 1 :] = residuals[:, :, : k + n]
    seen = SelectedInputs(
        features=features, positions=tuple(range(n + 1, n + 1 + k)), n_inputs=d, scale=tuple(scale.factors.tolist())
    )
    total = np.einsum("r,ra->a", weights / weights.sum(), (earned - earned.mean(axis=(0, 1))).reshape(-1, n) ** 2)
    unexplained = np.diag(fit.residual_covariance)[k : k + n]
    return IdentifiedMarket(
        system=NearlyLinearSystem(transition=transition, control=control, nonlinear=nonlinear, features=seen),
        feature_dynamics=dynamics,
        noise=noise,
        returns_covariance=scale.returns**2 * fit.residual_covariance[k : k + n, k : k + n],
        r_squared=tuple((1.0 - unexplained / total).tolist()),
    )
