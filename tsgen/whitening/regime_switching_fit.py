"""Expectation maximisation of a Markov-switching autoregression over many paths; sizes by an information criterion.

Starts matter: the likelihood has local maxima. Each fit begins from several guesses of the regimes (calm and
wild stretches, high and low stretches, trending and reverting ones), runs them briefly on a part of the paths and
continues the best on all.
"""

from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from tsgen.whitening.regime_switching import RegimeNumbers, RegimeSwitchingWhitening

Array = NDArray[np.float64]

_SIZES = ((2, 1), (2, 2), (3, 1))
"""Regimes and lags tried."""
_FIRST_PATHS = 400
_LARGEST_SAMPLE = 3_000_000  # values
_TRIAL_ITERATIONS, _LONG_ITERATIONS, _LAST_ITERATIONS = 12, 150, 25
_PRECISION = 1e-7  # of the log likelihood per value
_SMALLEST_SHARE = 1e-3  # of the pooled variance: no regime may collapse on a few values
_PSEUDO_COUNT = 1.0  # per entry of the transition matrix


class _Regressors(NamedTuple):
    values: Array  # (path, time, asset)
    design: Array  # (path, time, 1 + lag * asset): one, nearest lag first, zeros before the start
    period_set: NDArray[np.int64]  # (time,)
    n_lags: int


class _Model(NamedTuple):
    start: Array  # (regime,)
    transition: Array  # (regime, regime)
    weights: Array  # (period set, regime, asset, 1 + lag * asset)
    covariances: Array  # (regime, asset, asset)
    scales: Array  # (period set, regime)


class _Expectation(NamedTuple):
    regimes: Array  # (path, time, regime): smoothed probabilities
    moves: Array  # (regime, regime): expected transitions
    log_likelihood: float  # per value


def _regressors(paths: Array, n_lags: int, *, own_start: bool) -> _Regressors:
    n, periods, n_assets = paths.shape
    padded = np.concatenate([np.zeros((n, n_lags, n_assets)), paths], axis=1)
    lagged = [padded[:, n_lags - j : n_lags - j + periods] for j in range(1, n_lags + 1)]
    design = np.concatenate([np.ones((n, periods, 1)), *lagged], axis=2)
    sets = np.minimum(np.arange(periods), n_lags) if own_start else np.zeros(periods, dtype=np.int64)
    return _Regressors(paths, design, sets, n_lags)


def _log_densities(model: _Model, data: _Regressors) -> Array:
    """Log density of every value in every regime, (path, time, regime)."""
    n, periods, n_assets = data.values.shape
    out = np.empty((n, periods, len(model.start)))
    for k in range(len(model.weights)):
        at = data.period_set == k
        for j in range(len(model.start)):
            error = data.values[:, at] - data.design[:, at] @ model.weights[k, j].T
            root = np.linalg.cholesky(model.covariances[j]) * model.scales[k, j]
            z = np.linalg.solve(root, error.reshape(-1, n_assets).T)
            constant = np.log(np.diag(root)).sum() + 0.5 * n_assets * np.log(2.0 * np.pi)
            out[:, at, j] = (-0.5 * (z**2).sum(axis=0) - constant).reshape(n, -1)
    return out


def _expectation(model: _Model, data: _Regressors) -> _Expectation:
    """Scaled forward and backward pass, all paths at once."""
    logs = _log_densities(model, data)
    top = logs.max(axis=2, keepdims=True)
    density = np.exp(logs - top)
    n, periods, n_regimes = density.shape
    forward, scale = np.empty_like(density), np.empty((n, periods))
    predicted = np.broadcast_to(model.start, (n, n_regimes))
    for t in range(periods):
        joint = predicted * density[:, t]
        scale[:, t] = joint.sum(axis=1)
        forward[:, t] = joint / scale[:, t, None]
        predicted = forward[:, t] @ model.transition
    backward, moves = np.ones((n, n_regimes)), np.zeros((n_regimes, n_regimes))
    regimes = np.empty_like(density)
    for t in range(periods - 1, -1, -1):
        regimes[:, t] = forward[:, t] * backward
        if t:
            ahead = density[:, t] * backward / scale[:, t, None]
            moves += model.transition * (forward[:, t - 1].T @ ahead)
            backward = ahead @ model.transition.T
    return _Expectation(regimes, moves, float((np.log(scale) + top[:, :, 0]).sum() / (n * periods)))


def _weighted_regression(data: _Regressors, at: NDArray[np.bool_], mass: Array) -> tuple[Array, Array, float]:
    """Coefficients, residual covariance and total weight of one regime in some periods."""
    x = data.design[:, at].reshape(-1, data.design.shape[2])
    y = data.values[:, at].reshape(len(x), -1)
    weight = mass[:, at].reshape(-1, 1)
    total = float(weight.sum())
    # lags that lie before the start are zero columns: the ridge keeps their coefficients at zero
    gram = (weight * x).T @ x + 1e-9 * total * np.eye(x.shape[1])
    beta = np.linalg.solve(gram, (weight * x).T @ y).T.astype(np.float64)
    error = y - x @ beta.T
    return beta, (weight * error).T @ error / total, total


