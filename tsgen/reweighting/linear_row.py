"""One linear condition on probabilities: ``E_q[feature]`` equal to, at most or at least a target.

Every view becomes such rows; what a row needs for messages and derivatives travels with it.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.relation import Relation


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class LinearRow:
    """A linear condition on the probabilities of the scenarios.

    Parameters
    ----------
    name : str
        What is constrained, without the target: rows of the same name in two problems belong together.
    feature : ndarray of shape (scenario,), float64
        Finite numbers.
    target : float
        In the unit of the feature.
    relation : {"==", "<=", ">="}
    squared : bool
        Whether feature and target are the squares of what the view speaks of (a volatility view is imposed on the
        variance); messages and derivatives are in the unit of the view.
    held_for : str, optional
        Name of the view that needs this moment held at the value of the preceding stage.

    Examples
    --------
    >>> str(LinearRow(name="mean of A", feature=np.zeros(2), target=0.01, relation=">="))
    'mean of A >= 0.01'
    """

    name: str
    feature: NDArray[np.float64]
    target: float
    relation: Relation
    squared: bool = False
    held_for: str | None = None

    @cached_property
    def range(self) -> tuple[float, float]:
        """Smallest and largest value of the feature over all scenarios."""
        return float(self.feature.min()), float(self.feature.max())

    def spread(self, prior: NDArray[np.float64]) -> float:
        """Prior standard deviation of the feature, the unit of its residual; any unit will do where it is constant.

        Computed once per prior: searches solve many problems that share most of their rows.
        """
        known: tuple[NDArray[np.float64], float] | None = self.__dict__.get("_spread")
        if known is None or known[0] is not prior:
            known = prior, _spread(self.feature, self.target, prior)
            self.__dict__["_spread"] = known
        return known[1]

    def in_view_unit(self, value: float) -> float:
        """A value of the feature's mean in the unit of the view."""
        return math.sqrt(max(value, 0.0)) if self.squared else value

    @property
    def slope(self) -> float:
        """Derivative of the row's target with respect to the target of the view."""
        return 2.0 * math.sqrt(self.target) if self.squared else 1.0

    def __str__(self) -> str:
        if self.held_for is not None:
            return f"{self.name} held at {self.target:.6g} (for {self.held_for})"
        return f"{self.name} {self.relation} {self.in_view_unit(self.target):.6g}"


def _spread(feature: NDArray[np.float64], target: float, prior: NDArray[np.float64]) -> float:
    centred = feature - float(prior @ feature)
    variance = float(prior @ np.square(centred))
    largest = max(float(np.abs(feature).max()), abs(target))
    return math.sqrt(variance) if variance > (1e-14 * largest) ** 2 and variance > 0 else max(largest, 1.0)
