"""Simulated paths as numbers: every functional's values, and how much they cost in density."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.scenario_set import ScenarioSet
from tsgen.steering.bound_statistic import BoundStatistic
from tsgen.steering.path_tape import PathTape
from tsgen.steering.risk_functionals import RiskFunctional
from tsgen.steering.steering_reference import SteeringReference

Floats = NDArray[np.float64]


class SteeredSample(NamedTuple):
    """Paths of one policy."""

    values: tuple[Floats, ...]
    """Each functional's value per path."""
    log_ratio: Floats
    """Log density of the reference over the steered law."""

    @property
    def n_paths(self) -> int:
        """Number of paths."""
        return len(self.log_ratio)


def sample_of(
    tape: PathTape, functionals: Sequence[RiskFunctional], reference: SteeringReference, horizon: int
) -> SteeredSample:
    """Evaluate the functionals, in double precision, over the first ``horizon`` periods."""
    scenarios = ScenarioSet.from_tensor(tape.returns[:, :horizon], assets=reference.assets, kind=reference.kind)
    return SteeredSample(tuple(f(scenarios) for f in functionals), tape.log_ratio.numpy())


def pooled(samples: Sequence[SteeredSample]) -> SteeredSample:
    """Several samples as one; each has mean density ratio one, so they mix without further weights."""
    values = tuple(np.concatenate(parts) for parts in zip(*(s.values for s in samples), strict=True))
    return SteeredSample(values, np.concatenate([s.log_ratio for s in samples]))


def log_tilt(sample: SteeredSample, statistics: Sequence[BoundStatistic], multipliers: Sequence[float]) -> Floats:
    """``sum_j lambda_j (s_j - target_j)`` per path."""
    total = np.zeros(sample.n_paths)
    for values, statistic, multiplier in zip(sample.values, statistics, multipliers, strict=True):
        if multiplier != 0.0:
            total += multiplier * (statistic.standardised(values) - statistic.target)
    return total


def normalised(log_weights: Floats) -> Floats:
    """Probabilities proportional to ``exp(log_weights)``."""
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def effective_share(log_weights: Floats) -> float:
    """Effective sample size of the weights, as a share of their number.

    Examples
    --------
    >>> effective_share(np.array([0.0, 0.0, -800.0, -800.0]))
    0.5
    """
    p = normalised(log_weights)
    return float(1.0 / (len(p) * (p**2).sum()))


def log_mean_exp(values: Floats) -> float:
    """Logarithm of the mean of ``exp(values)``."""
    top = float(values.max())
    return top + float(np.log(np.exp(values - top).mean()))
