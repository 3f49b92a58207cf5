"""Dependence over time inside windows: memory of returns and of volatility, leverage, arrow of time.

Returns are measured in units of their date (`PairedWindows.scaled_members`). All products are taken within
windows and centred by the mean of the pool of all members, never window by window: demeaning each short
window would bias autocorrelations by about -1/T in any law.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.world_comparison import DEFAULT_EFFORT, ComparisonEffort, compare_worlds, root_mean_square
from tsgen.random_streams import numpy_stream

_GROUP = "temporal law"
_LONGEST_DEFAULT_LAG = 10
_LONGEST_CROSS_LAG = 5
_AGGREGATIONS = (1, 2, 5, 10, 20, 60)
# of one sign over many lags: their mean is less noisy than any single lag
_PERSISTENT = ("ACF |r|", "leverage")


def temporal_law(
    pairs: PairedWindows,
    *,
    seed: int,
    lags: Sequence[int] | None = None,
    effort: ComparisonEffort = DEFAULT_EFFORT,
) -> tuple[MetricResult, ...]:
    """Compare the dependence over time.

    Parameters
    ----------
    pairs : PairedWindows
        Windows of at least 3 periods.
    seed : int
    lags : sequence of int, optional
        Between 1 and T - 1; by default 1 to 10, or as many as the windows allow.
    effort : ComparisonEffort

    Returns
    -------
    tuple of MetricResult
        Root mean square differences over lags and assets of the autocorrelations of r, |r| and r^2, of the leverage
        function ``corr(r_t, r_{t+k}^2)`` and of the time reversal statistic
        ``E[r_t^2 r_{t+k} - r_t r_{t+k}^2] / sd^3``; absolute difference of the means over lags and
        assets of the autocorrelation of |r| and of the leverage function (long memory shows there first); difference of
        the log kurtosis of sums over 1, 2, 5, ... periods; with two assets or more, of the lagged cross-correlations
        (lags up to 5).

    Raises
    ------
    DataError
        If windows have fewer than 3 periods.
    ConfigError
        If a lag is outside 1 .. T - 1, or ``seed`` is no non-negative integer.

    References
    ----------
    Cont (2001), "Empirical properties of asset returns", section 4; Ramsey, Rothman (1996), "Time irreversibility
    and business cycle asymmetry", equation 4.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise = rng.standard_normal((60, 9, 8, 1))
    >>> moving = noise[:, 0, 1:] + noise[:, 0, :-1]
    >>> pairs = PairedWindows(
    ...     realised=moving, generated=noise[:, 1:, 1:] * 2**0.5, assets=("A",), kind="log",
    ... )
    >>> temporal_law(pairs, seed=0)[0].verdict
    'above floor'
    """
    pairs.require(metric="the law over time", horizon=3)
    used = _checked_lags(lags, pairs.horizon)
    rng = numpy_stream(seed, _GROUP)
    centred = _centred(pairs.scaled_members)
    # unit variance: the leverage function below is centred by one
    scaled = centred / np.sqrt(_pool_mean(centred**2))
    acf = lagged_correlations(used)
    inputs = {
        "ACF r": (scaled, acf),
        "ACF |r|": (_centred(np.abs(scaled)), acf),
        "ACF r^2": (_centred(scaled**2), acf),
        "leverage": (scaled, _leverage(used)),
        "time reversal": (scaled, _time_reversal(used)),
        "aggregational Gaussianity": (scaled, _log_kurtosis(pairs.horizon)),
    }
    results = []
    for metric, (values, statistic) in inputs.items():
        comparison = compare_worlds(values, statistic, rng=rng, effort=effort)
        results.append(comparison.measure(root_mean_square, group=_GROUP, metric=metric))
        if metric in _PERSISTENT:
            results.append(comparison.measure(_mean_gap, group=_GROUP, metric=f"{metric}, mean over lags"))
    if pairs.n_assets > 1:
        results.append(lagged_cross_correlation(pairs, seed=seed, effort=effort))
    return tuple(results)


def lagged_cross_correlation(
    pairs: PairedWindows, *, seed: int, effort: ComparisonEffort = DEFAULT_EFFORT
) -> MetricResult:
    """Compare correlations between one asset today and another up to five periods later.

    Parameters
    ----------
    pairs : PairedWindows
        At least two assets and two periods.
    seed : int
    effort : ComparisonEffort

    Returns
    -------
    MetricResult
        Root mean square difference over ordered pairs and lags.

    Raises
    ------
    DataError
        If there is one asset or one period only.
    ConfigError
        If ``seed`` is no non-negative integer.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pairs = PairedWindows(
    ...     realised=rng.standard_normal((40, 5, 2)), generated=rng.standard_normal((40, 9, 5, 2)),
    ...     assets=("A", "B"), kind="log",
    ... )
    >>> lagged_cross_correlation(pairs, seed=0).verdict
    'at floor'
    """
    pairs.require(metric="lagged cross-correlation", n_assets=2, horizon=2)
    lags = range(1, min(_LONGEST_CROSS_LAG, pairs.horizon - 1) + 1)
    rng = numpy_stream(seed, f"{_GROUP} across assets")
    comparison = compare_worlds(_centred(pairs.scaled_members), _cross(lags), rng=rng, effort=effort)
    return comparison.measure(root_mean_square, group=_GROUP, metric="lagged cross-correlations")


def lagged_correlations(lags: Sequence[int]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Statistic of known-mean autocorrelations, pooled over windows.

    ``rho_k = mean(x_t x_{t+k}) / mean(x_t^2)``: numerator over the pairs inside windows, denominator over all periods.

    Parameters
    ----------
    lags : sequence of int
        Between 1 and T - 1.

    Returns
    -------
    callable
        From centred windows (unit, time, asset) to an array (lag, asset).

    Examples
    --------
    >>> lagged_correlations([1])(np.array([[[1.0], [-1.0], [1.0]]])).tolist()
    [[-1.0]]
    """

    def statistic(world: NDArray[np.float64]) -> NDArray[np.float64]:
        variance = (world**2).mean(axis=(0, 1))
        return np.stack([_mean_product(world[:, :-k], world[:, k:]) for k in lags]) / variance

    return statistic


