"""Effective number of windows: how many independent ones carry as much information as the ones we have.

Overlapping windows, or windows of a market whose volatility lasts longer than a window, repeat each other.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tsgen.errors import DataError
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.path_functionals import FUNCTIONALS, equally_weighted, functional_values

_GROUP = "effective windows"


class EffectiveNumber(NamedTuple):
    """Effective number of independent values in a series."""

    number: float
    standard_error: float
    longest_lag: int
    """Last lag whose autocorrelation was used."""


def effective_number(series: ArrayLike) -> EffectiveNumber:
    """Number of independent values whose mean would be as precise as the mean of a series.

    ``n / (1 + 2 sum_k rho_k)``, the sum cut where sums of neighbouring autocorrelations turn negative; at most n.

    Parameters
    ----------
    series : array of shape (date,)
        In time order, at least 8 values.

    Returns
    -------
    EffectiveNumber
        With the asymptotic standard error of a truncated spectral estimate, ``sqrt(2 (2K + 1) / n)`` relative.

    Raises
    ------
    DataError
        If there are fewer than 8 values, they are not finite, or they do not move.

    References
    ----------
    Geyer (1992), "Practical Markov chain Monte Carlo", section 3.3 (initial positive sequence); Priestley (1981),
    "Spectral analysis and time series", section 6.2.4 (variance of truncated estimates).

    Examples
    --------
    >>> independent = np.random.default_rng(0).standard_normal(400)
    >>> effective_number(independent).number > 200
    True
    >>> 30 < effective_number(np.repeat(independent[:80], 5)).number < 160
    True
    """
    values = np.asarray(series, dtype=np.float64)
    if values.ndim != 1 or len(values) < 8:
        raise DataError(f"an effective number needs one series of at least 8 values: got shape {values.shape}.")
    if not np.isfinite(values).all():
        raise DataError("the series must be finite: some values are not.")
    if np.ptp(values) == 0.0:
        raise DataError("the series does not move: its values carry no information to count. Use another functional.")
    n = len(values)
    centred = values - values.mean()
    autocovariance = np.correlate(centred, centred, mode="full")[n - 1 :]
    rho = autocovariance / autocovariance[0]
    # pairs rho_0 + rho_1, rho_2 + rho_3, ... are positive for reversible chains; noise begins where they are not
    neighbours = rho[: 2 * (n // 2)].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(neighbours <= 0.0)
    used = int(negative[0]) if negative.size else len(neighbours)
    inflation = max(1.0, 2.0 * float(neighbours[:used].sum()) - 1.0)
    longest = max(0, 2 * used - 1)
    relative = min(1.0, float(np.sqrt(2.0 * (2 * longest + 1) / n)))
    return EffectiveNumber(n / inflation, n / inflation * relative, longest)


def effective_windows(pairs: PairedWindows) -> tuple[MetricResult, ...]:
    """Effective number of realised windows for drawdown, volatility and terminal return of the portfolio.

    Parameters
    ----------
    pairs : PairedWindows
        Units in time order. Independent paths need no correction.

    Returns
    -------
    tuple of MetricResult
        Verdict ``"report"``; ``floor`` repeats the value, ``n`` is the nominal number.

    Raises
    ------
    DataError
        If windows have one period only or a functional does not move.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pairs = PairedWindows(
    ...     realised=0.01 * rng.standard_normal((40, 5, 1)), generated=0.01 * rng.standard_normal((40, 9, 5, 1)),
    ...     assets=("A",), kind="log",
    ... )
    >>> effective_windows(pairs)[0].n
    40
    """
    pairs.require(metric="an effective number of windows", horizon=2)
    portfolio = equally_weighted(pairs.realised, kind=pairs.kind)
    results = []
    for functional in FUNCTIONALS:
        effective = effective_number(functional_values(portfolio, functional, kind=pairs.kind)[:, 0])
        results.append(
            MetricResult(
                group=_GROUP,
                metric=functional,
                value=effective.number,
                floor=effective.number,
                floor_deviation=0.0,
                standard_error=effective.standard_error,
                verdict="report",
                p_value=None,
                n=pairs.n_units,
                note=f"of {pairs.n_units} windows, autocorrelations up to lag {effective.longest_lag}",
            )
        )
    return tuple(results)
