"""Moments and tail measures of one number per scenario under given probabilities.

The law is the discrete one that the scenarios *are*: no degrees-of-freedom corrections. Losses are positive.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import DataError

Floats = NDArray[np.float64]


class Moments(NamedTuple):
    """Mean and standard deviation."""

    mean: float
    deviation: float


def moments(values: Floats, probabilities: Floats) -> Moments:
    """Mean and standard deviation.

    Examples
    --------
    >>> moments(np.array([0.0, 2.0]), np.array([0.5, 0.5]))
    Moments(mean=1.0, deviation=1.0)
    """
    mean = float(probabilities @ values)
    return Moments(mean, float(np.sqrt(probabilities @ np.square(values - mean))))


def varying_moments(values: Floats, probabilities: Floats, what: str) -> Moments:
    """`moments`, refusing values that do not vary: shape and dependence have no meaning for them.

    Raises
    ------
    DataError
        If the standard deviation is zero up to rounding.

    Examples
    --------
    >>> varying_moments(np.array([0.0, 2.0]), np.array([0.5, 0.5]), "skew of A")
    Moments(mean=1.0, deviation=1.0)
    """
    m = moments(values, probabilities)
    if m.deviation <= 1e-14 * float(np.abs(values).max()):
        raise DataError(
            f"{what} is not defined: the values are the same in every scenario of positive probability. "
            "Drop this view, or choose what it is about differently."
        )
    return m


def central_moment(values: Floats, probabilities: Floats, order: int) -> float:
    """Standardised central moment: 3 is the skew, 4 the kurtosis (3 for a Gaussian).

    Examples
    --------
    >>> central_moment(np.array([-1.0, 1.0]), np.array([0.5, 0.5]), 4)
    1.0
    """
    m = moments(values, probabilities)
    return float(probabilities @ ((values - m.mean) / m.deviation) ** order)


class TailMeasures(NamedTuple):
    """Value at risk and expected loss beyond it."""

    value_at_risk: float
    expected_shortfall: float


def tail_measures(losses: Floats, probabilities: Floats, level: float, order: NDArray[np.intp]) -> TailMeasures:
    r"""Value at risk and CVaR of a discrete loss.

    :math:`VaR = \inf\{l : P(L \le l) \ge \beta\}`, :math:`CVaR = VaR + E(L - VaR)^+ / (1 - \beta)`, which counts the
    atom at the quantile with just the share that fills the tail to :math:`1 - \beta`.

    Parameters
    ----------
    losses, probabilities : ndarray of shape (scenario,), float64
    level : float
        :math:`\beta`.
    order : ndarray of shape (scenario,)
        ``np.argsort(losses)``: computed once, used for many laws.

    References
    ----------
    Rockafellar and Uryasev (2002), "Conditional value-at-risk for general loss distributions", theorem 10.

    Examples
    --------
    >>> losses = np.arange(10.0)
    >>> tail_measures(losses, np.full(10, 0.1), 0.85, np.argsort(losses))
    TailMeasures(value_at_risk=8.0, expected_shortfall=8.666666666666666)
    """
    below = np.cumsum(probabilities[order])
    # at a tie of cumulated probability and level, rounding (1e-16 * S) must not move the quantile by an atom
    position = min(int(np.searchsorted(below, level - 1e-14)), len(losses) - 1)
    value_at_risk = float(losses[order[position]])
    excess = float(probabilities @ np.maximum(losses - value_at_risk, 0.0))
    return TailMeasures(value_at_risk, value_at_risk + excess / (1.0 - level))


def effective_number(probabilities: Floats) -> float:
    """Exponential of the entropy of probabilities: their number if they are equal.

    Examples
    --------
    >>> round(effective_number(np.array([0.5, 0.5, 0.0])), 12)
    2.0
    """
    p = probabilities[probabilities > 0]
    return float(np.exp(-(p * np.log(p)).sum()))
