r"""Which linear structure fits a sample of paths best? Closed-form candidates, chosen by cross-validation.

A saturated covariance of T periods has T (T + 1) / 2 parameters and fits the noise of 2,000 paths; a
stationary law has T, an autoregression a handful. Each candidate is a way to pool the same second moments:

* ``saturated``: nothing pooled;
* ``stationary(p)``: autocovariances by maximum likelihood (averages over the path where that is too large a
  problem), predictors of order min(t, p) from them (p = T - 1: every stationary law; small p: autoregressions
  started in their stationary law);
* ``arma(p, q)``, one asset only: autocovariances of an ARMA law by maximum likelihood, predictors as above;
* ``zero_start(p)``: one autoregression of order p for all periods, with nothing before the start;
* ``free_start(p)``: own regressions for the first p periods, one autoregression afterwards.

The five-fold cross-validated Gaussian likelihood over paths decides; paths are independent, so no time order
is violated. Least squares is consistent for the linear predictor whatever the law of the innovations.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tsgen.errors import DataError
from tsgen.whitening.arma_likelihood import LONGEST_WINDOW, arma_autocovariances
from tsgen.whitening.linear_prediction import LinearPredictionWhitening
from tsgen.whitening.stationary_likelihood import (
    LARGEST_NUMBER_OF_PARAMETERS,
    n_parameters,
    stationary_autocovariances,
)

Array = NDArray[np.float64]

_FOLDS = 5
_ORDERS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24)
_ARMA_ORDERS = ((1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (4, 4))
_SMALLEST_RANDOM_SHARE = 1e-6  # conditional over marginal standard deviation
_LARGEST_SATURATED = 1200  # path dimension above which full covariances are neither affordable nor estimable


class PathLaw(NamedTuple):
    """Linear-Gaussian law of a path as one-step conditionals."""

    coefficients: Array
    """(time, lag, asset, asset)."""
    covariances: Array
    """(time, asset, asset)."""
    homogeneous: bool


Fit = Callable[[Array], PathLaw]
"""From centred paths (path, time, asset) to a law; raises LinAlgError where the candidate does not exist."""


def _regress(cross: Array, gram: Array, variance: Array) -> tuple[Array, Array]:
    """Coefficients and residual covariance of a regression given by its second moments."""
    if gram.size == 0:
        return np.zeros((len(variance), 0)), variance
    beta = np.linalg.solve(gram, cross.T).T.astype(np.float64)
    return beta, variance - beta @ cross.T


def _as_lags(beta: Array, n_assets: int) -> Array:
    """Split (asset, lag * asset), nearest lag first, into (lag, asset, asset)."""
    return beta.reshape(n_assets, -1, n_assets).transpose(1, 0, 2)


def conditionals_of_covariance(covariance: Array, n_assets: int) -> PathLaw:
    """One-step conditionals of a path covariance (time-major), looking back to the start."""
    periods = len(covariance) // n_assets
    lags = max(1, periods - 1)
    coefficients = np.zeros((periods, lags, n_assets, n_assets))
    covariances = np.zeros((periods, n_assets, n_assets))
    for t in range(periods):
        now = slice(t * n_assets, (t + 1) * n_assets)
        past = np.arange(t * n_assets).reshape(t, n_assets)[::-1].reshape(-1)  # nearest period first
        beta, left = _regress(covariance[now][:, past], covariance[np.ix_(past, past)], covariance[now, now])
        if t:
            coefficients[t, :t] = _as_lags(beta, n_assets)
        covariances[t] = left
    return PathLaw(coefficients, covariances, homogeneous=False)


def _autocovariances(deviations: Array, order: int) -> Array:
    """Average over path and time of ``d_t d_{t-j}'`` for lags 0..order; shape (lag, asset, asset)."""
    n, periods, _ = deviations.shape
    return np.stack(
        [
            np.einsum("sti,stj->ij", deviations[:, j:], deviations[:, : periods - j]) / (n * (periods - j))
            for j in range(order + 1)
        ]
    )


def _stationary(deviations: Array, order: int) -> PathLaw:
    _, periods, n_assets = deviations.shape
    gamma = None
    if n_parameters(periods, n_assets) <= LARGEST_NUMBER_OF_PARAMETERS:
        gamma = stationary_autocovariances(deviations, _autocovariances(deviations, periods - 1))
    return _of_autocovariances(_autocovariances(deviations, order) if gamma is None else gamma, order, periods)


