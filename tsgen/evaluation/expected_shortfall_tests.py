"""Backtests of expected shortfall: the tests of Acerbi and Szekely with p-values by simulation from the forecasts.

Z1 judges the size of the losses beyond the value at risk, given how many there were; Z2 judges number and size
together. Both are zero in expectation if the forecast is right and negative if it understates risk. Losses,
value at risk and expected shortfall are positive numbers here, so signs differ from the paper, values do not.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import ConfigError, DataError, ShapeError


class ShortfallBacktest(NamedTuple):
    """Acerbi-Szekely statistics of one record with one-sided p-values (small: risk is understated)."""

    z1: float
    z1_p_value: float
    z2: float
    z2_p_value: float
    z2_critical: float
    """5 % quantile of Z2 among simulated records."""
    n_exceedances: int
    n_dates: int


def z1_statistic(losses: NDArray[np.float64], var: NDArray[np.float64], es: NDArray[np.float64]) -> NDArray[np.float64]:
    """Z1 = 1 - mean of loss / ES over exceedances; (date, ...) to (...), NaN without an exceedance.

    References
    ----------
    Acerbi, Szekely (2014), "Back-testing expected shortfall", Risk, December, equation 4 (test 1).
    """
    _check_tail_arrays(losses, var, es)
    hits = losses > var
    count = hits.sum(axis=0)
    ratio = np.where(hits, losses / es, 0.0).sum(axis=0)
    return 1.0 - np.divide(ratio, count, out=np.full(np.shape(ratio), np.nan), where=count > 0)


def z2_statistic(
    losses: NDArray[np.float64], var: NDArray[np.float64], es: NDArray[np.float64], *, level: float
) -> NDArray[np.float64]:
    """Z2 = 1 - sum of loss / ES over exceedances / ((1 - level) D); (date, ...) to (...).

    References
    ----------
    Acerbi, Szekely (2014), "Back-testing expected shortfall", Risk, December, equation 6 (test 2).
    """
    _check_tail_level(level)
    _check_tail_arrays(losses, var, es)
    ratio = np.where(losses > var, losses / es, 0.0).sum(axis=0)
    return 1.0 - ratio / ((1.0 - level) * losses.shape[0])


def expected_shortfall_test(
    losses: ArrayLike, var: ArrayLike, es: ArrayLike, simulated_losses: ArrayLike, *, level: float
) -> ShortfallBacktest:
    """Acerbi-Szekely backtest of one record of daily forecasts.

    Parameters
    ----------
    losses : array of shape (date,), float64
        Realised losses, positive for losses.
    var, es : array of shape (date,), float64
        Forecasts made before each date, ``es >= var``, ``es > 0``.
    simulated_losses : array of shape (simulation, date), float64
        Losses drawn from the forecast law of each date, independent over dates; at least 19 records, or no p-value
        could reach 5 %.
    level : float
        Confidence level of both risk measures, for example 0.975.

    Returns
    -------
    ShortfallBacktest
        p-values ``(1 + #{simulated <= observed}) / (1 + simulations)``; records without an exceedance count for Z1
        as the mildest.

    Raises
    ------
    ShapeError, DataError, ConfigError
        If shapes disagree, values are not finite, not ordered or constant, there is no exceedance, simulations are
        too few, or the level is not between 0.5 and 1.

    Notes
    -----
    At 97.5 % and 250 days the 5 % critical value of Z2 is about -0.70 for Gaussian and -0.82 for Student-t(3) losses
    (Acerbi, Szekely 2014, table 1): nearly the same for realistic tails, so a value below -0.7 is a warning even where
    nothing can be simulated. Few exceedances make Z1 weak: 250 days hold six.

    References
    ----------
    Acerbi, Szekely (2014), "Back-testing expected shortfall", Risk, December.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> rng = np.random.default_rng(0)
    >>> var, es = np.full(250, norm.ppf(0.975)), np.full(250, norm.pdf(norm.ppf(0.975)) / 0.025)
    >>> understated = expected_shortfall_test(
    ...     1.5 * rng.standard_normal(250), var, es, rng.standard_normal((500, 250)), level=0.975
    ... )
    >>> understated.z2 < -0.7, understated.z2_p_value < 0.05
    (True, True)
    """
    _check_tail_level(level)
    realised, quantile, shortfall = check_tail_record(losses, var, es)
    simulated = _checked_simulations(simulated_losses, realised.size)
    count = int((realised > quantile).sum())
    if count == 0:
        raise DataError(
            f"no loss exceeded the value at risk in {realised.size} days: Z1 is not defined. Use a longer record; "
            "the value at risk tests judge the missing exceedances."
        )
    z1, z2 = (
        float(z1_statistic(realised, quantile, shortfall)),
        float(z2_statistic(realised, quantile, shortfall, level=level)),
    )
    columns = (simulated.T, quantile[:, None], shortfall[:, None])
    null_1 = np.nan_to_num(z1_statistic(*columns), nan=np.inf)
    null_2 = z2_statistic(*columns, level=level)
    return ShortfallBacktest(
        z1=z1,
        z1_p_value=float((1 + (null_1 <= z1).sum()) / (1 + null_1.size)),
        z2=z2,
        z2_p_value=float((1 + (null_2 <= z2).sum()) / (1 + null_2.size)),
        z2_critical=float(np.quantile(null_2, 0.05)),
        n_exceedances=count,
        n_dates=realised.size,
    )


def check_tail_record(
    losses: ArrayLike, var: ArrayLike, es: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return losses and tail forecasts of one record, checked.

    Raises
    ------
    ShapeError
        If they are not records of the same days.
    DataError
        If values are not finite, losses are constant over three or more days, a shortfall is not positive, or lies
        below the value at risk.
    """
    realised, quantile, shortfall = (np.asarray(a, dtype=np.float64) for a in (losses, var, es))
    shapes = {realised.shape, quantile.shape, shortfall.shape}
    if len(shapes) > 1 or realised.ndim != 1 or realised.size == 0:
        raise ShapeError(
            "losses, var and es must be records of the same days, at least one, shape (date,): got "
            f"{realised.shape}, {quantile.shape}, {shortfall.shape}."
        )
    for name, values in (("losses", realised), ("var", quantile), ("es", shortfall)):
        if not np.isfinite(values).all():
            raise DataError(f"{name} must be finite: {int((~np.isfinite(values)).sum())} values are not.")
    if realised.size >= 3 and np.ptp(realised) == 0.0:
        raise DataError(
            f"losses are {realised[0]:.6g} on all {realised.size} days: a constant series says nothing on a tail. "
            "Remove stale prices."
        )
    _check_positive(shortfall)
    # interpolated quantiles may exceed the tail mean by rounding only
    if (shortfall < quantile * (1.0 - 1e-12)).any():
        raise DataError(
            f"es must not be below var: it is on {int((shortfall < quantile).sum())} days. Both must have the same "
            "level and the same sign."
        )
    return realised, quantile, shortfall


def _check_tail_level(level: float) -> None:
    if not 0.5 < level < 1.0:
        raise ConfigError(f"level must be a confidence level between 0.5 and 1, for example 0.975: got {level!r}.")


def _check_positive(shortfall: NDArray[np.float64]) -> None:
    if (shortfall <= 0.0).any():
        raise DataError(f"es must be positive (losses are positive): the smallest is {shortfall.min():.6g}.")


def _check_tail_arrays(losses: NDArray[np.float64], var: NDArray[np.float64], es: NDArray[np.float64]) -> None:
    """Refuse what comparisons would pass over: a missing loss would count as a day without exceedance."""
    lengths = {a.shape[:1] if a.ndim == losses.ndim else None for a in (losses, var, es)}
    if len(lengths) > 1 or losses.ndim == 0 or losses.shape[0] == 0:
        raise ShapeError(
            f"losses, var and es must have the same dates and number of axes, (date, ...): got {losses.shape}, "
            f"{var.shape}, {es.shape}."
        )
    for name, values in (("losses", losses), ("var", var), ("es", es)):
        if not np.isfinite(values).all():
            raise DataError(f"{name} must be finite: {int((~np.isfinite(values)).sum())} values are not.")
    _check_positive(es)


def _checked_simulations(simulated_losses: ArrayLike, n_dates: int) -> NDArray[np.float64]:
    simulated = np.asarray(simulated_losses, dtype=np.float64)
    if simulated.ndim != 2 or simulated.shape[1] != n_dates:
        raise ShapeError(
            f"simulated_losses must have axes (simulation, date) with {n_dates} dates: got {simulated.shape}."
        )
    if len(simulated) < 19:
        raise DataError(
            f"at least 19 simulated records are needed for a p-value of 5 %: got {len(simulated)}. Simulate 1000."
        )
    if not np.isfinite(simulated).all():
        raise DataError("simulated_losses must be finite: some values are missing or infinite.")
    if np.ptp(simulated) == 0.0:
        raise DataError("simulated_losses are constant: they are no draws from the forecast law. Simulate again.")
    return simulated
