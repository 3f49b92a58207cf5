"""Joint score of value at risk and expected shortfall, to rank models by their forecast of the tail.

Expected shortfall alone has no proper score; together with the value at risk it has. The zero-homogeneous
member of the Fissler-Ziegel family is used: differences of scores do not depend on the unit of the returns.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import ConfigError
from tsgen.evaluation.expected_shortfall_tests import check_tail_record


def joint_var_es_score(losses: ArrayLike, var: ArrayLike, es: ArrayLike, *, level: float) -> NDArray[np.float64]:
    """Fissler-Ziegel score FZ0 of tail forecasts, day by day; lower is better.

    ``S = 1{L > V} (L - V) / ((1 - level) E) + V / E + log E - 1`` for loss L, value at risk V, shortfall E. Its
    expectation is smallest for the true pair, where it equals ``log E``.

    Parameters
    ----------
    losses, var, es : array of shape (date,), float64
        Positive for losses; ``es >= var``, ``es > 0``.
    level : float
        Confidence level of both, for example 0.975.

    Returns
    -------
    ndarray of shape (date,), float64
        Compare models by the paired differences of their scores on the same days.

    Raises
    ------
    ShapeError, DataError, ConfigError
        If the records do not match, are not ordered, or the level is not between 0.5 and 1.

    References
    ----------
    Fissler, Ziegel (2016), "Higher order elicitability and Osband's principle", Annals of Statistics 44, corollary 5.5;
    Patton, Ziegel, Chen (2019), "Dynamic semiparametric models for expected shortfall (and value-at-risk)", Journal
    of Econometrics 211, equation 6 (FZ0).

    Examples
    --------
    >>> joint_var_es_score([0.0, 3.0], [2.0, 2.0], [2.5, 2.5], level=0.975).round(4).tolist()
    [0.7163, 16.7163]
    """
    if not 0.5 < level < 1.0:
        raise ConfigError(f"level must be a confidence level between 0.5 and 1, for example 0.975: got {level!r}.")
    realised, quantile, shortfall = check_tail_record(losses, var, es)
    beyond = np.maximum(realised - quantile, 0.0)
    return beyond / ((1.0 - level) * shortfall) + quantile / shortfall + np.log(shortfall) - 1.0