def _checked_lags(lags: Sequence[int] | None, horizon: int) -> tuple[int, ...]:
    if lags is None:
        return tuple(range(1, min(_LONGEST_DEFAULT_LAG, horizon - 1) + 1))
    wrong = [k for k in lags if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 0 < k < horizon]
    if wrong or len(lags) == 0:
        raise ConfigError(
            f"lags must be integers between 1 and {horizon - 1}, one less than the window: got {list(lags)}. "
            "Use longer windows for longer lags."
        )
    return tuple(int(k) for k in lags)


def _pool_mean(members: NDArray[np.float64]) -> NDArray[np.float64]:
    return members.reshape(-1, members.shape[-1]).mean(axis=0)


def _centred(members: NDArray[np.float64]) -> NDArray[np.float64]:
    return members - _pool_mean(members)


def _mean_gap(difference: NDArray[np.float64]) -> float:
    return abs(float(difference.mean()))


def _mean_product(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.einsum("uta,uta->a", first, second) / (first.shape[0] * first.shape[1])


def _leverage(lags: Sequence[int]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    def statistic(world: NDArray[np.float64]) -> NDArray[np.float64]:
        # centred by the mean square of the pool, which is 1 in these units
        excess = world**2 - 1.0
        size = np.sqrt((world**2).mean(axis=(0, 1)) * (excess**2).mean(axis=(0, 1)))
        return np.stack([_mean_product(world[:, :-k], excess[:, k:]) for k in lags]) / size

    return statistic


def _time_reversal(lags: Sequence[int]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    def statistic(world: NDArray[np.float64]) -> NDArray[np.float64]:
        square = world**2
        size = square.mean(axis=(0, 1)) ** 1.5
        forward = [_mean_product(square[:, :-k], world[:, k:]) for k in lags]
        backward = [_mean_product(world[:, :-k], square[:, k:]) for k in lags]
        return (np.stack(forward) - np.stack(backward)) / size

    return statistic


def _log_kurtosis(horizon: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Logarithm of the kurtosis of sums over disjoint blocks, shape (aggregation, asset); log 3 for Gaussian sums."""
    blocks = [h for h in _AGGREGATIONS if h <= horizon]

    def statistic(world: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = []
        for h in blocks:
            count = world.shape[1] // h
            sums = world[:, : count * h].reshape(world.shape[0], count, h, world.shape[2]).sum(axis=2)
            rows.append(np.log((sums**4).mean(axis=(0, 1)) / (sums**2).mean(axis=(0, 1)) ** 2))
        return np.stack(rows)

    return statistic


def _cross(lags: Sequence[int]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    def statistic(world: NDArray[np.float64]) -> NDArray[np.float64]:
        n_assets = world.shape[2]
        deviation = np.sqrt((world**2).mean(axis=(0, 1)))
        outside = ~np.eye(n_assets, dtype=bool)
        rows = []
        for k in lags:
            early, late = world[:, :-k].reshape(-1, n_assets), world[:, k:].reshape(-1, n_assets)
            rows.append((early.T @ late / len(early) / np.outer(deviation, deviation))[outside])
        return np.stack(rows)

    return statistic
