r"""Multipliers from a weighted sample of steered paths: the dual of minimum relative entropy, step by step.

The paths of any policy, weighted by :math:`dp/dq^u`, are a sample of the reference; the dual on it gives the
multipliers of the exact tilt, without a large reference sample. A step goes only as far as enough paths stay effective:
that trust region takes the place of annealing the temperature.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.entropy_dual import DualSolution, solve_dual
from tsgen.steering.bound_statistic import BoundStatistic, TailExcess, weighted_quantile
from tsgen.steering.steered_sample import SteeredSample, effective_share, log_tilt, normalised

Floats = NDArray[np.float64]
_TOLERANCE = 1e-9
_MOST_STEPS = 200
# weights this far below the largest are rounding to the dual, and its prior must be positive
_SMALLEST_LOG_WEIGHT = -60.0
_THRESHOLDS = 25
_ROUNDS = 3
_FRACTIONS = 33
_CORRECTIONS, _SMALL_CORRECTION = 6, 1e-3


@final
@dataclass(frozen=True, kw_only=True)
class FoundMultipliers:
    """Solution of the dual on one sample.

    Parameters
    ----------
    statistics : tuple of BoundStatistic
        With the thresholds of expected shortfalls where the search found them.
    multipliers : tuple of float
        Per standardised statistic.
    met : bool
        Whether the sample contains a law that meets the constraints.
    """

    statistics: tuple[BoundStatistic, ...]
    multipliers: tuple[float, ...]
    met: bool


def find_multipliers(
    sample: SteeredSample, statistics: Sequence[BoundStatistic], start: Sequence[float]
) -> FoundMultipliers:
    """Solve the dual on a weighted sample.

    Parameters
    ----------
    sample : SteeredSample
    statistics : sequence of BoundStatistic
        At least one, all with a relation.
    start : sequence of float
        First guess.
    """
    prior = normalised(np.maximum(sample.log_ratio - sample.log_ratio.max(), _SMALLEST_LOG_WEIGHT))
    found = list(statistics)
    tails = [j for j, s in enumerate(found) if isinstance(s, TailExcess)]
    rounds = 1 if len(tails) == 1 else _ROUNDS
    for _ in range(rounds):
        for j in tails:
            found[j] = _best_threshold(sample, found, j, prior, start)
    solution = _solve(sample, found, prior, start)
    for _ in range(_CORRECTIONS):
        # rare paths beyond the bounds still count in the plain mean: the target of the winsorised one makes room
        pairs = zip(found, sample.values, strict=True)
        corrected = [s.corrected(v, solution.probabilities) for s, v in pairs]
        moved = max((abs(a.target - b.target) for a, b in zip(corrected, found, strict=True)), default=0.0)
        if solution.status != "converged" or moved < _SMALL_CORRECTION:
            break
        found = corrected
        solution = _solve(sample, found, prior, solution.multipliers.tolist())
    return FoundMultipliers(
        statistics=tuple(found),
        multipliers=tuple(float(x) for x in solution.multipliers),
        met=solution.status == "converged",
    )


def _solve(
    sample: SteeredSample, statistics: Sequence[BoundStatistic], prior: Floats, start: Sequence[float]
) -> DualSolution:
    pairs = zip(sample.values, statistics, strict=True)
    features = np.stack([s.standardised(v) - s.target for v, s in pairs])
    signs = [_sign(s) for s in statistics]
    return solve_dual(
        features,
        prior,
        lower=np.array([0.0 if sign > 0 else -np.inf for sign in signs]),
        upper=np.array([0.0 if sign < 0 else np.inf for sign in signs]),
        start=np.array(start, dtype=np.float64),
        tolerance=_TOLERANCE,
        max_iterations=_MOST_STEPS,
    )


def _sign(statistic: BoundStatistic) -> int:
    """+1: upwards only, -1: downwards only, 0: either."""
    if isinstance(statistic, TailExcess):
        return 1 if statistic.raising else -1
    return {">=": 1, "<=": -1}.get(statistic.relation or "==", 0)


def _best_threshold(
    sample: SteeredSample, statistics: list[BoundStatistic], j: int, prior: Floats, start: Sequence[float]
) -> TailExcess:
    """Threshold of an expected shortfall: where the divergence is largest (raising) or smallest (lowering)."""
    own = statistics[j]
    if not isinstance(own, TailExcess):  # pragma: no cover  (the caller selects)
        raise TypeError(type(own).__name__)
    losses = own.bounded(sample.values[j])
    low = weighted_quantile(losses, prior, 0.2)
    high = min(own.level, float(losses.max()))
    best, width = own, high - low
    for _ in range(_ROUNDS):
        grid = np.linspace(low, high, _THRESHOLDS)[:-1]
        scores = []
        for threshold in grid:
            trial = [own.at(threshold) if i == j else s for i, s in enumerate(statistics)]
            solution = _solve(sample, trial, prior, start)
            converged = solution.status == "converged"
            divergence = -solution.log_partition if converged else np.inf
            scores.append(divergence if own.raising or converged else np.inf)
        finite = [s for s in scores if np.isfinite(s)]
        if not finite:
            return best
        ordered = [s if np.isfinite(s) else (-np.inf if own.raising else np.inf) for s in scores]
        position = int(np.argmax(ordered) if own.raising else np.argmin(ordered))
        best = own.at(grid[position])
        width /= _THRESHOLDS / 3
        low, high = max(low, grid[position] - width), min(high, grid[position] + width)
    return best


def trusted_step(
    sample: SteeredSample,
    statistics: Sequence[BoundStatistic],
    old: Sequence[float],
    wanted: Sequence[float],
    *,
    smallest_share: float,
) -> tuple[tuple[float, ...], bool]:
    """Furthest point from ``old`` towards ``wanted`` at which enough weighted paths are effective.

    Returns
    -------
    tuple of (tuple of float, bool)
        Multipliers, and whether they are those wanted.
    """
    first, last = np.asarray(old, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    for fraction in np.linspace(1.0, 0.0, _FRACTIONS)[:-1]:
        trial = tuple(float(x) for x in first + fraction * (last - first))
        if effective_share(sample.log_ratio + log_tilt(sample, statistics, trial)) >= smallest_share:
            return trial, bool(fraction == 1.0)
    return tuple(float(x) for x in first), False
