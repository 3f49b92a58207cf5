"""Sensitivity: whether the forecast moves between dates as much as reality, and in the right direction.

A generator that knows only the long-run law passes every pooled test. Here realised volatility is compared
with the volatility forecast of its own date, and the error of the forecast with what was known before.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import DataError
from tsgen.evaluation.metric_result import MetricResult, judge
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.path_functionals import equally_weighted
from tsgen.evaluation.world_comparison import DEFAULT_EFFORT, ComparisonEffort
from tsgen.random_streams import numpy_stream

_GROUP = "sensitivity"
# below this the forecasts do not even explain the generator's own scenarios
_UNINFORMATIVE = 0.02


class Regression(NamedTuple):
    """Least squares of realised on forecast log volatility."""

    slope: NDArray[np.float64]
    r_squared: NDArray[np.float64]


def sensitivity(
    pairs: PairedWindows, *, seed: int, effort: ComparisonEffort = DEFAULT_EFFORT
) -> tuple[MetricResult, MetricResult, MetricResult]:
    """Regress realised on forecast volatility over dates, and what the forecast missed on what was known.

    Parameters
    ----------
    pairs : PairedWindows
        At least two scenarios per unit; units in time order.
    seed : int
    effort : ComparisonEffort

    Returns
    -------
    tuple of MetricResult
        For the log volatility of the equally weighted portfolio: ``"slope"`` and ``"R2"`` of realised on forecast, each
        with what the generator's own scenarios give as floor, and ``"movement"``: the slope of the forecast error (log
        volatility less its mean over the scenarios) on the realised log volatility of the window before. Zero for a
        right forecast; positive if the forecast moves less than reality, negative if more. All verdicts are
        two-sided: ``"above floor"`` means different from the floor. Standard errors by bootstrap over dates.

    Raises
    ------
    DataError
        If there is one scenario only, or the portfolio stands still in a window.
    ConfigError
        If ``seed`` is no non-negative integer.

    Notes
    -----
    The forecast is the root mean square volatility of the scenarios of a date; a pseudo-real scenario is left out of
    its own forecast. If forecasts hardly move, slope and R2 are noise for right and wrong laws alike: they are then
    reported, not judged, and ``"movement"`` decides. A forecast that never moves has the right spread of volatility
    over dates whenever its long-run law is right; only the error against what was known shows that it stands still.

    References
    ----------
    Mincer, Zarnowitz (1969), "The evaluation of economic forecasts"; Chong, Hendry (1986), "Econometric evaluation of
    linear macro-economic models", section 3 (forecast encompassing).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> level = np.exp(np.sin(np.arange(60) / 5))[:, None, None, None]
    >>> frozen = PairedWindows(
    ...     realised=(level * rng.standard_normal((60, 1, 10, 1)))[:, 0], generated=rng.standard_normal((60, 9, 10, 1)),
    ...     assets=("A",), kind="log",
    ... )
    >>> sensitivity(frozen, seed=0)[2].verdict
    'above floor'
    """
    if pairs.n_scenarios < 2:
        raise DataError("a volatility forecast needs at least 2 scenarios per unit: got 1. Sample more scenarios.")
    rng = numpy_stream(seed, _GROUP)
    square = (equally_weighted(pairs.members, kind=pairs.kind)[..., 0] ** 2).mean(axis=2)
    if (square == 0.0).any():
        raise DataError(
            "the portfolio stands still over a whole window: its log volatility does not exist. Use longer windows or "
            "remove stale prices."
        )
    realised = 0.5 * np.log(square)
    others = pairs.n_scenarios
    forecast = 0.5 * np.log((square.sum(axis=1, keepdims=True) - square) / others)
    error = realised - (realised.sum(axis=1, keepdims=True) - realised) / others
    before = np.broadcast_to(realised[:-1, :1], error[1:].shape)
    slope, r_squared = _regressions(realised, forecast, rng=rng, effort=effort)
    missed, _ = _regressions(error[1:], before, rng=rng, effort=effort)
    informative = r_squared.floor >= _UNINFORMATIVE + 1.0 / pairs.n_units
    movement = replace(missed, metric="movement", note="two-sided; positive: the forecast moves less than reality")
    if informative:
        return slope, r_squared, movement
    note = "not judged: forecasts hardly move between dates, see movement"
    return replace(slope, verdict="report", note=note), replace(r_squared, verdict="report", note=note), movement


def regress(realised: NDArray[np.float64], forecast: NDArray[np.float64]) -> Regression:
    """Slope and R2 along the last axis; both are zero where the forecast does not move.

    Parameters
    ----------
    realised, forecast : array of shape (..., date)

    Returns
    -------
    Regression
        Arrays of shape (...).

    Examples
    --------
    >>> fit = regress(np.array([1.0, 3.0, 5.0]), np.array([0.0, 1.0, 2.0]))
    >>> float(fit.slope), float(fit.r_squared)
    (2.0, 1.0)
    """
    x = forecast - forecast.mean(axis=-1, keepdims=True)
    y = realised - realised.mean(axis=-1, keepdims=True)
    xx, yy, xy = (x**2).sum(axis=-1), (y**2).sum(axis=-1), (x * y).sum(axis=-1)
    moves = (xx > 0.0) & (yy > 0.0)
    slope = np.divide(xy, xx, out=np.zeros_like(xx), where=moves)
    r_squared = np.divide(xy**2, xx * yy, out=np.zeros_like(xx), where=moves)
    return Regression(slope, r_squared)


def _regressions(
    realised: NDArray[np.float64], forecast: NDArray[np.float64], *, rng: np.random.Generator, effort: ComparisonEffort
) -> tuple[MetricResult, MetricResult]:
    """Slope and R2 of the realised member (column 0) against those of random members on their own forecasts."""
    n_units, n_members = realised.shape
    rows = np.arange(n_units)
    worlds = rng.integers(n_members, size=(effort.null_worlds, n_units))
    units = rng.integers(n_units, size=(effort.resamples, n_units))
    values = regress(realised[:, 0], forecast[:, 0])
    nulls = regress(realised[rows, worlds], forecast[rows, worlds])
    resampled = regress(realised[units, 0], forecast[units, 0])
    slope, r_squared = (
        _two_sided(name, float(value), null, spread, n_units)
        for name, value, null, spread in zip(("slope", "R2"), values, nulls, resampled, strict=True)
    )
    return slope, r_squared


def _two_sided(
    name: str, value: float, null: NDArray[np.float64], resampled: NDArray[np.float64], n_units: int
) -> MetricResult:
    centre = float(null.mean())
    judgement = judge(abs(value - centre), np.abs(null - centre))
    return MetricResult(
        group=_GROUP,
        metric=name,
        value=value,
        floor=centre,
        floor_deviation=float(null.std(ddof=1)),
        standard_error=float(resampled.std(ddof=1)),
        # close to the centre is no suspicion in a two-sided test
        verdict="above floor" if judgement.verdict == "above floor" else "at floor",
        p_value=judgement.p_value,
        n=n_units,
        note="two-sided",
        two_sided=True,
    )
