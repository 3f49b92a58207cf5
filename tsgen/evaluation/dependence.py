"""Dependence across assets in the same period: correlations, covariance, joint extremes.

Needs two assets. Dependence over time is in `temporal_law`.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tsgen.evaluation.finite_input import require_finite
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.world_comparison import DEFAULT_EFFORT, ComparisonEffort, compare_worlds, root_mean_square
from tsgen.random_streams import numpy_stream

_GROUP = "dependence"
_TAIL = 0.05


def dependence(
    pairs: PairedWindows, *, seed: int, effort: ComparisonEffort = DEFAULT_EFFORT
) -> tuple[MetricResult, ...]:
    """Compare the dependence between assets.

    Parameters
    ----------
    pairs : PairedWindows
        At least two assets.
    seed : int
    effort : ComparisonEffort

    Returns
    -------
    tuple of MetricResult
        Root mean square difference over pairs of Pearson and Spearman correlations and of the lower and upper tail
        dependence at 5 %, all of returns in units of their date (`PairedWindows.scaled_members`); and the Frobenius
        norm of the difference of the unscaled covariances relative to that of the pool.

    Raises
    ------
    DataError
        If there is one asset only, or an asset does not move in some world.
    ConfigError
        If ``seed`` is no non-negative integer.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> common = rng.standard_normal((40, 5, 1))
    >>> pairs = PairedWindows(
    ...     realised=common + rng.standard_normal((40, 5, 2)), generated=rng.standard_normal((40, 9, 5, 2)) * 2**0.5,
    ...     assets=("A", "B"), kind="log",
    ... )
    >>> [r.metric for r in dependence(pairs, seed=0) if r.verdict == "above floor"][:3]
    ['Pearson', 'Spearman', 'covariance']
    """
    pairs.require(metric="dependence across assets", n_assets=2)
    rng = numpy_stream(seed, _GROUP)
    members, scaled = pairs.members, pairs.scaled_members
    pearson = compare_worlds(scaled, pearson_correlations, rng=rng, effort=effort)
    ranks = compare_worlds(scaled, _rank_dependence, rng=rng, effort=effort)
    pool = _covariance(members.reshape(-1, 1, pairs.n_assets))
    size = float(np.linalg.norm(pool))
    covariance = compare_worlds(members, _covariance, rng=rng, effort=effort)
    return (
        pearson.measure(root_mean_square, group=_GROUP, metric="Pearson"),
        ranks.measure(lambda d: root_mean_square(d[0]), group=_GROUP, metric="Spearman"),
        covariance.measure(lambda d: float(np.linalg.norm(d)) / size, group=_GROUP, metric="covariance"),
        ranks.measure(lambda d: root_mean_square(d[1]), group=_GROUP, metric="tail dependence lower 5 %"),
        ranks.measure(lambda d: root_mean_square(d[2]), group=_GROUP, metric="tail dependence upper 5 %"),
    )


def pearson_correlations(world: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlations of all asset pairs over all periods of all units.

    Parameters
    ----------
    world : array of shape (unit, time, asset)

    Returns
    -------
    ndarray of shape (asset * (asset - 1) / 2,), float64

    Examples
    --------
    >>> pearson_correlations(np.array([[[1.0, 2.0], [2.0, 4.0], [4.0, 8.0]]])).round(6).tolist()
    [1.0]
    """
    return _upper(_standardised_product(world.reshape(-1, world.shape[-1])))


def tail_dependence(uniforms: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Share of joint exceedances, ``P(U_i <= q, U_j <= q) / q``, for all pairs.

    Parameters
    ----------
    uniforms : array of shape (observation, asset), in (0, 1)
        Ranks divided by their number plus one; pass ``1 - uniforms`` for the upper tail.
    level : float
        q.

    Returns
    -------
    ndarray of shape (asset * (asset - 1) / 2,), float64
        About ``q`` for independent assets, 1 for comonotone ones.

    Examples
    --------
    >>> u = np.arange(1, 100)[:, None] / 100
    >>> tail_dependence(np.hstack([u, u, 1 - u]), 0.05).round(6).tolist()
    [1.0, 0.0, 0.0]
    """
    require_finite(uniforms, "ranks")
    beyond = (uniforms <= level + 1e-12).astype(np.float64)
    return _upper(beyond.T @ beyond) / (level * (len(uniforms) + 1))


def _rank_dependence(world: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman correlations, lower and upper tail dependence, shape (3, pair)."""
    flat = world.reshape(-1, world.shape[-1])
    uniforms = rankdata(flat, axis=0) / (len(flat) + 1)
    spearman = _upper(_standardised_product(uniforms))
    return np.stack([spearman, tail_dependence(uniforms, _TAIL), tail_dependence(1.0 - uniforms, _TAIL)])


def _standardised_product(flat: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = flat - flat.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        # an asset that stands still becomes NaN and is refused by the comparison, which knows the context
        unit = centred / np.sqrt((centred**2).sum(axis=0))
    return unit.T @ unit


def _covariance(world: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = world.reshape(-1, world.shape[-1])
    centred = flat - flat.mean(axis=0)
    return centred.T @ centred / (len(flat) - 1)


def _upper(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return matrix[np.triu_indices(len(matrix), k=1)]
