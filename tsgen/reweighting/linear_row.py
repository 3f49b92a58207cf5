"""One linear condition on probabilities: ``E_q[feature]`` equal to, at most or at least a target.

Every view becomes such rows; what a row needs for messages and derivatives travels with it.
"""

import math
from dataclasses import dataclass
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
