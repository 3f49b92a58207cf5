"""Energy and variogram scores of whole windows: proper scores that rank generators on the same dates.

A proper score is smallest in expectation for the true conditional law, so differences between models are
meaningful and tests need no floor. The floor given beside a single score is what the generator would score
if it were right: its own scenarios scored against each other. Scores are averages over dates.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from tsgen.errors import DataError
from tsgen.evaluation.block_mean import block_mean
from tsgen.evaluation.metric_result import MetricResult, judge
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.world_comparison import DEFAULT_EFFORT, ComparisonEffort
from tsgen.random_streams import numpy_stream

_GROUP = "proper scores"
# 100 variables are 4,950 pairs: seconds, and more pairs are dominated by noise (Scheuerer, Hamill 2015, section 4)
_MOST_VARIABLES = 100
_ORDER = 0.5


def proper_scores(
    pairs: PairedWindows, *, seed: int, effort: ComparisonEffort = DEFAULT_EFFORT
) -> tuple[MetricResult, MetricResult]:
    """Mean energy and variogram score over dates, each with the score the generator expects of itself.

    Parameters
    ----------
    pairs : PairedWindows
        At least two scenarios per unit and two variables (periods times assets).
    seed : int
    effort : ComparisonEffort

    Returns
    -------
    tuple of MetricResult
        Energy score, variogram score: smaller is better. ``"above floor"``: reality surprises the generator more than
        its own scenarios do. Standard error from blocks of neighbouring dates.

    Raises
    ------
    DataError
        If there are too few scenarios or variables, or the realised values of an asset do not move.
    ConfigError
        If ``seed`` is no non-negative integer.

    References
    ----------
    Gneiting, Raftery (2007), "Strictly proper scoring rules, prediction, and estimation", equation 22; Scheuerer,
    Hamill (2015), "Variogram-based proper scoring rules", equation 2 with p = 1/2.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pairs = PairedWindows(
    ...     realised=rng.standard_normal((40, 5, 1)), generated=0.3 * rng.standard_normal((40, 9, 5, 1)),
    ...     assets=("A",), kind="log",
    ... )
    >>> [r.verdict for r in proper_scores(pairs, seed=0)]
    ['above floor', 'above floor']
    """
    rng = numpy_stream(seed, _GROUP)
    rows = np.arange(pairs.n_units)
    results = []
    for name, scores in (
        ("energy score", _energy_of_members(pairs)),
        ("variogram score", _variogram_of_members(pairs)),
    ):
        mean = block_mean(scores[:, 0], dependent=pairs.dates is not None)
        worlds = rng.integers(scores.shape[1], size=(effort.null_worlds, pairs.n_units))
        judgement = judge(mean.mean, scores[rows, worlds].mean(axis=1))
        results.append(
            MetricResult(
                group=_GROUP,
                metric=name,
                value=mean.mean,
                floor=judgement.floor,
                floor_deviation=judgement.floor_deviation,
                standard_error=mean.standard_error,
                verdict=judgement.verdict,
                p_value=judgement.p_value,
                n=pairs.n_units,
            )
        )
    return results[0], results[1]


def energy_scores(pairs: PairedWindows) -> NDArray[np.float64]:
    """Energy score of every unit, with the fair (unbiased) ensemble estimator.

    Parameters
    ----------
    pairs : PairedWindows

    Returns
    -------
    ndarray of shape (unit,), float64
        In units where every asset has realised standard deviation one, which no generator can influence.

    Raises
    ------
    DataError
        If there is one scenario only.

    Notes
    -----
    Equal to ``scoringrules.es_ensemble(..., estimator="fair")``. Computed from pairwise distances because the scores of
    all scenarios against each other, which make the floor, are then free.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pairs = PairedWindows(
    ...     realised=rng.standard_normal((10, 5, 1)), generated=rng.standard_normal((10, 9, 5, 1)),
    ...     assets=("A",), kind="log",
    ... )
    >>> energy_scores(pairs).shape
    (10,)
    """
    return _energy_of_members(pairs)[:, 0]


def variogram_scores(pairs: PairedWindows) -> NDArray[np.float64]:
    """Variogram score (p = 1/2) of every unit, averaged over ordered pairs of variables.

    Returns are summed over consecutive blocks of periods so that at most 100 variables remain (with more assets than
    that, 100 evenly spaced ones are used).

    Parameters
    ----------
    pairs : PairedWindows

    Returns
    -------
    ndarray of shape (unit,), float64
        Scaled as `energy_scores`.

    Raises
    ------
    DataError
        If there is one scenario or one variable only.

    Notes
    -----
    Equal to ``scoringrules.vs_ensemble(..., p=0.5)`` of the summed returns, divided by the number of ordered pairs.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pairs = PairedWindows(
    ...     realised=rng.standard_normal((10, 5, 1)), generated=rng.standard_normal((10, 9, 5, 1)),
    ...     assets=("A",), kind="log",
    ... )
    >>> variogram_scores(pairs).shape
    (10,)
    """
    return _variogram_of_members(pairs)[:, 0]


def score_differences(first: PairedWindows, second: PairedWindows) -> tuple[MetricResult, MetricResult]:
    """Mean differences of energy and variogram score between two generators on the same windows.

    Parameters
    ----------
    first, second : PairedWindows
        The same realised windows, in the same order.

    Returns
    -------
    tuple of MetricResult
        ``value`` = first minus second: negative if the first generator is better. Two-sided p-value of equal expected
        scores (Diebold-Mariano with block standard errors); verdict ``"report"``.

    Raises
    ------
    DataError
        If realised windows differ, or there are too few scenarios or variables.

    References
    ----------
    Diebold, Mariano (1995), "Comparing predictive accuracy".

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> real = rng.standard_normal((40, 5, 1))
    >>> good, bad = (
    ...     PairedWindows(realised=real, generated=s * rng.standard_normal((40, 9, 5, 1)), assets=("A",), kind="log")
    ...     for s in (1.0, 4.0)
    ... )
    >>> [r.value < 0 for r in score_differences(good, bad)]
    [True, True]
    """
    if first.realised.shape != second.realised.shape or not np.array_equal(first.realised, second.realised):
        raise DataError(
            "two generators can only be compared on the same realised windows: these differ. Build both with the same "
            "dates and horizon."
        )
    dependent = first.dates is not None
    return (
        _difference("energy score", energy_scores(first) - energy_scores(second), dependent=dependent),
        _difference("variogram score", variogram_scores(first) - variogram_scores(second), dependent=dependent),
    )


def _difference(metric: str, differences: NDArray[np.float64], *, dependent: bool) -> MetricResult:
    mean = block_mean(differences, dependent=dependent)
    if mean.standard_error == 0.0:
        p_value = 1.0 if mean.mean == 0.0 else 0.0
    else:
        p_value = float(2.0 * stats.t.sf(abs(mean.mean) / mean.standard_error, df=mean.n_blocks - 1))
    return MetricResult(
        group=_GROUP,
        metric=f"{metric} difference",
        value=mean.mean,
        floor=0.0,
        floor_deviation=mean.standard_error,
        standard_error=mean.standard_error,
        verdict="report",
        p_value=p_value,
        n=len(differences),
        note="first minus second generator: negative favours the first",
    )


def _scaled_members(pairs: PairedWindows) -> NDArray[np.float64]:
    if pairs.n_scenarios < 2:
        raise DataError("an ensemble score needs at least 2 scenarios per unit: got 1. Sample more scenarios.")
    return pairs.members / pairs.realised.reshape(-1, pairs.n_assets).std(axis=0)


def _energy_of_members(pairs: PairedWindows) -> NDArray[np.float64]:
    """Score of every member against the others of its unit, shape (unit, 1 + M)."""
    members = _scaled_members(pairs)
    n = pairs.n_scenarios
    scores = np.empty(members.shape[:2])
    for unit, paths in enumerate(members.reshape(*members.shape[:2], -1)):
        distances = squareform(pdist(paths))
        row = distances.sum(axis=1)
        # E|X - y| - E|X - X'| / 2 over the n others, pairs of different scenarios
        scores[unit] = row / n - (row.sum() - 2.0 * row) / (2.0 * n * (n - 1))
    return scores


def block_sums(members: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum periods in blocks so that at most 100 variables remain, shape (unit, member, variable)."""
    periods, n_assets = members.shape[2:]
    if n_assets > _MOST_VARIABLES:
        members = members[..., np.linspace(0, n_assets - 1, _MOST_VARIABLES).astype(int)]
    count = min(periods, max(1, _MOST_VARIABLES // members.shape[3]))
    starts = np.linspace(0, periods, count, endpoint=False).astype(int)
    return np.add.reduceat(members, starts, axis=2).reshape(*members.shape[:2], -1)


def _variogram_of_members(pairs: PairedWindows) -> NDArray[np.float64]:
    """Score of every member against the others of its unit, shape (unit, 1 + M)."""
    variables = block_sums(_scaled_members(pairs))
    size = variables.shape[2]
    if size < 2:
        raise DataError(
            "a variogram score needs at least 2 variables (periods times assets): got 1. Use longer windows."
        )
    first, second = np.triu_indices(size, k=1)
    n = pairs.n_scenarios
    scores = np.empty(variables.shape[:2])
    for unit, values in enumerate(variables):
        variogram = np.abs(values[:, first] - values[:, second]) ** _ORDER
        # mean over the n others minus own = (mean over all - own) (n + 1) / n
        gaps = (variogram.mean(axis=0) - variogram) * (n + 1) / n
        scores[unit] = 2.0 * (gaps**2).sum(axis=1) / (size * (size - 1))
    return scores
