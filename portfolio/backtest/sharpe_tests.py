r"""Is a Sharpe ratio more than luck? Probabilistic and deflated Sharpe ratio.

All Sharpe ratios here are **per period**, not annualised: the formulas need the number of periods that
goes with them.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kurtosis, norm, skew

from tsgen.errors import ConfigError, DataError


def sharpe_probability(
    sharpe: float, *, benchmark: float = 0.0, n_periods: float, skewness: float = 0.0, kurtosis: float = 3.0
) -> float:
    r"""Probability that the true Sharpe ratio exceeds a benchmark, from an estimate and its moments.

    .. math:: \Phi\!\left(\frac{(\widehat{SR} - SR^*)\sqrt{T - 1}}
              {\sqrt{1 - \gamma_3 \widehat{SR} + \tfrac{\gamma_4 - 1}{4}\widehat{SR}^2}}\right)

    Parameters
    ----------
    sharpe, benchmark : float
        Per period.
    n_periods : float
        T, more than 1.
    skewness, kurtosis : float
        Of the returns; the kurtosis of a normal law is 3.

    Returns
    -------
    float

    Raises
    ------
    ConfigError
        If there are too few periods, or no distribution has such moments.

    References
    ----------
    Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier", equation 11.

    Examples
    --------
    The example of that paper: 24 months with a Sharpe ratio of 0.458, skewed and fat-tailed.

    >>> round(sharpe_probability(0.458, n_periods=24), 3)
    0.982
    >>> round(sharpe_probability(0.458, n_periods=24, skewness=-2.448, kurtosis=10.164), 3)
    0.913
    """
    if not n_periods > 1:
        raise ConfigError(f"a Sharpe ratio needs more than one period: got n_periods={n_periods!r}.")
    # Pearson: kurtosis >= 1 + skewness^2 for every law; the sample moments obey it too, up to rounding
    if not np.isfinite([sharpe, benchmark]).all() or kurtosis < 1.0 + skewness**2 - 1e-9:
        raise ConfigError(
            f"Sharpe ratios must be finite and kurtosis at least 1 + skewness^2: got sharpe {sharpe!r}, kurtosis "
            f"{kurtosis!r}, skewness {skewness!r}. The kurtosis of a normal law is 3 here."
        )
    spread = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if spread <= 0.0:
        raise ConfigError(f"the variance of the Sharpe ratio is not positive ({spread:.3g}): is {sharpe!r} per period?")
    return float(norm.cdf((sharpe - benchmark) * np.sqrt(n_periods - 1.0) / np.sqrt(spread)))


def expected_maximum_sharpe(n_trials: float, *, variance: float) -> float:
    r"""Expected best Sharpe ratio of independent trials whose true Sharpe ratios are zero.

    :math:`\sqrt{V}\,((1 - \gamma)\,\Phi^{-1}(1 - 1/N) + \gamma\,\Phi^{-1}(1 - 1/(Ne)))` with Euler's
    :math:`\gamma`.

    Parameters
    ----------
    n_trials : float
        N, at least 1; for dependent trials the effective number.
    variance : float
        Of the Sharpe ratios over the trials, per period.

    Raises
    ------
    ConfigError
        If an argument is outside its range.

    References
    ----------
    Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio", equation 1.

    Examples
    --------
    >>> round(expected_maximum_sharpe(100, variance=0.5 / 250), 4)
    0.1132
    """
    if not n_trials >= 1 or not np.isfinite(n_trials):
        raise ConfigError(f"n_trials must be at least 1: got {n_trials!r}. Count everything that was tried.")
    if not variance >= 0 or not np.isfinite(variance):
        raise ConfigError(f"the variance of the trials' Sharpe ratios must be finite, not negative: got {variance!r}.")
    if n_trials == 1:
        return 0.0
    gamma = np.euler_gamma
    best = (1 - gamma) * norm.isf(1 / n_trials) + gamma * norm.isf(1 / (n_trials * np.e))
    return float(np.sqrt(variance) * best)


def probabilistic_sharpe_ratio(returns: ArrayLike, *, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio of a record exceeds a benchmark; see `sharpe_probability`.

    Parameters
    ----------
    returns : array of shape (date,), float64
        Returns per period, at least 20.
    benchmark : float
        Sharpe ratio per period.

    Raises
    ------
    DataError
        If the record is too short, not finite or constant.

    Notes
    -----
    Independent returns are assumed; under positive serial dependence the probability is too extreme.

    Examples
    --------
    >>> r = np.random.default_rng(0).normal(0.001, 0.01, 1000)
    >>> probabilistic_sharpe_ratio(r) > 0.9
    True
    """
    values = _record(returns)
    return sharpe_probability(per_period_sharpe(values), benchmark=benchmark, **_moments(values))


def deflated_sharpe_ratio(returns: ArrayLike, *, trial_sharpes: ArrayLike, n_trials: float | None = None) -> float:
    """Probability that the true Sharpe ratio exceeds what the best of all trials would show by luck.

    Parameters
    ----------
    returns : array of shape (date,), float64
        Returns per period of the strategy chosen.
    trial_sharpes : array of shape (trial,), float64
        Sharpe ratios per period of everything that was tried, the chosen one included; at least two.
    n_trials : float, optional
        Number of independent trials, if it is not the number of Sharpe ratios.

    Raises
    ------
    DataError
        If the record is too short, not finite or constant, or there are fewer than two trials.

    References
    ----------
    Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio", equation 2.

    Examples
    --------
    >>> r = np.random.default_rng(0).normal(0.001, 0.01, 1000)
    >>> deflated_sharpe_ratio(r, trial_sharpes=[-0.1, 0.0, 0.1]) < probabilistic_sharpe_ratio(r)
    True
    """
    trials = np.asarray(trial_sharpes, dtype=np.float64).ravel()
    if trials.size < 2 or not np.isfinite(trials).all():
        raise DataError(f"a deflated Sharpe ratio needs the finite Sharpe ratios of two or more trials: got {trials}.")
    count = trials.size if n_trials is None else n_trials
    threshold = expected_maximum_sharpe(count, variance=float(trials.var(ddof=1)))
    return probabilistic_sharpe_ratio(returns, benchmark=threshold)


def per_period_sharpe(returns: ArrayLike) -> float:
    """Mean over standard deviation (``ddof=1``) of returns per period.

    Raises
    ------
    DataError
        If the record is too short, not finite or constant.
    """
    values = _record(returns)
    return float(values.mean() / values.std(ddof=1))


def _record(returns: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1 or values.size < 20 or not np.isfinite(values).all():
        raise DataError(f"a Sharpe ratio needs a finite record of at least 20 returns: got shape {values.shape}.")
    if float(np.ptp(values)) < 1e-14:
        raise DataError("the returns do not vary, so there is no Sharpe ratio. Did the policy never trade?")
    return values


def _moments(values: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "n_periods": values.size,
        "skewness": float(skew(values)),
        "kurtosis": float(kurtosis(values, fisher=False)),
    }
