"""Backtests of value at risk: exceedances must be as frequent as promised and come without memory.

Likelihood-ratio tests of a record of exceedances (loss above the forecast). The statistics accept many records
at once, shape (date, ...), because a scorecard needs their null distribution; the tests accept one record and add
the asymptotic p-value. Asymptotic means thousands of days: at 99 % and a year of data the tests are discrete and
the duration test rejects too often; the scorecard judges by simulated stand-ins instead.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy
from scipy.stats import chi2

from tsgen.errors import ConfigError, DataError, ShapeError

# search interval of the Weibull shape: memory as strong as 10 or 0.001 is rejected long before
_SHAPE_BOUNDS = (0.001, 10.0)
_BISECTIONS = 45


class LikelihoodRatioTest(NamedTuple):
    """Result of a likelihood-ratio backtest of one record."""

    statistic: float
    """Twice the log-likelihood ratio; large is bad."""
    p_value: float
    """Asymptotic chi-squared p-value."""
    degrees_of_freedom: int


def exceedances(losses: ArrayLike, var: ArrayLike) -> NDArray[np.bool_]:
    """Days whose loss is above the forecast value at risk (both positive for losses, same shape).

    Raises
    ------
    ShapeError, DataError
        If shapes differ, there is no day, or values are not finite.

    Examples
    --------
    >>> exceedances([0.01, 0.03], [0.02, 0.02]).tolist()
    [False, True]
    """
    realised, forecast = np.asarray(losses, dtype=np.float64), np.asarray(var, dtype=np.float64)
    if realised.shape != forecast.shape or realised.size == 0 or realised.ndim == 0:
        raise ShapeError(
            f"losses and var must have the same shape with at least one day: got {realised.shape} and {forecast.shape}."
        )
    for name, values in (("losses", realised), ("var", forecast)):
        if not np.isfinite(values).all():
            raise DataError(f"{name} must be finite: {int((~np.isfinite(values)).sum())} values are not.")
    return realised > forecast


def kupiec_statistic(hits: NDArray[np.bool_], *, level: float) -> NDArray[np.float64]:
    """Likelihood ratio of the exceedance rate against ``1 - level``; hits (date, ...) to (...)."""
    _check_boolean(hits)
    p = 1.0 - _checked_level(level)
    n = hits.shape[0]
    x = hits.sum(axis=0)
    free = xlogy(x, x / n) + xlogy(n - x, 1.0 - x / n)
    return np.maximum(2.0 * (free - xlogy(x, p) - xlogy(n - x, 1.0 - p)), 0.0)


def independence_statistic(hits: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Likelihood ratio of a first-order Markov chain against independence; hits (date, ...) to (...)."""
    _check_boolean(hits)
    before, now = hits[:-1], hits[1:]
    n11, n10 = (before & now).sum(axis=0), (before & ~now).sum(axis=0)
    n01, n00 = (~before & now).sum(axis=0), (~before & ~now).sum(axis=0)
    chained = _bernoulli(n01, n00) + _bernoulli(n11, n10)
    return np.maximum(2.0 * (chained - _bernoulli(n01 + n11, n00 + n10)), 0.0)


