"""The unknowns of one rebalancing decision: weights, and the sizes of the trades that lead to them.

Constraints and costs are written against this object, so that each knows the assets, the previous
weights and the variables, and nothing else. States problems; never solves them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class NamedLimit:
    """One limit as the solver sees it, with the name under which errors and duals report it.

    Parameters
    ----------
    name : str
        For example ``"Bounds upper 0.2"``.
    constraint : cvxpy constraint
        The whole limit, in terms of `DecisionModel` variables; affine on both sides.
    rows : tuple of str
        Assets of the entries of ``constraint``, where it is one inequality per asset; used to say *whose* bound is
        at fault.
    default : bool
        Added because the caller gave none of this type.
    """

    name: str
    constraint: cp.Constraint
    rows: tuple[str, ...] = ()
    default: bool = False


@final
class DecisionModel:
    """Variables of one decision.

    Parameters
    ----------
    assets : sequence of str
        Names, in the order of the weights.
    previous : ndarray of shape (asset,), optional
        Weights held before the decision; ``None`` means cash only.

    Attributes
    ----------
    weights : cvxpy Variable of shape (asset,)
    definitions : list of cvxpy constraints
        What defines the auxiliary variables; every problem must contain them.

    Examples
    --------
    >>> model = DecisionModel(["A", "B"], None)
    >>> model.weights.shape, model.start.tolist()
    ((2,), [0.0, 0.0])
    """

    def __init__(self, assets: Sequence[str], previous: NDArray[np.float64] | None) -> None:
        self.assets = tuple(assets)
        self.previous = previous
        self.start = np.zeros(len(self.assets)) if previous is None else previous
        self.weights = cp.Variable(len(self.assets), name="weights")
        self.definitions: list[cp.Constraint] = []
        self._sizes: dict[tuple[int, ...], cp.Variable] = {}

    def trade_sizes(self, positions: Sequence[int] | None = None) -> cp.Variable:
        """Variable that is at least ``|weights - previous|`` for the assets at ``positions`` (default: all).

        Written with affine inequalities instead of an absolute value, so that the optimality
        conditions are those of a differentiable problem and can be checked exactly.
        """
        key = tuple(range(len(self.assets))) if positions is None else tuple(int(i) for i in positions)
        if key not in self._sizes:
            size = cp.Variable(len(key), name=f"trade_sizes_{len(self._sizes)}")
            index = list(key)
            trade = self.weights[index] - self.start[index]
            self.definitions += [trade <= size, -trade <= size]
            self._sizes[key] = size
        return self._sizes[key]
