"""Windows of a market whose conditional law is known and simple, and listed ways to get it wrong.

A date knows the level of volatility; inside the window log volatility is autoregressive and rises after losses, and
returns are multivariate Student-t. Right generated windows are further draws at the same level.
"""

import numpy as np
import pandas as pd

from tsgen.evaluation.paired_windows import PairedWindows

DEGREES_OF_FREEDOM = 4.0
CORRELATION = 0.6


def levels(n_units, *, rng):
    """Log-normal volatility levels, autoregressive from unit to unit."""
    log_level = np.empty(n_units)
    state = 0.5 * rng.standard_normal()
    for unit in range(n_units):
        log_level[unit] = state
        state = 0.7 * state + 0.5 * np.sqrt(1 - 0.7**2) * rng.standard_normal()
    return 0.01 * np.exp(log_level)


def draw(level, n_members, horizon, n_assets, *, rng, dof=DEGREES_OF_FREEDOM, correlation=CORRELATION):
    """Windows of shape (unit, member, time, asset) given the level of each unit."""
    shape = (len(level), n_members)
    returns = np.empty((*shape, horizon, n_assets))
    log_volatility = np.zeros(shape)
    root = np.linalg.cholesky(np.full((n_assets, n_assets), correlation) + (1 - correlation) * np.eye(n_assets))
    for t in range(horizon):
        normal = rng.standard_normal((*shape, n_assets)) @ root.T
        mixing = np.ones(shape) if np.isinf(dof) else np.sqrt((dof - 2) / rng.chisquare(dof, shape))
        returns[:, :, t] = normal * (mixing * np.exp(log_volatility) * level[:, None])[..., None]
        shock = -0.7 * normal.mean(axis=-1) + 0.6 * rng.standard_normal(shape)
        log_volatility = 0.9 * log_volatility + 0.35 * shock
    return returns


def paired(realised, generated):
    """Wrap as log returns of assets A, B, ..."""
    assets = tuple(chr(ord("A") + i) for i in range(realised.shape[-1]))
    dates = pd.bdate_range("2000-01-03", periods=len(realised), freq=f"{realised.shape[1]}B")
    return PairedWindows(realised=realised, generated=generated, assets=assets, kind="log", dates=dates)


def right_pairs(n_units=60, n_members=16, horizon=12, n_assets=2, *, seed):
    """Realised and generated windows of the same conditional law."""
    rng = np.random.default_rng(seed)
    both = draw(levels(n_units, rng=rng), 1 + n_members, horizon, n_assets, rng=rng)
    return paired(both[:, 0], both[:, 1:])


def history_pairs(n_units=60, n_members=16, horizon=12, n_assets=2, *, seed):
    """As `right_pairs`, along one history: the next level depends on what the realised window did."""
    rng = np.random.default_rng(seed)
    level, units = np.array([0.01]), []
    for _ in range(n_units):
        units.append(draw(level, 1 + n_members, horizon, n_assets, rng=rng))
        realised = np.sqrt((units[-1][0, 0] ** 2).mean())
        level = 0.01**0.3 * level**0.3 * np.clip(realised, 1e-3, 0.1) ** 0.4
    both = np.concatenate(units)
    return paired(both[:, 0], both[:, 1:])


def wrong_pairs(fault, n_units=60, n_members=16, horizon=12, n_assets=2, *, seed):
    """The right realised windows beside generated ones with one named fault."""
    rng = np.random.default_rng(seed)
    level = levels(n_units + 1, rng=rng)
    size = (horizon, n_assets)
    realised = draw(level[1:], 1, *size, rng=rng)[:, 0]
    return paired(realised, _FAULTS[fault](level, realised, n_members, rng))


def _shuffled_time(level, realised, n_members, rng):
    generated = draw(level[1:], n_members, *realised.shape[1:], rng=rng)
    order = rng.random(generated.shape[:3]).argsort(axis=2)
    return np.take_along_axis(generated, order[..., None], axis=2)


def _thin_tail(level, realised, n_members, rng):
    return draw(level[1:], n_members, *realised.shape[1:], rng=rng, dof=np.inf)


def _broken_correlation(level, realised, n_members, rng):
    return draw(level[1:], n_members, *realised.shape[1:], rng=rng, correlation=0.0)


def _delayed_volatility(level, realised, n_members, rng):
    return draw(level[:-1], n_members, *realised.shape[1:], rng=rng)


def _frozen_volatility(level, realised, n_members, rng):
    average = np.full(len(realised), np.sqrt((level**2).mean()))
    return draw(average, n_members, *realised.shape[1:], rng=rng)


def _look_ahead(level, realised, n_members, rng):
    noise = draw(level[1:], n_members, *realised.shape[1:], rng=rng)
    return realised[:, None] + 0.1 * noise


_FAULTS = {
    "shuffled time": _shuffled_time,
    "thin tail": _thin_tail,
    "broken correlation": _broken_correlation,
    "delayed volatility": _delayed_volatility,
    "frozen volatility": _frozen_volatility,
    "look-ahead": _look_ahead,
}
FAULTS = tuple(_FAULTS)