def duration_statistic(hits: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Likelihood ratio of Weibull against exponential durations; hits (date, ...) to (...).

    NaN where fewer than two durations, or none that is complete, were observed.
    """
    _check_boolean(hits)
    columns = hits.reshape(hits.shape[0], -1).T
    records = [_durations(column) for column in columns]
    longest = max(len(d) for d, _ in records)
    durations, complete = np.ones((len(records), max(longest, 1))), np.zeros((len(records), max(longest, 1)))
    present = np.zeros_like(complete)
    for row, (d, c) in enumerate(records):
        durations[row, : len(d)], complete[row, : len(d)], present[row, : len(d)] = d, c, 1.0
    usable = (present.sum(axis=1) >= 2.0) & (complete.sum(axis=1) >= 1.0)
    result = np.full(len(records), np.nan)
    if usable.any():
        result[usable] = _weibull_ratio(durations[usable], complete[usable], present[usable])
    return result.reshape(hits.shape[1:])


def kupiec_test(hits: ArrayLike, *, level: float) -> LikelihoodRatioTest:
    """Kupiec's proportion-of-failures test: the exceedance rate must be ``1 - level``.

    Parameters
    ----------
    hits : array of shape (date,), bool
        Exceedances, from `exceedances`.
    level : float
        Confidence level of the value at risk, for example 0.99.

    Raises
    ------
    ShapeError, DataError, ConfigError
        If ``hits`` is no record of days, or the level is not between 0.5 and 1.

    References
    ----------
    Kupiec (1995), "Techniques for verifying the accuracy of risk measurement models", Journal of Derivatives 3.

    Examples
    --------
    >>> record = np.arange(1043) < 57
    >>> result = kupiec_test(record, level=0.95)
    >>> round(result.statistic, 5), round(result.p_value, 5)
    (0.46147, 0.49694)
    """
    return _tested(kupiec_statistic(_checked_hits(hits), level=level), 1)


def independence_test(hits: ArrayLike) -> LikelihoodRatioTest:
    """Christoffersen's test: an exceedance must be as likely after an exceedance as after a quiet day.

    Raises
    ------
    ShapeError, DataError
        If ``hits`` is no record of days, or exceedances and quiet days do not both occur.

    References
    ----------
    Christoffersen (1998), "Evaluating interval forecasts", International Economic Review 39.

    Examples
    --------
    >>> independence_test([0, 0, 1, 1, 1, 0, 0, 0, 0, 0]).p_value < 0.2
    True
    """
    return _tested(independence_statistic(_with_exceedances(hits)), 1)


def conditional_coverage_test(hits: ArrayLike, *, level: float) -> LikelihoodRatioTest:
    """Christoffersen's joint test of coverage and independence: the sum of the two statistics.

    Raises
    ------
    ShapeError, DataError, ConfigError
        As `kupiec_test` and `independence_test`.

    References
    ----------
    Christoffersen (1998), "Evaluating interval forecasts", International Economic Review 39.

    Examples
    --------
    >>> conditional_coverage_test(np.arange(250) % 100 == 50, level=0.99).degrees_of_freedom
    2
    """
    record = _with_exceedances(hits)
    return _tested(kupiec_statistic(record, level=level) + independence_statistic(record), 2)


def duration_test(hits: ArrayLike) -> LikelihoodRatioTest:
    """Duration test: the days between exceedances must have no memory (exponential within the Weibull family).

    The first and last durations are censored unless the record starts or ends with an exceedance. The scale is free,
    so the test says nothing on the rate.

    Raises
    ------
    ShapeError, DataError
        If ``hits`` is no record of days, or has fewer than two durations or none that is complete.

    Notes
    -----
    Durations are whole days, the exponential law is continuous: with frequent exceedances (5 %) the asymptotic test
    rejects a true model too often.

    References
    ----------
    Christoffersen, Pelletier (2004), "Backtesting value-at-risk: a duration-based approach", Journal of Financial
    Econometrics 2, equations 9 to 12.

    Examples
    --------
    >>> clustered = np.zeros(500, dtype=bool)
    >>> clustered[[100, 101, 102, 103, 104, 400, 401, 402]] = True
    >>> duration_test(clustered).p_value < 0.001
    True
    """
    statistic = duration_statistic(_checked_hits(hits))
    if np.isnan(statistic):
        raise DataError(
            "the duration test needs at least two durations, one of them between two exceedances: got "
            f"{int(np.asarray(hits).sum())} exceedances. Use a longer record or a lower level."
        )
    return _tested(statistic, 1)


def _checked_level(level: float) -> float:
    if not 0.5 < level < 1.0:
        raise ConfigError(f"level must be a confidence level between 0.5 and 1, for example 0.99: got {level!r}.")
    return float(level)


def _check_boolean(hits: NDArray[np.bool_]) -> None:
    # "not" of an integer is not its complement, and a missing value would count as a quiet day
    if hits.dtype != np.bool_:
        raise DataError(f"hits must be boolean: got {hits.dtype}. Use exceedances(losses, var).")
    if hits.ndim == 0 or hits.shape[0] < 2:
        raise ShapeError(f"hits must have axes (date, ...) with at least two days: got shape {hits.shape}.")


def _checked_hits(hits: ArrayLike) -> NDArray[np.bool_]:
    record = np.asarray(hits)
    if record.ndim != 1 or record.size < 2:
        raise ShapeError(f"hits must be one record of at least two days, shape (date,): got shape {record.shape}.")
    if not np.isin(record, (0, 1)).all():
        raise DataError("hits must be true or false on every day. Use exceedances(losses, var).")
    return record.astype(bool)


def _with_exceedances(hits: ArrayLike) -> NDArray[np.bool_]:
    record = _checked_hits(hits)
    if not record.any():
        raise DataError(
            f"independence of exceedances cannot be tested without one: none in {record.size} days. "
            "Use a longer record or a lower level."
        )
    if record.all():
        raise DataError(
            f"independence of exceedances cannot be tested without a quiet day: all {record.size} days exceed. "
            "Check the sign and the units of losses and value at risk."
        )
    return record


def _tested(statistic: NDArray[np.float64], degrees_of_freedom: int) -> LikelihoodRatioTest:
    value = float(statistic)
    return LikelihoodRatioTest(value, float(chi2.sf(value, degrees_of_freedom)), degrees_of_freedom)


def _bernoulli(ones: NDArray[np.int64], zeros: NDArray[np.int64]) -> NDArray[np.float64]:
    """Largest log-likelihood of a Bernoulli record with these counts."""
    total = np.maximum(ones + zeros, 1)
    return xlogy(ones, ones / total) + xlogy(zeros, zeros / total)


def _durations(hits: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Durations in days and which of them are complete (1) rather than censored (0)."""
    days = np.flatnonzero(hits) + 1
    if days.size == 0:
        return np.empty(0), np.empty(0)
    durations, complete = np.diff(days).astype(np.float64), np.ones(days.size - 1)
    if not hits[0]:
        durations, complete = np.r_[float(days[0]), durations], np.r_[0.0, complete]
    if not hits[-1]:
        durations, complete = np.r_[durations, float(hits.size - days[-1])], np.r_[complete, 0.0]
    return durations, complete


def _weibull_ratio(
    durations: NDArray[np.float64], complete: NDArray[np.float64], present: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Twice the log-likelihood gain of the best Weibull shape over shape 1, row by row, scale profiled out.

    With u complete durations the profile is ``u log(u / sum d^b) + u log b + (b - 1) sum log d - u``; its derivative
    in b decreases, so bisection finds the one maximum.
    """
    logs = np.log(durations)
    count, log_sum = complete.sum(axis=1), (complete * logs).sum(axis=1)

    def powers(shape: NDArray[np.float64]) -> NDArray[np.float64]:
        return present * durations ** shape[:, None]

    def profile(shape: NDArray[np.float64]) -> NDArray[np.float64]:
        return count * np.log(count / powers(shape).sum(axis=1)) + count * np.log(shape) + (shape - 1.0) * log_sum

    low, high = np.full(len(count), _SHAPE_BOUNDS[0]), np.full(len(count), _SHAPE_BOUNDS[1])
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        power = powers(middle)
        rising = count / middle + log_sum > count * (power * logs).sum(axis=1) / power.sum(axis=1)
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    best = 0.5 * (low + high)
    return np.maximum(2.0 * (profile(best) - profile(np.ones_like(best))), 0.0)
