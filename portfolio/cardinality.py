"""Largest number of assets held: turns the decision into a mixed-integer problem."""

from dataclasses import dataclass
from typing import final

import cvxpy as cp
import numpy as np
from cvxpy.constraints.nonpos import Inequality

from portfolio.decision_model import DecisionModel, NamedLimit
from tsgen.errors import ConfigError


@final
@dataclass(frozen=True)
class Cardinality:
    """At most ``maximum`` weights differ from zero.

    Parameters
    ----------
    maximum : int
        Number of assets, at least 1.

    Raises
    ------
    ConfigError
        If ``maximum`` is not a positive integer; when optimising, if an asset lacks finite `Bounds`.

    Notes
    -----
    Solved exactly, by outer approximation with HiGHS (see `portfolio.mixed_integer`). Time can grow
    exponentially with the number of assets; up to some dozens it is usually seconds. ``duals`` and
    ``residuals`` are those of the problem restricted to the assets chosen.

    Examples
    --------
    >>> Cardinality(5)
    Cardinality(maximum=5)
    """

    maximum: int

    def __post_init__(self) -> None:
        given = self.maximum
        if isinstance(given, bool) or not isinstance(given, (int, np.integer)) or given < 1:
            raise ConfigError(f"maximum number of assets must be a positive integer: got {given!r}.")
        object.__setattr__(self, "maximum", int(given))

    def named_limits(self, model: DecisionModel) -> list[NamedLimit]:
        """One inequality on the sum of the indicators."""
        count = Inequality(cp.sum(model.allowed()), cp.Constant(float(self.maximum)))
        return [NamedLimit(name=f"Cardinality {self.maximum}", constraint=count)]
