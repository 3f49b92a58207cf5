"""Adapted Wasserstein distance between two samples of paths of one asset: a cross-check for short horizons.

Paths are rounded to a few cells per period, which makes two finite trees; their nested distance is solved
backwards, exactly. The estimate knows the whole conditional law and not only moments, but its bias falls like
``n^(-1/T)``: read it beside its same-law floor, never as a score. For Gaussian laws use the closed form.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.adapted_wasserstein import SamplingFloor

MAX_PERIODS = 5


class _Node(NamedTuple):
    """Children of one quantised history: next values, their probabilities, their own children."""

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    children: "list[_Node]"


def nested_adapted_wasserstein(first: ArrayLike, second: ArrayLike, *, n_cells: int | None = None) -> float:
    """Nested estimate of the adapted 2-Wasserstein distance between two samples of paths.

    Parameters
    ----------
    first, second : array of shape (path, time) or (path, time, 1), float64
        Paths of one asset; at most 5 periods. The law of a path includes its level: subtract what is known.
    n_cells : int, optional
        Cells per period; ``n^(1/(T+1))`` of the smaller sample by default. Values are rounded to the mean of their
        cell of equal frequency in both samples together; fewer distinct values than cells are kept exactly.

    Returns
    -------
    float
        The distance (not squared), in the unit of the paths. It is positive for equal laws: see
        `nested_same_law_floor`.

    Raises
    ------
    ShapeError
        If axes or horizons do not agree, or there is more than one asset.
    DataError
        If values are not finite, all paths of a sample are the same, or there are fewer than 8.
    ConfigError
        If the horizon or ``n_cells`` is out of range.

    Notes
    -----
    The last period is one-dimensional transport with a convex cost, solved by sorting; earlier ones are linear
    programs, ``n_cells^(2 t)`` of them at period t.

    References
    ----------
    Backhoff, Bartl, Beiglboeck, Wiesel (2022), "Estimating processes in adapted Wasserstein distance", Annals of
    Applied Probability 32 (adapted empirical measure); Pflug, Pichler (2012), "A distance for multistage stochastic
    optimization models", SIAM Journal on Optimization 22 (backward recursion).

    Examples
    --------
    >>> early = [[-0.1, -1.0], [0.1, 1.0]] * 4  # the first step tells the second
    >>> late = [[0.0, -1.0], [0.0, 1.0]] * 4  # it does not: the ordinary distance is 0.1
    >>> round(nested_adapted_wasserstein(early, late, n_cells=4) ** 2, 6)
    2.01
    """
    a, b = _checked_paths(first, name="first"), _checked_paths(second, name="second")
    if a.shape[1] != b.shape[1]:
        raise ShapeError(f"both samples must have the same horizon: got {a.shape[1]} and {b.shape[1]} periods.")
    periods = a.shape[1]
    cells = n_cells if n_cells is not None else max(2, round(min(len(a), len(b)) ** (1.0 / (periods + 1))))
    if isinstance(cells, bool) or not isinstance(cells, (int, np.integer)) or cells < 2:
        raise ConfigError(f"n_cells must be an integer of at least 2: got {n_cells!r}.")
    both = np.concatenate([a, b])
    rounded = np.column_stack([_quantised(both[:, t], int(cells)) for t in range(periods)])
    return float(np.sqrt(_nested_cost(_tree(rounded[: len(a)]), _tree(rounded[len(a) :]))))


def nested_same_law_floor(
    first: ArrayLike,
    second: ArrayLike,
    *,
    repetitions: int,
    rng: np.random.Generator,
    n_cells: int | None = None,
) -> SamplingFloor:
    """Distance that samples of these sizes show if both come from one law: paths of both, shuffled.

    Parameters
    ----------
    first, second : array of shape (path, time) or (path, time, 1), float64
    repetitions : int
        At least 2.
    rng : numpy.random.Generator
    n_cells : int, optional

    Raises
    ------
    ShapeError, DataError, ConfigError
        As `nested_adapted_wasserstein`; also for fewer than two repetitions.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> paths = rng.standard_normal((400, 2))
    >>> 0.05 < nested_same_law_floor(paths[:200], paths[200:], repetitions=5, rng=rng).mean < 0.6
    True
    """
    if isinstance(repetitions, bool) or not isinstance(repetitions, (int, np.integer)) or repetitions < 2:
        raise ConfigError(f"repetitions must be at least 2, or the floor has no spread: got {repetitions!r}.")
    a, b = _checked_paths(first, name="first"), _checked_paths(second, name="second")
    if a.shape[1] != b.shape[1]:
        raise ShapeError(f"both samples must have the same horizon: got {a.shape[1]} and {b.shape[1]} periods.")
    both = np.concatenate([a, b])
    distances = []
    for _ in range(repetitions):
        order = rng.permutation(len(both))
        distances.append(nested_adapted_wasserstein(both[order[: len(a)]], both[order[len(a) :]], n_cells=n_cells))
    return SamplingFloor(mean=float(np.mean(distances)), standard_deviation=float(np.std(distances, ddof=1)))


def _checked_paths(paths: ArrayLike, *, name: str) -> NDArray[np.float64]:
    values = np.asarray(paths, dtype=np.float64)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.ndim != 2 or 0 in values.shape:
        raise ShapeError(
            f"{name} must be paths of one asset, shape (path, time) or (path, time, 1): got {values.shape}. "
            "For several assets use the Gaussian closed form."
        )
    if not np.isfinite(values).all():
        raise DataError(f"{name} must be finite: {int((~np.isfinite(values)).sum())} values are not.")
    if len(values) < 8:
        raise DataError(f"{name} must hold at least 8 paths to show a conditional law: got {len(values)}.")
    if (np.ptp(values, axis=0) == 0.0).all():
        raise DataError(
            f"all {len(values)} paths of {name} are the same: there is no law to compare. Repair what made them."
        )
    if values.shape[1] > MAX_PERIODS:
        raise ConfigError(
            f"the nested estimate has no meaning beyond {MAX_PERIODS} periods (its bias falls like n^(-1/T)): got "
            f"{values.shape[1]}. Compare the first periods, or use fitted_adapted_wasserstein."
        )
    return values


def _quantised(values: NDArray[np.float64], n_cells: int) -> NDArray[np.float64]:
    """Values rounded to the means of cells of equal frequency."""
    if np.unique(values).size <= n_cells:
        return values
    edges = np.quantile(values, np.arange(1, n_cells) / n_cells)
    cell = np.searchsorted(edges, values, side="right")
    counts = np.bincount(cell, minlength=n_cells)
    sums = np.bincount(cell, weights=values, minlength=n_cells)
    return (sums / np.maximum(counts, 1))[cell]


def _tree(paths: NDArray[np.float64]) -> _Node:
    values, index, counts = np.unique(paths[:, 0], return_inverse=True, return_counts=True)
    children = [_tree(paths[index == i, 1:]) for i in range(values.size)] if paths.shape[1] > 1 else []
    return _Node(values, counts / counts.sum(), children)


def _nested_cost(a: _Node, b: _Node) -> float:
    """Smallest expected squared distance over bicausal couplings of two trees."""
    if not a.children:
        return _sorted_transport(a, b)
    cost = (a.values[:, None] - b.values[None, :]) ** 2
    cost += np.array([[_nested_cost(x, y) for y in b.children] for x in a.children])
    return _transport(cost, a.weights, b.weights)


def _sorted_transport(a: _Node, b: _Node) -> float:
    """One-dimensional transport with squared cost: the monotone coupling."""
    levels = np.union1d(np.cumsum(a.weights), np.cumsum(b.weights))
    levels = levels[levels < 1.0 - 1e-12]
    starts = np.concatenate([[0.0], levels])
    middle = 0.5 * (starts + np.append(levels, 1.0))
    x = a.values[np.searchsorted(np.cumsum(a.weights)[:-1], middle)]
    y = b.values[np.searchsorted(np.cumsum(b.weights)[:-1], middle)]
    return float((np.diff(np.append(starts, 1.0)) * (x - y) ** 2).sum())


def _transport(cost: NDArray[np.float64], p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Optimal transport cost between two small discrete laws (linear program)."""
    if p.size == 1 or q.size == 1:
        return float(p @ cost @ q)
    rows = np.kron(np.eye(p.size), np.ones(q.size))
    columns = np.kron(np.ones(p.size), np.eye(q.size))
    # one constraint is implied by the others; leaving it out keeps rounding from making the program infeasible
    solution = linprog(
        cost.ravel(), A_eq=np.vstack([rows, columns[:-1]]), b_eq=np.concatenate([p, q[:-1]]), method="highs"
    )
    if solution.status != 0:
        raise DataError(f"a transport problem of the nested distance failed: {solution.message}. Use fewer cells.")
    return max(float(solution.fun), 0.0)
