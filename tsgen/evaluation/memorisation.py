"""Memorisation: whether the generator invents paths or replays its training data.

A replayed history passes every law test, because it is history. What gives it away is that generated
windows lie closer to a training window than unseen real windows of the same dates do. Blocks of a few
periods are compared with every block of the training data, so copies are found at any offset.
"""

from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray
from sklearn.neighbors import NearestNeighbors

from tsgen.errors import ConfigError, DataError, LookAheadError, ShapeError
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.world_comparison import DEFAULT_EFFORT, ComparisonEffort, compare_worlds
from tsgen.random_streams import numpy_stream

_GROUP = "memorisation"
_DEFAULT_LENGTH = 5
# brute-force search costs queries times training blocks: 20,000 x 6,000 blocks of 100 numbers take about 3 s
_MOST_QUERIES = 20_000
# per coordinate, in standard deviations: a copy that passed through float32 keeps seven digits
_COPY = 1e-5


def memorisation(
    pairs: PairedWindows,
    training: ArrayLike,
    *,
    seed: int,
    length: int | None = None,
    effort: ComparisonEffort = DEFAULT_EFFORT,
) -> tuple[MetricResult, MetricResult, MetricResult]:
    """Compare how close generated and unseen real windows come to the training data.

    Parameters
    ----------
    pairs : PairedWindows
        Realised windows must be unseen: after the training cut-off.
    training : array of shape (date, asset) or (path, time, asset)
        What the generator was fitted on, in the units of the windows.
    seed : int
    length : int, optional
        Periods per block, at most T; by default 5 or T.
    effort : ComparisonEffort

    Returns
    -------
    tuple of MetricResult
        ``"exact copies"``: share of generated blocks found in the training data, minus that of real blocks.
        ``"nearest-neighbour ratio"``: mean of ``1 - d1 / d2`` (nearest over second nearest training block, so free of
        the level of volatility), generated minus real. ``"nearest-neighbour distance"``: mean log d1, real minus
        generated. ``"above floor"`` means closer to the training data than unseen reality is: memorised.

    Raises
    ------
    ShapeError
        If axes or assets do not agree.
    DataError
        If training values are not finite or too few.
    LookAheadError
        If most realised blocks are in the training data: then nothing can be learned about memorisation.
    ConfigError
        If ``length`` is not between 1 and T.

    Notes
    -----
    A block bootstrap is a copying machine and is reported as one. Up to 20,000 blocks are searched; with more, only
    the first scenarios of every unit are used.

    References
    ----------
    Alaa et al. (2022), "How faithful is your synthetic data?", section 4.3 (authenticity by nearest neighbours).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> history = rng.standard_normal((300, 1))
    >>> replayed = np.stack([history[s : s + 5] for s in rng.integers(0, 295, 180)]).reshape(20, 9, 5, 1)
    >>> pairs = PairedWindows(
    ...     realised=rng.standard_normal((20, 5, 1)), generated=replayed, assets=("A",), kind="log"
    ... )
    >>> result = memorisation(pairs, history, seed=0)[0]
    >>> result.value, result.verdict
    (1.0, 'above floor')
    """
    size = _checked_length(length, pairs.horizon)
    known = _training_blocks(training, size, pairs.n_assets)
    scale = known.reshape(-1, pairs.n_assets).std(axis=0)
    if (scale == 0.0).any():
        raise DataError("an asset is constant in the training data: distances to it mean nothing. Leave it out.")
    rng = numpy_stream(seed, _GROUP)
    pieces = pairs.horizon // size
    kept = min(pairs.n_scenarios, max(1, _MOST_QUERIES // (pairs.n_units * pieces)))
    members = pairs.members[:, : 1 + kept, : pieces * size] / scale
    queries = members.reshape(-1, size * pairs.n_assets)
    nearest, second = _two_nearest(queries, (known / scale).reshape(len(known), -1))
    return _results(nearest, second, members.shape[:2], size * pairs.n_assets, rng=rng, effort=effort)


def _results(
    nearest: NDArray[np.float64],
    second: NDArray[np.float64],
    shape: tuple[int, ...],
    dimension: int,
    *,
    rng: np.random.Generator,
    effort: ComparisonEffort,
) -> tuple[MetricResult, MetricResult, MetricResult]:
    touch = _COPY * np.sqrt(dimension)
    copies = nearest <= touch
    # two equally exact copies are still copies
    ratio = np.where(copies, 1.0, 1.0 - nearest / np.maximum(second, touch))
    closeness = {
        "exact copies": copies.astype(np.float64),
        "nearest-neighbour ratio": ratio,
        "nearest-neighbour distance": -np.log(np.maximum(nearest, touch)),
    }
    per_member = {name: values.reshape(*shape, -1).mean(axis=-1) for name, values in closeness.items()}
    seen = float(per_member["exact copies"][:, 0].mean())
    if seen > 0.5:
        raise LookAheadError(
            f"{100 * seen:.0f} % of the realised blocks are in the training data: memorisation can only be judged "
            "against unseen windows. Evaluate after the training cut-off."
        )
    results = []
    for name, values in per_member.items():
        comparison = compare_worlds(values, _average, rng=rng, effort=effort)
        result = comparison.measure(lambda d: -float(d[0]), group=_GROUP, metric=name)
        # farther from the training data than reality is: a matter of the law metrics, not of memory
        results.append(replace(result, verdict="at floor") if result.verdict == "below floor" else result)
    return results[0], results[1], results[2]


def _average(world: NDArray[np.float64]) -> NDArray[np.float64]:
    return world.mean(axis=0, keepdims=True)


def _checked_length(length: int | None, horizon: int) -> int:
    if length is None:
        return min(_DEFAULT_LENGTH, horizon)
    if isinstance(length, bool) or not isinstance(length, (int, np.integer)) or not 1 <= length <= horizon:
        raise ConfigError(f"length must be an integer between 1 and the window of {horizon} periods: got {length!r}.")
    return int(length)


def _training_blocks(training: ArrayLike, size: int, n_assets: int) -> NDArray[np.float64]:
    """Every run of ``size`` periods, shape (block, size, asset)."""
    values = np.asarray(training, dtype=np.float64)
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or values.shape[2] != n_assets:
        raise ShapeError(
            f"training data must have axes (date, asset) or (path, time, asset) with {n_assets} assets: got shape "
            f"{np.shape(training)}."
        )
    if not np.isfinite(values).all():
        raise DataError(
            "training data must be finite: some values are not. Pass the panel the generator was fitted on."
        )
    if values.shape[1] < size or values.shape[0] * (values.shape[1] - size + 1) < 20:
        raise DataError(
            f"at least 20 training blocks of {size} periods are needed: the training data of shape {values.shape} has "
            "fewer. Use all of it, or shorter blocks."
        )
    runs = sliding_window_view(values, size, axis=1)
    return np.moveaxis(runs, -1, 2).reshape(-1, size, n_assets)


def _two_nearest(
    queries: NDArray[np.float64], known: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    search = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(known)
    found = np.asarray(search.kneighbors(queries, return_distance=False))
    # the search expands |a - b|^2 and loses half the digits near zero, where copies are
    distances = np.stack([np.linalg.norm(queries - known[found[:, i]], axis=1) for i in range(2)])
    distances.sort(axis=0)
    return distances[0], distances[1]
