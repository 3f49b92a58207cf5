"""Tail risk of weighted losses: value at risk, CVaR and EVaR, in plain numpy.

Losses are positive; probabilities are used exactly, an atom at the quantile is split. The tail is
given as a law of its own (`cvar_law`, `evar_law`): the risk is the mean loss under it, and so are
the contributions of assets and the gradient.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import root_scalar
from scipy.special import logsumexp

from tsgen.errors import ConfigError, DataError, ShapeError


def check_level(level: float) -> float:
    """The level as float; raises `ConfigError` unless it lies strictly between 0 and 1."""
    number = isinstance(level, (int, float, np.number)) and not isinstance(level, bool)
    if not number or not 0.0 < level < 1.0:
        raise ConfigError(f"level must lie strictly between 0 and 1: got {level!r}. 0.95 looks at the worst 5 %.")
    return float(level)


def value_at_risk(losses: ArrayLike, *, level: float = 0.95, probabilities: ArrayLike | None = None) -> float:
    """Smallest loss that is not exceeded with probability at least ``level`` (lower quantile).

    Parameters
    ----------
    losses : array of shape (scenario,)
        Positive is bad, decimals.
    level : float
        Strictly between 0 and 1.
    probabilities : array of shape (scenario,), optional
        Equal ones by default.

    Returns
    -------
    float

    Raises
    ------
    ConfigError, DataError, ShapeError
        If the level, the losses or the probabilities are unusable.

    Examples
    --------
    >>> value_at_risk([1.0, 2.0, 3.0, 4.0], level=0.75)
    3.0
    """
    x, p, beta = *_checked(losses, probabilities), check_level(level)
    order = np.argsort(x, kind="stable")
    # rounding of a sum of S probabilities must not move the quantile to the next scenario
    reached = np.cumsum(p[order]) >= beta - 1e-12
    return float(x[order][np.argmax(reached)])


def cvar_law(losses: NDArray[np.float64], probabilities: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Probabilities of the tail: the worst ``1 - level``, scaled up to one, the last atom split.

    Examples
    --------
    >>> cvar_law(np.array([1.0, 2.0, 3.0]), np.full(3, 1 / 3), 0.5).round(4).tolist()
    [0.0, 0.3333, 0.6667]
    """
    tail = 1.0 - level
    order = np.argsort(-losses, kind="stable")
    p = probabilities[order]
    before = np.cumsum(p) - p
    law = np.empty_like(p)
    law[order] = np.clip(tail - before, 0.0, p) / tail
    return law


def conditional_value_at_risk(
    losses: ArrayLike, *, level: float = 0.95, probabilities: ArrayLike | None = None
) -> float:
    """Mean of the worst ``1 - level`` of the losses; an atom at the quantile counts in part.

    Parameters
    ----------
    losses, level, probabilities
        As in `value_at_risk`.

    Returns
    -------
    float

    Raises
    ------
    ConfigError, DataError, ShapeError
        As in `value_at_risk`.

    References
    ----------
    Rockafellar and Uryasev (2002), "Conditional value-at-risk for general loss distributions",
    proposition 8.

    Examples
    --------
    >>> round(conditional_value_at_risk([1.0, 2.0, 3.0], level=0.5), 6)
    2.666667
    """
    x, p = _checked(losses, probabilities)
    return float(cvar_law(x, p, check_level(level)) @ x)


def evar_law(losses: NDArray[np.float64], probabilities: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Exponentially tilted law whose relative entropy is ``-ln(1 - level)``: the worst one that near.

    Where so large an entropy cannot be reached, all mass is on the largest loss.

    Examples
    --------
    >>> law = evar_law(np.array([0.0, 1.0]), np.array([0.5, 0.5]), 0.3)
    >>> bool(np.isclose(law @ np.log(2 * law), -np.log(0.7)))
    True
    """
    entropy = -np.log1p(-level)
    worst = losses >= losses.max()
    spread = float(np.ptp(losses))
    if spread <= 0.0:
        return probabilities.copy()
    # up to rounding: beyond that no temperature reaches the entropy
    if entropy >= -np.log(probabilities[worst].sum()) - 1e-14:
        return np.where(worst, probabilities, 0.0) / probabilities[worst].sum()
    # losses relative to the worst in units of their spread: the temperature is then of order one
    x = (losses - losses.max()) / spread

    def tilted(log_temperature: float) -> NDArray[np.float64]:
        exponent = np.log(probabilities) + x * np.exp(-log_temperature)
        return np.exp(exponent - logsumexp(exponent))

    def excess(log_temperature: float) -> float:
        law = tilted(log_temperature)
        held = law > 0
        return float(law[held] @ np.log(law[held] / probabilities[held])) - entropy

    low, high = -1.0, 1.0
    while excess(low) < 0.0:
        low -= 2.0
    while excess(high) > 0.0:
        high += 2.0
    return tilted(float(root_scalar(excess, bracket=(low, high), xtol=1e-14, rtol=1e-14).root))


def entropic_value_at_risk(losses: ArrayLike, *, level: float = 0.95, probabilities: ArrayLike | None = None) -> float:
    r"""Tightest exponential upper bound of CVaR, :math:`\min_{t>0} t \ln(E e^{L/t} / (1 - \beta))`.

    Parameters
    ----------
    losses, level, probabilities
        As in `value_at_risk`.

    Returns
    -------
    float
        Computed through its dual, the mean loss under the worst law of relative entropy
        :math:`-\ln(1-\beta)`.

    Raises
    ------
    ConfigError, DataError, ShapeError
        As in `value_at_risk`.

    References
    ----------
    Ahmadi-Javid (2012), "Entropic value-at-risk: a new coherent risk measure", definition 3.1 and
    theorem 3.3.

    Examples
    --------
    >>> entropic_value_at_risk([0.0, 1.0], level=0.5)
    1.0
    """
    x, p = _checked(losses, probabilities)
    possible = p > 0
    x, p = x[possible], p[possible]
    return float(evar_law(x, p, check_level(level)) @ x)


def _checked(losses: ArrayLike, probabilities: ArrayLike | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x = np.asarray(losses, dtype=np.float64)
    if x.ndim != 1 or not len(x):
        raise ShapeError(f"losses must have one entry per scenario: got shape {x.shape}.")
    p = np.full(len(x), 1.0 / len(x)) if probabilities is None else np.asarray(probabilities, dtype=np.float64)
    if p.shape != x.shape:
        raise ShapeError(f"probabilities must have one entry per scenario: expected {x.shape}, got {p.shape}.")
    if not np.isfinite(x).all() or not np.isfinite(p).all() or (p < 0).any() or abs(p.sum() - 1.0) > 1e-9:
        raise DataError("losses must be finite, probabilities not negative with sum 1. Repair or normalise them.")
    return x, p
