"""Floors by conditional exchangeability: compare the realised world with worlds made of generated windows.

A world takes one window per unit. Given the histories, the realised world and any world of generated
windows have the same law if the generator is right. Every metric here is therefore a statistic of one
world (a vector of autocorrelations, a distribution function, ...) and a distance: how far is the
statistic of the realised world from the average over generated worlds, and how far are pseudo-real
worlds that draw one member per unit at random? Same sizes, same estimator, same finite-sample bias.
Above `paired_windows`, below the metric families.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import DataError
from tsgen.evaluation.metric_result import MetricResult, judge
from tsgen.whole_numbers import settle_whole_numbers

Statistic = Callable[[NDArray[Any]], NDArray[np.float64]]
Distance = Callable[[NDArray[np.float64]], float]


@final
@dataclass(frozen=True, kw_only=True)
class ComparisonEffort:
    """How much computing a comparison of worlds may use.

    Parameters
    ----------
    null_worlds : int, default 99
        Pseudo-real worlds for floor and p-value; at least 19.
    resamples : int, default 40
        Bootstrap resamples of the units for the standard error; at least 10.
    reference_worlds : int, default 3
        Generated worlds resampled along with the realised one: more removes noise of the reference.

    Raises
    ------
    ConfigError
        If a number is too small.

    Examples
    --------
    >>> ComparisonEffort(null_worlds=199).resamples
    40
    """

    null_worlds: int = 99
    resamples: int = 40
    reference_worlds: int = 3

    def __post_init__(self) -> None:
        settle_whole_numbers(self, {"null_worlds": 19, "resamples": 10, "reference_worlds": 1})


DEFAULT_EFFORT = ComparisonEffort()


class WorldComparison(NamedTuple):
    """Statistic of the realised world minus the generated average, with its null and bootstrap versions."""

    realised: NDArray[np.float64]
    """Statistic of the realised world."""
    difference: NDArray[np.float64]
    """Realised minus average over generated worlds."""
    null: NDArray[np.float64]
    """The same for pseudo-real worlds, first axis R."""
    resampled: NDArray[np.float64]
    """The difference with resampled units, first axis B."""
    n_units: int

    def measure(self, distance: Distance, *, group: str, metric: str, note: str = "") -> MetricResult:
        """Judge one distance of the difference.

        Parameters
        ----------
        distance : callable
            From an array shaped like the statistic to a number, larger is worse.
        group, metric, note : str

        Returns
        -------
        MetricResult
            Standard error: standard deviation over bootstrap resamples of the units.
        """
        value = float(distance(self.difference))
        judgement = judge(value, [distance(null) for null in self.null])
        spread = float(np.std([distance(d) for d in self.resampled], ddof=1))
        return MetricResult(
            group=group,
            metric=metric,
            value=value,
            floor=judgement.floor,
            floor_deviation=judgement.floor_deviation,
            standard_error=spread,
            verdict=judgement.verdict,
            p_value=judgement.p_value,
            n=self.n_units,
            note=note,
        )


def compare_worlds(
    members: NDArray[Any], statistic: Statistic, *, rng: np.random.Generator, effort: ComparisonEffort = DEFAULT_EFFORT
) -> WorldComparison:
    """Evaluate a statistic on the realised world, on generated worlds, on random worlds and on resamples.

    Parameters
    ----------
    members : array of shape (unit, 1 + M, ...)
        Position 0 of the second axis is the realised member.
    statistic : callable
        From (unit, ...) to an array of fixed shape. Anything estimated from all members together (scales,
        grids) must treat them alike, or they are no longer exchangeable.
    rng : numpy.random.Generator
    effort : ComparisonEffort

    Returns
    -------
    WorldComparison

    Raises
    ------
    DataError
        If the statistic is not finite in some world.

    Notes
    -----
    Random worlds may contain realised windows (a share of 1 / (1 + M)): this makes the permutation test exact for
    independent units. Along one history, units are exchangeable given their own past only; differences are then
    martingale sums and the test is exact to first order in the number of units.

    References
    ----------
    Phipson, Smyth (2010), "Permutation p-values should never be zero"; Hemerik, Goeman (2018), "Exact testing with
    random permutations", section 2.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> members = rng.standard_normal((50, 9))
    >>> comparison = compare_worlds(members, lambda world: world.mean(axis=0, keepdims=True), rng=rng)
    >>> comparison.null.shape
    (99, 1)
    """
    n_units, n_members = members.shape[:2]
    rows = np.arange(n_units)
    worlds = np.stack([_finite(statistic(members[:, m])) for m in range(n_members)])
    centre = worlds.mean(axis=0)
    # worlds[0] - mean(worlds[1:]) = factor * (worlds[0] - centre): one centre serves realised and random worlds
    factor = n_members / (n_members - 1)
    null = np.stack(
        [
            _finite(statistic(members[rows, rng.integers(n_members, size=n_units)])) - centre
            for _ in range(effort.null_worlds)
        ]
    )
    resampled = np.stack(
        [_resampled_shift(members, statistic, worlds, rng=rng, effort=effort) for _ in range(effort.resamples)]
    )
    difference = factor * (worlds[0] - centre)
    return WorldComparison(
        realised=worlds[0],
        difference=difference,
        null=factor * null,
        resampled=difference + resampled,
        n_units=n_units,
    )


def _resampled_shift(
    members: NDArray[Any],
    statistic: Statistic,
    worlds: NDArray[np.float64],
    *,
    rng: np.random.Generator,
    effort: ComparisonEffort,
) -> NDArray[np.float64]:
    """Bootstrap deviation of realised minus generated, units resampled together in both."""
    n_units, n_members = members.shape[:2]
    units = rng.integers(n_units, size=n_units)
    chosen = 1 + rng.permutation(n_members - 1)[: effort.reference_worlds]
    shift = _finite(statistic(members[units, 0])) - worlds[0]
    for m in chosen:
        shift = shift - (_finite(statistic(members[units, m])) - worlds[m]) / len(chosen)
    return shift


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(values).all():
        raise DataError(
            "a statistic of the windows is not finite: in some world an asset does not move or values overflow. "
            "Use more units or leave the asset out."
        )
    return values


def root_mean_square(difference: NDArray[np.float64]) -> float:
    """Root mean square over all entries of a statistic.

    Examples
    --------
    >>> root_mean_square(np.array([3.0, -3.0]))
    3.0
    """
    return float(np.sqrt(np.mean(difference**2)))