def _of_autocovariances(gamma: Array, order: int, periods: int) -> PathLaw:
    """Predictors of order min(t, order) of a stationary law, from its autocovariances (lag, asset, asset)."""
    n_assets = gamma.shape[1]
    coefficients = np.zeros((order + 1, max(1, order), n_assets, n_assets))
    covariances = np.zeros((order + 1, n_assets, n_assets))

    def block(i: int, j: int) -> Array:  # E d_{t-i} d_{t-j}'
        return gamma[j - i] if j >= i else gamma[i - j].T

    gram = np.block([[block(i, j) for j in range(1, order + 1)] for i in range(1, order + 1)]) if order else None
    for t in range(order + 1):
        width = t * n_assets
        cross = np.concatenate([gamma[j] for j in range(1, t + 1)], axis=1) if t else np.zeros((n_assets, 0))
        beta, left = _regress(cross, gram[:width, :width] if gram is not None else np.zeros((0, 0)), gamma[0])
        if t:
            coefficients[t, :t] = _as_lags(beta, n_assets)
        covariances[t] = left
    index = np.minimum(np.arange(periods), order)
    return PathLaw(coefficients[index], covariances[index], homogeneous=order < periods - 1)


def _lagged(deviations: Array, order: int) -> Array:
    """Regressors (path, time, lag * asset), nearest lag first, zeros before the start."""
    n, periods, n_assets = deviations.shape
    padded = np.concatenate([np.zeros((n, order, n_assets)), deviations], axis=1)
    parts = [padded[:, order - j : order - j + periods] for j in range(1, order + 1)]
    return np.concatenate(parts, axis=2) if parts else np.zeros((n, periods, 0))


def _pooled_regression(lagged: Array, deviations: Array, first: int) -> tuple[Array, Array]:
    y = deviations[:, first:].reshape(-1, deviations.shape[2])
    x = lagged[:, first:].reshape(len(y), lagged.shape[2])
    return _regress(y.T @ x / len(y), x.T @ x / len(y), y.T @ y / len(y))


def _arma(deviations: Array, orders: tuple[int, int]) -> PathLaw:
    """A long autoregression with the autocovariances of the ARMA law: stationary, so it extends beyond the path."""
    periods = deviations.shape[1]
    gamma = arma_autocovariances(deviations[:, :, 0], *orders)[:, None, None]
    return _of_autocovariances(gamma, min(periods, LONGEST_WINDOW) - 1, periods)._replace(homogeneous=True)


def _zero_start(deviations: Array, order: int) -> PathLaw:
    _, periods, n_assets = deviations.shape
    beta, left = _pooled_regression(_lagged(deviations, order), deviations, 0)
    coefficients = np.zeros((1, max(1, order), n_assets, n_assets))
    if order:
        coefficients[0] = _as_lags(beta, n_assets)
    return PathLaw(np.repeat(coefficients, periods, axis=0), np.repeat(left[None], periods, axis=0), homogeneous=True)


def _free_start(deviations: Array, order: int) -> PathLaw:
    n, periods, n_assets = deviations.shape
    beta, left = _pooled_regression(_lagged(deviations, order), deviations, order)
    coefficients = np.zeros((periods, max(1, order), n_assets, n_assets))
    covariances = np.repeat(left[None], periods, axis=0)
    head = deviations[:, :order].reshape(n, -1)
    started = conditionals_of_covariance(head.T @ head / n, n_assets)
    coefficients[:order, : max(1, order - 1)] = started.coefficients
    covariances[:order] = started.covariances
    coefficients[order:] = _as_lags(beta, n_assets)
    return PathLaw(coefficients, covariances, homogeneous=True)


def _saturated(deviations: Array) -> PathLaw:
    n, _, n_assets = deviations.shape
    flat = deviations.reshape(n, -1)
    return conditionals_of_covariance(flat.T @ flat / n, n_assets)


def _candidates(n_train: int, periods: int, n_assets: int) -> Iterator[tuple[str, Fit]]:
    """Names and fits of the structures that these paths can bear."""
    dimension = periods * n_assets
    affordable = dimension <= _LARGEST_SATURATED
    if affordable and n_train > dimension:
        yield "saturated", _saturated
    longest = [periods - 1] if affordable else []
    orders = [p for p in _ORDERS if p < periods and p * n_assets * 10 <= n_train * periods]
    for order in dict.fromkeys(longest + orders):
        yield f"stationary({order})", partial(_stationary, order=order)
    for p, q in _ARMA_ORDERS if n_assets == 1 else ():
        if (p + q) * 2 < min(n_train, periods):
            yield f"arma({p}, {q})", partial(_arma, orders=(p, q))
    for order in orders:
        yield f"zero_start({order})", partial(_zero_start, order=order)
        # a homogeneous tail must be seen in at least half of the periods to be believed
        if 1 <= order <= periods // 2 and order * n_assets * 2 < n_train:
            yield f"free_start({order})", partial(_free_start, order=order)


