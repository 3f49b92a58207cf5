"""Laws of what a risk desk reads off a path: drawdown, realised volatility, terminal return.

Each for the equally weighted portfolio and for single assets, in two ways: the law pooled over dates, and
the rank of the realised value among the scenarios of its own date (which must be uniform: only this one
sees whether the forecast moves with the date).
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError
from tsgen.evaluation.finite_input import require_finite
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.world_comparison import DEFAULT_EFFORT, ComparisonEffort, WorldComparison, compare_worlds
from tsgen.random_streams import numpy_stream
from tsgen.return_kind import ReturnKind, convert_returns

Functional = Literal["maximum drawdown", "realised volatility", "terminal return"]
FUNCTIONALS: tuple[Functional, ...] = ("maximum drawdown", "realised volatility", "terminal return")

_GROUP = "path functionals"
_CELLS = 100


def path_functionals(
    pairs: PairedWindows, *, seed: int, effort: ComparisonEffort = DEFAULT_EFFORT
) -> tuple[MetricResult, ...]:
    """Compare the laws of path functionals, pooled over dates and rank by rank.

    Parameters
    ----------
    pairs : PairedWindows
        Windows of at least 2 periods.
    seed : int
    effort : ComparisonEffort

    Returns
    -------
    tuple of MetricResult
        For maximum drawdown, realised volatility and terminal return: Kolmogorov-Smirnov distance of the pooled laws
        (``"law of ..."``) and distance of the ranks within dates from uniformity (``"rank of ..."``), for the equally
        weighted portfolio, rebalanced every period, and averaged over assets.

    Raises
    ------
    DataError
        If windows have one period only, or simple returns fall to -100 %.
    ConfigError
        If ``seed`` is no non-negative integer.

    References
    ----------
    Diebold, Gunther, Tay (1998), "Evaluating density forecasts", section 3 (probability integral transform).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pairs = PairedWindows(
    ...     realised=0.01 * rng.standard_normal((60, 5, 1)), generated=0.02 * rng.standard_normal((60, 19, 5, 1)),
    ...     assets=("A",), kind="log",
    ... )
    >>> {r.metric: r.verdict for r in path_functionals(pairs, seed=0)}["rank of realised volatility, portfolio"]
    'above floor'
    """
    pairs.require(metric="path functionals", horizon=2)
    rng = numpy_stream(seed, _GROUP)
    members = pairs.members
    results = []
    for scope in ("portfolio", "assets"):
        paths = equally_weighted(members, kind=pairs.kind) if scope == "portfolio" else members
        for functional in FUNCTIONALS:
            values = functional_values(paths, functional, kind=pairs.kind)
            for what, uniforms in (("law", _pooled_ranks(values)), ("rank", ranks_within_units(values, rng=rng))):
                comparison = compare_worlds(_in_cells(uniforms), _distribution, rng=rng, effort=effort)
                results.append(_result(comparison, f"{what} of {functional}, {scope}"))
    return tuple(results)


def equally_weighted(windows: NDArray[np.float64], *, kind: ReturnKind) -> NDArray[np.float64]:
    """Returns of the equally weighted portfolio, rebalanced every period, in the same convention.

    Parameters
    ----------
    windows : array of shape (..., time, asset)
    kind : {"simple", "log"}

    Returns
    -------
    ndarray of shape (..., time, 1), float64

    Examples
    --------
    >>> equally_weighted(np.array([[0.1, 0.3]]), kind="simple").round(12).tolist()
    [[0.2]]
    """
    simple = convert_returns(windows, from_kind=kind, to_kind="simple")
    return convert_returns(simple.mean(axis=-1, keepdims=True), from_kind="simple", to_kind=kind)


def functional_values(windows: NDArray[np.float64], functional: Functional, *, kind: ReturnKind) -> NDArray[np.float64]:
    """One number per path and asset.

    Parameters
    ----------
    windows : array of shape (..., time, asset)
        Decimals per period.
    functional : {"maximum drawdown", "realised volatility", "terminal return"}
        Largest loss from a running peak (positive, at most 1, the start counts as a peak); root mean square return per
        period, not annualised; simple return over the window.
    kind : {"simple", "log"}

    Returns
    -------
    ndarray of shape (..., asset), float64

    Raises
    ------
    ConfigError
        If the functional is unknown.
    DataError
        If simple returns fall to -100 %.

    Examples
    --------
    >>> path = np.array([[0.1], [-0.5], [0.2]])
    >>> functional_values(path, "maximum drawdown", kind="simple").round(12).tolist()
    [0.5]
    """
    if functional == "realised volatility":
        return np.sqrt((windows**2).mean(axis=-2))
    if functional not in FUNCTIONALS:
        raise ConfigError(f"functional must be one of {', '.join(FUNCTIONALS)}: got {functional!r}.")
    wealth = np.cumsum(convert_returns(windows, from_kind=kind, to_kind="log"), axis=-2)
    if functional == "terminal return":
        return np.expm1(wealth[..., -1, :])
    peak = np.maximum(np.maximum.accumulate(wealth, axis=-2), 0.0)
    return -np.expm1((wealth - peak).min(axis=-2))


def ranks_within_units(values: NDArray[np.float64], *, rng: np.random.Generator) -> NDArray[np.float64]:
    """Rank of every member among the members of its unit, as a number in (0, 1); ties are broken at random.

    Parameters
    ----------
    values : array of shape (unit, member, asset)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (unit, member, asset), float64
        ``(rank - 1/2) / members``.

    Examples
    --------
    >>> ranks_within_units(np.array([[[3.0], [1.0]]]), rng=np.random.default_rng(0)).tolist()
    [[[0.75], [0.25]]]
    """
    require_finite(values, "functionals")
    tie_breaker = rng.random(values.shape)
    order = np.lexsort((tie_breaker, values), axis=1)
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, np.arange(values.shape[1])[None, :, None] + 0.5, axis=1)
    return ranks / values.shape[1]


def _pooled_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average rank of every value in the pool of all units and members, asset by asset, in (0, 1)."""
    flat = values.reshape(-1, values.shape[-1])
    uniforms = np.empty_like(flat)
    for i in range(flat.shape[1]):
        ordered = np.sort(flat[:, i])
        below = np.searchsorted(ordered, flat[:, i], side="left")
        above = np.searchsorted(ordered, flat[:, i], side="right")
        uniforms[:, i] = (below + above) / (2.0 * len(ordered))
    return uniforms.reshape(values.shape)


def _in_cells(uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
    cells = np.minimum((uniforms * _CELLS).astype(np.int64), _CELLS - 1)
    return cells + _CELLS * np.arange(uniforms.shape[-1])


def _distribution(world: NDArray[np.int64]) -> NDArray[np.float64]:
    n_units, n_assets = world.shape
    counts = np.bincount(world.ravel(), minlength=n_assets * _CELLS).reshape(n_assets, _CELLS)
    return np.cumsum(counts, axis=1) / n_units


def _result(comparison: WorldComparison, metric: str) -> MetricResult:
    distance: Callable[[NDArray[np.float64]], float] = lambda d: float(np.abs(d).max(axis=1).mean())  # noqa: E731
    return comparison.measure(distance, group=_GROUP, metric=metric)
