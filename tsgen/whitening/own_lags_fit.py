"""Which series of a panel follow their own past so strongly that it is taken out first, and how.

Asked is every series: coefficients from one half of the history must explain a tenth of the variance in the other half,
both ways; in long histories less, but never below three hundredths, if that is eight standard errors from nothing. Of
20 stocks, indices, funds, commodities and monthly portfolios none does, in any window tried, but the riskless rate
among the latter does (nine tenths); returns that fall back a little are the business of
`tsgen.whitening.location_memory`. Three hundredths at any length were worse on weekly stocks.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from tsgen.whitening.own_lags import LARGEST_LAG, OwnLagNumbers
from tsgen.whitening.volatility_fit import robust_deviation

Array = NDArray[np.float64]

_MOST_LAGS = 5
_SHARES = (0.03, 0.1)
_SQUARED_ERRORS = 64.0
_WINSOR = 4.0
_FEWEST_DATES = 200  # of a history whose halves are asked; shorter ones say too little
_LARGEST_RADIUS = 0.99


def _design(values: Array, n_lags: int) -> tuple[Array, Array]:
    """Lags (date, lag), the last one first, and the values (date,) after them."""
    columns = [values[n_lags - j - 1 : len(values) - j - 1] for j in range(n_lags)]
    return np.stack(columns, axis=1), values[n_lags:]


def _least_squares(values: Array, n_lags: int) -> Array:
    lags, later = _design(values, n_lags)
    return np.asarray(np.linalg.lstsq(lags, later, rcond=None)[0], dtype=np.float64)


def _explained(values: Array, coefficients: Array) -> float:
    lags, later = _design(values, len(coefficients))
    return 1.0 - float(np.square(later - lags @ coefficients).sum() / max(np.square(later).sum(), 1e-300))


def _number_of_lags(values: Array) -> int:
    """By the Bayesian criterion, on the same dates for every number."""
    scores = []
    for n in range(1, _MOST_LAGS + 1):
        lags, later = _design(values[_MOST_LAGS - n :], n)
        left = later - lags @ np.linalg.lstsq(lags, later, rcond=None)[0]
        scores.append(len(later) * np.log(max(float(np.square(left).mean()), 1e-300)) + n * np.log(len(later)))
    return 1 + int(np.argmin(scores))


def _stationary(coefficients: Array) -> Array:
    """Coefficients whose largest root is at most .99: phi_j times the j-th power of what is too much."""
    companion = np.zeros((len(coefficients), len(coefficients)))
    companion[0] = coefficients
    companion[1:, :-1] = np.eye(len(coefficients) - 1)
    radius = float(np.abs(np.linalg.eigvals(companion)).max())
    shrink = min(1.0, _LARGEST_RADIUS / max(radius, 1e-300))
    return coefficients * shrink ** np.arange(1.0, len(coefficients) + 1.0)


def own_coefficients(values: Array) -> Array:
    """Autoregression of one series (date,), of one to five lags; empty where its past does not explain enough.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal(2000)
    >>> own_coefficients(noise).tolist()
    []
    >>> smoothed = np.convolve(noise, 0.5 ** np.arange(30), mode="valid")
    >>> own_coefficients(smoothed).round(1).tolist()
    [0.5]
    """
    if len(values) < _FEWEST_DATES:
        return np.empty(0)
    centred = values - values.mean()
    bound = _WINSOR * robust_deviation(centred[:, None])[0]
    used = np.clip(centred, -bound, bound)
    n_lags = _number_of_lags(used)
    half = len(used) // 2
    first, second = used[:half], used[half:]
    shares = (
        _explained(second, _least_squares(first, n_lags)),
        _explained(first, _least_squares(second, n_lags)),
    )
    smallest = float(np.clip(_SQUARED_ERRORS / len(values), *_SHARES))
    return _stationary(_least_squares(used, n_lags)) if min(shares) >= smallest else np.empty(0)


def fit_own_lags(returns: Array) -> OwnLagNumbers | None:
    """Autoregressions of the series (date, asset) that have a strong one; ``None`` where none has."""
    found = [own_coefficients(column) for column in returns.T]
    n_lags = max(len(c) for c in found)
    if n_lags == 0:
        return None
    coefficients = np.stack([np.pad(c, (0, n_lags - len(c))) for c in found], axis=1)
    level = np.where(coefficients.any(axis=0), returns.mean(axis=0), 0.0)
    reach = LARGEST_LAG * returns.std(axis=0)
    return OwnLagNumbers(*(torch.from_numpy(x) for x in (coefficients, level, reach)))


def surprises(returns: Array, numbers: OwnLagNumbers) -> Array:
    """What the lags leave of recorded returns (date, asset), which start at their level."""
    level, reach = numbers.level.numpy(), numbers.reach.numpy()
    kept = np.clip(returns - level, -reach, reach)
    left = returns - level
    for j, row in enumerate(numbers.coefficients.numpy(), start=1):
        left[j:] -= row * kept[:-j]
    return left
