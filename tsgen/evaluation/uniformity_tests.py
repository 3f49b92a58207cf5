"""Tests of probability integral transforms (PIT): uniform law, normal scores without memory, no clusters of surprises.

The statistics take many records at once, (date, ...) to (...); the tests take one record. Below `forecast_calibration`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import chi2, kstwo

from tsgen.errors import ConfigError, DataError, ShapeError

_CLUSTERING_LAGS = 5


class UniformityTest(NamedTuple):
    """Tests of uniform probability integral transforms of one record."""

    kolmogorov_smirnov: float
    kolmogorov_smirnov_p_value: float
    """Exact."""
    anderson_darling: float
    anderson_darling_p_value: float
    """By simulation of uniform records of the same length."""


class BerkowitzTest(NamedTuple):
    """Joint test of mean 0, variance 1 and no first-order memory of normal scores."""

    statistic: float
    p_value: float
    mean: float
    standard_deviation: float
    autocorrelation: float


def kolmogorov_smirnov(pit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest distance of the empirical from the uniform distribution function; (date, ...) to (...)."""
    n = pit.shape[0]
    ordered = np.sort(pit, axis=0)
    steps = np.arange(1, n + 1).reshape(-1, *([1] * (pit.ndim - 1))) / n
    return np.maximum((steps - ordered).max(axis=0), (ordered - steps + 1.0 / n).max(axis=0))


def anderson_darling(pit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Anderson-Darling distance from the uniform law, tails weighted up; (date, ...) to (...)."""
    n = pit.shape[0]
    ordered = np.sort(pit, axis=0)
    weights = (2.0 * np.arange(1, n + 1) - 1.0).reshape(-1, *([1] * (pit.ndim - 1)))
    return -n - (weights * (np.log(ordered) + np.log1p(-ordered[::-1]))).sum(axis=0) / n


def berkowitz_statistic(pit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Likelihood ratio of a Gaussian AR(1) against white standard normal scores; (date, ...) to (...)."""
    _, _, _, residual, scores = _normal_score_fit(pit)
    n = scores.shape[0] - 1
    variance = (residual**2).mean(axis=0)
    # both likelihoods condition on the first score
    return (scores[1:] ** 2).sum(axis=0) - n * (np.log(variance) + 1.0)


def clustering_statistic(pit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ljung-Box statistic (5 lags) of the squared distance of the PIT from 1/2; (date, ...) to (...).

    Large if surprises come in clusters: the forecast of volatility is late or absent.
    """
    n = pit.shape[0]
    distance = (2.0 * pit - 1.0) ** 2
    deviation = distance - distance.mean(axis=0)
    variance = (deviation**2).sum(axis=0)
    total = np.zeros(pit.shape[1:])
    for lag in range(1, _CLUSTERING_LAGS + 1):
        total += ((deviation[lag:] * deviation[:-lag]).sum(axis=0) / variance) ** 2 / (n - lag)
    return n * (n + 2.0) * total


def uniformity_test(pit: ArrayLike, *, rng: np.random.Generator, simulations: int = 999) -> UniformityTest:
    """Test one record of probability integral transforms for the uniform law.

    Parameters
    ----------
    pit : array of shape (date,), float64, strictly between 0 and 1
        From a finite ensemble: randomised ranks, `PooledEnsemble.randomised_pit`. Plain ranks are discrete, and both
        tests would reject a right forecast.
    rng : numpy.random.Generator
    simulations : int
        Uniform records behind the Anderson-Darling p-value, at least 19.

    Raises
    ------
    ShapeError, DataError
        If ``pit`` is no record of at least 20 values strictly between 0 and 1, or constant.
    ConfigError
        If there are fewer than 19 simulations.

    References
    ----------
    Diebold, Gunther, Tay (1998), "Evaluating density forecasts", International Economic Review 39.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> uniformity_test(rng.random(500) ** 1.5, rng=rng).anderson_darling_p_value
    0.001
    """
    record = _checked_pit(pit)
    if isinstance(simulations, bool) or not isinstance(simulations, (int, np.integer)) or simulations < 19:
        raise ConfigError(f"simulations must be an integer of at least 19 for a p-value of 5 %: got {simulations!r}.")
    ks, ad = float(kolmogorov_smirnov(record)), float(anderson_darling(record))
    null = anderson_darling(rng.random((record.size, simulations)))
    ad_p = float((1 + (null >= ad).sum()) / (1 + simulations))
    return UniformityTest(ks, float(kstwo.sf(ks, record.size)), ad, ad_p)


def berkowitz_test(pit: ArrayLike) -> BerkowitzTest:
    """Berkowitz's test: normal scores of the PIT have mean 0, variance 1 and no memory.

    Parameters
    ----------
    pit : array of shape (date,), float64, strictly between 0 and 1

    Raises
    ------
    ShapeError, DataError
        If ``pit`` is no record of at least 20 values strictly between 0 and 1, or constant.

    References
    ----------
    Berkowitz (2001), "Testing density forecasts, with applications to risk management", JBES 19, equation 7
    (chi-squared with 3 degrees of freedom).

    Examples
    --------
    >>> berkowitz_test(np.random.default_rng(0).random(1000)).p_value > 0.01
    True
    """
    record = _checked_pit(pit)
    statistic = float(berkowitz_statistic(record))
    mean, slope, spread, _, _ = _normal_score_fit(record)
    return BerkowitzTest(statistic, float(chi2.sf(statistic, 3)), float(mean), float(spread), float(slope))


def _normal_score_fit(pit: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Stationary mean, slope and deviation of an AR(1) of the normal scores, its residuals and the scores."""
    scores = ndtri(pit)
    before, now = scores[:-1], scores[1:]
    centred = before - before.mean(axis=0)
    slope = (centred * now).sum(axis=0) / (centred**2).sum(axis=0)
    residual = now - now.mean(axis=0) - slope * centred
    return scores.mean(axis=0), slope, scores.std(axis=0), residual, scores


def _checked_pit(pit: ArrayLike) -> NDArray[np.float64]:
    record = np.asarray(pit, dtype=np.float64)
    if record.ndim != 1 or record.size < 20:
        raise ShapeError(f"pit must be one record of at least 20 dates, shape (date,): got shape {record.shape}.")
    if not ((record > 0.0) & (record < 1.0)).all():
        raise DataError(
            "pit must lie strictly between 0 and 1 on every date: some values do not. Ranks of a finite ensemble must "
            "be randomised, see PooledEnsemble.randomised_pit."
        )
    if np.ptp(record) == 0.0:
        raise DataError(f"pit is {record[0]:.6g} on all {record.size} dates: a constant series has no law to test.")
    return record
