"""Law of single returns: distribution functions, quantiles and tail indices, real against generated.

Blind to dependence over time and across assets; see `temporal_law` and `dependence`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import DataError
from tsgen.evaluation.finite_input import require_finite
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.world_comparison import DEFAULT_EFFORT, ComparisonEffort, WorldComparison, compare_worlds
from tsgen.random_streams import numpy_stream

QUANTILE_LEVELS: tuple[float, ...] = (0.01, 0.05, 0.25, 0.50, 0.75, 0.95, 0.99)

_GROUP = "marginal law"
# cells of equal probability: a distance of distribution functions is exact to half a cell, 1/512
_CELLS = 256
_TAIL_SHARE = 0.05
# a Hill estimate from k exceedances has a relative error of 1/sqrt(k): 10 of them give 30 %
_FEWEST_EXCEEDANCES = 10


def marginal_law(
    pairs: PairedWindows, *, seed: int, effort: ComparisonEffort = DEFAULT_EFFORT
) -> tuple[MetricResult, ...]:
    """Compare the laws of single returns.

    Parameters
    ----------
    pairs : PairedWindows
        At least 200 returns per asset over all units, so that both tails have 10 exceedances.
    seed : int
    effort : ComparisonEffort

    Returns
    -------
    tuple of MetricResult
        Kolmogorov-Smirnov distances (each asset mapped to the probability levels of its pool, then pooled over assets;
        mean and maximum over assets), absolute quantile differences at 1, 5, 25, 50, 75, 95, 99 % in standard
        deviations of the asset, averaged over assets; and the difference of the Hill estimates of ``1 / alpha``
        beyond the 5 % and 95 % quantiles, averaged over assets, for each tail. If units are dates, distances and tails
        again in units of the date (`PairedWindows.scaled_members`), where they see the conditional law.

    Raises
    ------
    DataError
        If there are fewer than 200 returns per asset, or a tail is degenerate.
    ConfigError
        If ``seed`` is no non-negative integer.

    References
    ----------
    Hill (1975), "A simple general approach to inference about the tail of a distribution".

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pairs = PairedWindows(
    ...     realised=rng.standard_normal((40, 5, 1)), generated=rng.standard_normal((40, 9, 5, 1)) * 3,
    ...     assets=("A",), kind="log",
    ... )
    >>> {r.metric: r.verdict for r in marginal_law(pairs, seed=0)}["KS pooled"]
    'above floor'
    """
    rng = numpy_stream(seed, _GROUP)
    _check_size(pairs)
    members = pairs.members
    quantiles = compare_worlds(_standardised(members), _quantiles, rng=rng, effort=effort)
    results = _quantile_results(quantiles)
    variants = {"": members}
    if pairs.dates is not None:
        variants[", in units of the date"] = pairs.scaled_members
    for suffix, values in variants.items():
        functions = _distribution_functions(pairs.n_assets)
        distribution = compare_worlds(_cells(values), functions, rng=rng, effort=effort)
        tails = compare_worlds(_standardised(values), hill_indices, rng=rng, effort=effort)
        results += _distribution_results(distribution, suffix) + _tail_results(tails, suffix)
    return tuple(results)


def hill_indices(world: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hill estimates of ``1 / alpha`` beyond the 5 % and the 95 % quantile of each asset.

    Parameters
    ----------
    world : array of shape (unit, time, asset)
        Centred returns.

    Returns
    -------
    ndarray of shape (2, asset), float64
        Lower tail, upper tail. 0.25 means a tail index of 4; thin tails give small positive numbers.

    Raises
    ------
    DataError
        If a quantile is not on its own side of zero.

    Examples
    --------
    >>> draws = np.random.default_rng(0).standard_t(4, size=(20000, 1, 1))
    >>> bool((abs(hill_indices(draws) - 0.3) < 0.06).all())
    True
    """
    require_finite(world, "returns")
    flat = world.reshape(-1, world.shape[-1])
    count = max(_FEWEST_EXCEEDANCES, int(_TAIL_SHARE * len(flat)))
    ordered = np.sort(flat, axis=0)
    estimates = []
    for largest in (-ordered[: count + 1], ordered[-(count + 1) :][::-1]):
        threshold = largest[-1]
        if (threshold <= 0.0).any():
            raise DataError(
                f"a tail of {count} returns reaches beyond the centre of the law: most returns are equal or one-sided. "
                "Remove assets with stale prices."
            )
        estimates.append(np.log(largest[:-1] / threshold).mean(axis=0))
    return np.stack(estimates)


def _check_size(pairs: PairedWindows) -> None:
    count = pairs.n_units * pairs.horizon
    needed = int(_FEWEST_EXCEEDANCES / _TAIL_SHARE)
    if count < needed:
        raise DataError(
            f"tails at 5 % need at least {needed} returns per asset: got {pairs.n_units} units x {pairs.horizon} "
            f"periods = {count}. Use more dates or longer windows."
        )


def _standardised(members: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre by the median and scale by the standard deviation of each asset over all members."""
    flat = members.reshape(-1, members.shape[-1])
    return (members - np.median(flat, axis=0)) / flat.std(axis=0)


def _cells(members: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number of the probability cell of the pooled law, asset by asset, shifted by asset."""
    flat = members.reshape(-1, members.shape[-1])
    edges = np.quantile(flat, np.arange(1, _CELLS) / _CELLS, axis=0)
    cells = np.empty(members.shape, dtype=np.int64)
    for i in range(members.shape[-1]):
        cells[..., i] = i * _CELLS + np.searchsorted(edges[:, i], members[..., i], side="left")
    return cells


def _distribution_functions(n_assets: int) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    def statistic(world: NDArray[np.int64]) -> NDArray[np.float64]:
        counts = np.bincount(world.ravel(), minlength=n_assets * _CELLS).reshape(n_assets, _CELLS)
        return np.cumsum(counts, axis=1) / (world.size // n_assets)

    return statistic


def _quantiles(world: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.quantile(world.reshape(-1, world.shape[-1]), QUANTILE_LEVELS, axis=0)


def _distribution_results(comparison: WorldComparison, suffix: str) -> list[MetricResult]:
    distances = {
        "KS pooled": lambda d: float(np.abs(d.mean(axis=0)).max()),
        "KS asset mean": lambda d: float(np.abs(d).max(axis=1).mean()),
        "KS asset maximum": lambda d: float(np.abs(d).max()),
    }
    return [comparison.measure(distance, group=_GROUP, metric=name + suffix) for name, distance in distances.items()]


def _quantile_results(comparison: WorldComparison) -> list[MetricResult]:
    results = []
    for i, level in enumerate(QUANTILE_LEVELS):
        signed = float(comparison.difference[i].mean())
        results.append(
            comparison.measure(
                lambda d, i=i: float(np.abs(d[i]).mean()),
                group=_GROUP,
                metric=f"quantile {100 * level:g} %",
                note=f"realised minus generated, mean over assets: {signed:+.3g} standard deviations",
            )
        )
    return results


def _tail_results(comparison: WorldComparison, suffix: str) -> list[MetricResult]:
    results = []
    for i, side in enumerate(("lower", "upper")):
        real = float(comparison.realised[i].mean())
        made = real - float(comparison.difference[i].mean())
        results.append(
            comparison.measure(
                lambda d, i=i: abs(float(d[i].mean())),
                group=_GROUP,
                metric=f"tail index {side}{suffix}",
                note=f"Hill 1/alpha: realised {real:.3f}, generated {made:.3f}",
            )
        )
    return results