def negative_log_likelihood(law: PathLaw, deviations: Array) -> float:
    """Average Gaussian negative log likelihood per path, without the constant; inf if a variance is not positive."""
    residual = deviations.copy()
    periods = deviations.shape[1]
    for j in range(1, law.coefficients.shape[1] + 1):
        if j < periods:
            residual[:, j:] -= np.einsum("tab,stb->sta", law.coefficients[j:, j - 1], deviations[:, :-j])
    total = 0.0
    for t in range(periods):
        try:
            root = np.linalg.cholesky(law.covariances[t])
        except np.linalg.LinAlgError:
            return float("inf")
        z = np.linalg.solve(root, residual[:, t].T)
        total += float(np.log(np.diag(root)).sum() + 0.5 * (z**2).sum(axis=0).mean())
    return total


def _means(paths: Array) -> dict[str, Array]:
    _, periods, n_assets = paths.shape
    return {
        "zero": np.zeros((periods, n_assets)),
        "constant": np.repeat(paths.mean(axis=(0, 1))[None], periods, axis=0),
        "by_period": paths.mean(axis=0),
    }


def _law(fit: Fit, deviations: Array) -> PathLaw | None:
    try:
        return fit(deviations)
    except np.linalg.LinAlgError:  # a singular Gram matrix: this candidate does not exist for these data
        return None


def _held_out(paths: Array, fit: Fit, mean_model: str) -> float:
    total = 0.0
    for fold in range(_FOLDS):
        held = np.arange(len(paths)) % _FOLDS == fold
        mean = _means(paths[~held])[mean_model]
        law = _law(fit, paths[~held] - mean)
        total += float("inf") if law is None else negative_log_likelihood(law, paths[held] - mean)
    return total / _FOLDS


def _require_randomness(paths: Array) -> None:
    """Refuse paths in which some value is a linear function of earlier ones: no density, no likelihood."""
    n, _, n_assets = paths.shape
    flat = (paths - paths.mean(axis=0)).reshape(n, -1)
    spread = flat.std(axis=0)
    left = np.abs(np.diag(np.linalg.qr(flat / np.where(spread > 0, spread, 1.0), mode="r"))) / np.sqrt(n)
    for position in np.flatnonzero(left < _SMALLEST_RANDOM_SHARE):
        t, i = divmod(int(position), n_assets)
        raise DataError(
            f"period {t + 1} of asset {i + 1} is determined by what came before it in all {n} paths, so its "
            "conditional law has no density. Remove periods or assets that repeat others, or add the noise that was "
            "left out."
        )


def fit_linear_prediction(paths: Array) -> LinearPredictionWhitening:
    """Choose the mean and covariance structure by cross-validation and fit it to all paths.

    Parameters
    ----------
    paths : ndarray of shape (path, time, asset), float64
        Independent paths from a common start.

    Returns
    -------
    LinearPredictionWhitening

    Raises
    ------
    DataError
        If there are fewer than 20 paths or no structure has positive conditional variances.
    """
    n, periods, n_assets = paths.shape
    if n < 20:
        raise DataError(
            f"fitting the law of a path needs at least 20 paths: got {n}. Pass more paths, or one long history "
            "as a ReturnPanel."
        )
    n_train = n - n // _FOLDS - 1
    if n_train > periods * n_assets and periods * n_assets <= _LARGEST_SATURATED:
        _require_randomness(paths)
    structures = dict(_candidates(n_train, periods, n_assets))
    scores = {name: _held_out(paths, fit, "constant") for name, fit in structures.items()}
    structure = min(scores, key=lambda name: scores[name])
    if not np.isfinite(scores[structure]):
        raise DataError(
            "no linear structure has positive conditional variances on these paths: some asset is constant, or a "
            "linear combination of the others. Remove it."
        )
    mean_scores = {m: _held_out(paths, structures[structure], m) for m in ("zero", "constant", "by_period")}
    mean_model = min(mean_scores, key=lambda m: mean_scores[m])
    mean = _means(paths)[mean_model]
    law = _law(structures[structure], paths - mean)
    if law is None or not np.isfinite(negative_log_likelihood(law, paths - mean)):
        raise DataError(
            "the chosen linear structure is singular on the full sample: remove constant or repeated assets."
        )
    return LinearPredictionWhitening(
        mean=torch.from_numpy(mean),
        coefficients=torch.from_numpy(law.coefficients),
        roots=torch.from_numpy(np.linalg.cholesky(law.covariances)),
        homogeneous=law.homogeneous and mean_model != "by_period",
        model=f"{structure}, mean {mean_model}",
    )