def _maximisation(expected: _Expectation, data: _Regressors, pooled: Array) -> _Model:
    n_sets, n_regimes = int(data.period_set.max()) + 1, expected.regimes.shape[2]
    n_assets = data.values.shape[2]
    weights = np.empty((n_sets, n_regimes, n_assets, data.design.shape[2]))
    covariances, scales = np.empty((n_regimes, n_assets, n_assets)), np.ones((n_sets, n_regimes))
    for j in range(n_regimes):
        mass = expected.regimes[:, :, j]
        for k in range(n_sets - 1, -1, -1):
            beta, residual, total = _weighted_regression(data, data.period_set == k, mass)
            weights[k, j] = beta
            if k == n_sets - 1:
                covariances[j] = residual + _SMALLEST_SHARE * pooled
            else:
                ratio = np.trace(np.linalg.solve(covariances[j], residual)) / n_assets
                scales[k, j] = np.sqrt(max(ratio * total / (total + 10.0) + 10.0 / (total + 10.0), 1e-3))
    start = expected.regimes[:, 0].sum(axis=0) + _PSEUDO_COUNT
    moves = expected.moves + _PSEUDO_COUNT
    return _Model(start / start.sum(), moves / moves.sum(axis=1, keepdims=True), weights, covariances, scales)


def _climb(expected: _Expectation, data: _Regressors, iterations: int) -> tuple[_Model, _Expectation]:
    """Alternate until the likelihood stands still."""
    pooled = np.cov(data.values.reshape(-1, data.values.shape[2]).T).reshape(data.values.shape[2], -1)
    before = -np.inf
    model = _maximisation(expected, data, pooled)
    for _ in range(iterations):
        expected = _expectation(model, data)
        if expected.log_likelihood - before < _PRECISION:
            break
        before = expected.log_likelihood
        model = _maximisation(expected, data, pooled)
    return model, _expectation(model, data)


def _guesses(data: _Regressors, n_regimes: int) -> list[_Expectation]:
    """First guesses of the regimes from smoothed squares, levels and signs of momentum."""
    ones = np.ones(data.values.shape[:2])
    beta, covariance, _ = _weighted_regression(data, np.ones(len(data.period_set), dtype=bool), ones)
    error = data.values - data.design @ beta.T
    z = np.linalg.solve(np.linalg.cholesky(covariance), error.reshape(-1, error.shape[2]).T).T.reshape(error.shape)
    before = np.concatenate([np.zeros_like(z[:, :1]), data.values[:, :-1] - data.values.mean(axis=(0, 1))], axis=1)
    guesses = []
    for signal in ((z**2).mean(axis=2), z.mean(axis=2), (z * before).mean(axis=2)):
        smooth = uniform_filter1d(signal, size=min(5, signal.shape[1]), axis=1, mode="nearest")
        edges = np.quantile(smooth, np.arange(1, n_regimes) / n_regimes)
        member = (smooth[:, :, None] >= edges).sum(axis=2)
        regimes = np.where(member[:, :, None] == np.arange(n_regimes), 0.9, 0.1 / (n_regimes - 1))
        moves = np.einsum("sti,stj->ij", regimes[:, :-1], regimes[:, 1:])
        guesses.append(_Expectation(regimes, moves, -np.inf))
    return guesses


def _n_parameters(model: _Model) -> int:
    n_assets = model.covariances.shape[1]
    return (
        len(model.start) ** 2 - 1 + model.weights.size + len(model.start) * n_assets * (n_assets + 1) // 2
        + model.scales[:-1].size
    )  # fmt: skip


def _criterion(model: _Model, expected: _Expectation, data: _Regressors) -> float:
    """Bayesian information criterion per value."""
    size = data.values.shape[0] * data.values.shape[1]
    return -expected.log_likelihood + 0.5 * _n_parameters(model) * np.log(size) / size


def _numbers(model: _Model, n_lags: int) -> RegimeNumbers:
    n_sets, n_regimes, n_assets, _ = model.weights.shape
    stacked = model.weights[..., 1:].reshape(n_sets, n_regimes, n_assets, n_lags, n_assets)
    arrays = (
        model.start,
        model.transition,
        model.weights[..., 0],
        stacked.transpose(0, 1, 3, 2, 4),
        model.covariances,
        model.scales,
    )
    return RegimeNumbers(*(torch.from_numpy(np.ascontiguousarray(x)) for x in arrays))


def fit_regime_switching(paths: Array) -> RegimeSwitchingWhitening:
    """Fit a Markov-switching autoregression of two or three regimes and one or two lags.

    Parameters
    ----------
    paths : ndarray of shape (path, time, asset), float64
        Independent paths from a common start, at least 4 periods long.

    Returns
    -------
    RegimeSwitchingWhitening

    References
    ----------
    Hamilton (1990), "Analysis of time series subject to changes in regime", Journal of Econometrics 45 (EM);
    Schwarz (1978), "Estimating the dimension of a model", Annals of Statistics 6.
    """
    part = paths[:_FIRST_PATHS]
    found: list[tuple[float, _Model, int, bool]] = []
    for (n_regimes, n_lags), own_start in product(_SIZES, (False, True)):
        data = _regressors(part, n_lags, own_start=own_start)
        trials = [_climb(guess, data, _TRIAL_ITERATIONS) for guess in _guesses(data, n_regimes)]
        _, best = max(trials, key=lambda trial: trial[1].log_likelihood)
        model, expected = _climb(best, data, _LONG_ITERATIONS)
        found.append((_criterion(model, expected, data), model, n_lags, own_start))
    _, model, n_lags, own_start = min(found, key=lambda entry: entry[0])
    most = max(_FIRST_PATHS, _LARGEST_SAMPLE // (paths.shape[1] * paths.shape[2]))
    data = _regressors(paths[:most], n_lags, own_start=own_start)
    model, _ = _climb(_expectation(model, data), data, _LAST_ITERATIONS)
    return RegimeSwitchingWhitening(_numbers(model, n_lags))
