"""A decision in numbers, as the direct engines take it: a small quadratic programme plus tail risks.

``min 1/2 x'Px + c'x`` over ``x = (weights, sizes, risks)`` subject to two-sided rows, bounds, and
``risk_k >= rho_k(weights)``. A size column is the part of ``|w_i - o|`` that the sign of ``w_i - o`` does not
settle: ``|w_i - o| = w_i - o + 2 s`` with ``s >= 0`` and ``w_i + s >= o``. Knows nothing of any solver.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from portfolio.risk_measures import RiskMeasure

# bounds closer than this (fractions of wealth) leave no inside for an interior point: the weight is a constant
FIXED = 1e-12

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Row:
    """``lower <= on_x @ x <= upper`` with the names under which the two sides are reported.

    Parameters
    ----------
    on_x : ndarray of shape (column,)
    lower, upper : float
        Infinite for a missing side; equal ones make an equality.
    lower_name, upper_name : str
        Empty for a missing side.
    unit : float
        The row has been divided by this; its multiplier is per this many units of the caller's limit.
    """

    on_x: Array
    lower: float
    upper: float
    lower_name: str = ""
    upper_name: str = ""
    unit: float = 1.0


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class WeightLimit:
    """One named limit per asset, on one side of its weight.

    Parameters
    ----------
    name : str
    side : {-1, 1}
        -1 for a lower, 1 for an upper limit.
    positions : ndarray of shape (limited,), int
    values : ndarray of shape (limited,)
    """

    name: str
    side: int
    positions: NDArray[np.intp]
    values: Array


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class DirectForm:
    """The programme; columns are weights, then sizes, then risks.

    Parameters
    ----------
    quadratic : ndarray of shape (column, column)
        P, positive semi-definite.
    linear : ndarray of shape (column,)
    lower, upper : ndarray of shape (column,)
        Infinite where there is none.
    matrix : ndarray of shape (row, column)
    row_lower, row_upper : ndarray of shape (row,)
    rows : tuple of Row
        Same order as ``matrix``; for the names.
    weight_limits : tuple of WeightLimit
    pairs : ndarray of shape (2, size), int
        Position of the weight and of the size column in ``w_i + s >= o``.
    origins : ndarray of shape (size,)
    measures : tuple of RiskMeasure
        One per risk column.
    n_assets : int
    scale : float
        The caller's objective has been multiplied by this.
    risk_unit : float
        Risk columns count in this many decimals of wealth.
    root : ndarray of shape (column, column), optional
        Upper Cholesky factor of ``quadratic / root_weight`` up to rounding, if one is at hand.
    root_weight : float
    """

    quadratic: Array
    linear: Array
    lower: Array
    upper: Array
    matrix: Array
    row_lower: Array
    row_upper: Array
    rows: tuple[Row, ...]
    weight_limits: tuple[WeightLimit, ...]
    pairs: NDArray[np.intp]
    origins: Array
    measures: tuple[RiskMeasure, ...]
    n_assets: int
    scale: float
    risk_unit: float
    root: Array | None = None
    root_weight: float = 1.0

    @property
    def n_columns(self) -> int:
        """Number of unknowns."""
        return len(self.linear)

    @property
    def risk_columns(self) -> range:
        """Columns of the risks, in the order of ``measures``."""
        return range(self.n_columns - len(self.measures), self.n_columns)

    @property
    def fixed(self) -> NDArray[np.bool_]:
        """Columns whose bounds leave no choice."""
        return self.upper - self.lower <= FIXED

    @property
    def equal(self) -> NDArray[np.bool_]:
        """Rows that are equalities."""
        return self.row_upper - self.row_lower <= FIXED

    @property
    def crossed(self) -> bool:
        """Whether some bounds or sides contradict each other on sight."""
        return bool((self.lower > self.upper + FIXED).any() or (self.row_lower > self.row_upper + FIXED).any())


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Multipliers:
    """Prices of the limits, of the objective as given in the form; all but those of rows are not negative.

    Parameters
    ----------
    lower, upper : ndarray of shape (column,)
    rows : ndarray of shape (row,)
        Positive for the upper side, negative for the lower one.
    pairs : ndarray of shape (size,)
    """

    lower: Array
    upper: Array
    rows: Array
    pairs: Array
