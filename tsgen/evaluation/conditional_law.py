"""One-step forecasts against the exact conditional law of a known process.

Anything that can draw the next period given a past is judged where the truth is known: the exact distribution
function of each draw, given its own past, must be uniform. Needs neither torch nor a generator.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kstest

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.metric_result import MetricResult
from tsgen.marketdata.known_processes import ConditionallyKnownProcess
from tsgen.random_streams import numpy_stream

Draw = Callable[[NDArray[np.float64], np.random.Generator], NDArray[np.float64]]

_FEWEST_PATHS = 20
# mean and standard deviation of Kolmogorov's law, per root of the sample size
_KOLMOGOROV_MEAN, _KOLMOGOROV_DEVIATION = 0.8687, 0.2603


def conditional_law_check(
    draw: Draw,
    process: ConditionallyKnownProcess,
    *,
    past_lengths: Sequence[int],
    n_paths: int,
    seed: int,
) -> tuple[MetricResult, ...]:
    """Uniformity of the exact conditional distribution function at drawn next values, asset by asset.

    Parameters
    ----------
    draw : callable
        ``draw(past, rng)`` with ``past`` (B, t, N) in the unit of the process; returns one next value per past, (B, N).
    process : ConditionallyKnownProcess
        Makes the pasts and knows the law of what follows.
    past_lengths : sequence of int
        Numbers of observed periods t; 0 is the start of a path.
    n_paths : int
        Draws per past length, at least 20; all are independent.
    seed : int

    Returns
    -------
    tuple of MetricResult
        One Kolmogorov-Smirnov distance per asset, with the mean and standard deviation of Kolmogorov's law as floor,
        and ``"reject"`` where the test rejects at 5 % divided by the number of assets.

    Raises
    ------
    ConfigError
        If past lengths or counts are out of range.
    DataError
        If a draw is not finite.
    ShapeError
        If a draw has another shape than (B, N).

    Examples
    --------
    >>> from tsgen.marketdata.known_processes import StudentTAr
    >>> process = StudentTAr(phi=[0.5], dof=4.0)
    >>> exact = lambda past, rng: process.conditional_law(past).sample(rng=rng)
    >>> conditional_law_check(exact, process, past_lengths=[0, 5], n_paths=500, seed=0)[0].verdict
    'pass'
    """
    if n_paths < _FEWEST_PATHS or not past_lengths or min(past_lengths) < 0:
        raise ConfigError(
            f"a conditional-law check needs past lengths of at least 0 and at least {_FEWEST_PATHS} paths: got "
            f"{list(past_lengths)} and {n_paths}."
        )
    rng = numpy_stream(seed, "conditional law check")
    parts = []
    for length in past_lengths:
        past = process.sample(n_paths, length + 1, rng=rng)[:, :length]
        following = np.asarray(draw(past, rng), dtype=np.float64)
        if following.shape != (n_paths, past.shape[2]):
            raise ShapeError(
                f"draw must return one value per past: expected {(n_paths, past.shape[2])}, got {following.shape}."
            )
        if not np.isfinite(following).all():
            raise DataError(f"draw returned {int((~np.isfinite(following)).sum())} values that are not finite.")
        parts.append(process.conditional_law(past).marginal_cdf(following))
    transforms = np.concatenate(parts)
    count, n_assets = transforms.shape
    return tuple(_uniformity(transforms[:, i], i, 0.05 / n_assets, count) for i in range(n_assets))


def _uniformity(values: NDArray[np.float64], asset: int, level: float, count: int) -> MetricResult:
    statistic, p_value = kstest(values, "uniform")
    root = np.sqrt(count)
    return MetricResult(
        group="conditional law",
        metric=f"exact PIT Kolmogorov-Smirnov, asset {asset}",
        value=float(statistic),
        floor=_KOLMOGOROV_MEAN / root,
        floor_deviation=_KOLMOGOROV_DEVIATION / root,
        standard_error=_KOLMOGOROV_DEVIATION / root,
        verdict="pass" if p_value >= level else "reject",
        p_value=float(p_value),
        n=count,
    )
