"""How far a claimed optimum is from one: residuals of the Karush-Kuhn-Tucker conditions.

Computed from the problem as it was stated, not from the solver's own report, so that a solver that
errs, or a projection afterwards, is noticed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import cvxpy as cp
import numpy as np
from cvxpy.constraints.zero import Equality, Zero
from numpy.typing import NDArray


@final
@dataclass(frozen=True, kw_only=True)
class OptimalityResiduals:
    """Largest violations, all zero at an exact optimum.

    Parameters
    ----------
    feasibility : float
        Of the constraints, in their own units (fractions of wealth).
    stationarity : float
        Entry of the gradient of the Lagrangian, in units of the objective as stated.
    complementarity : float
        Product of a multiplier and the slack of its inequality.
    """

    feasibility: float
    stationarity: float
    complementarity: float

    @property
    def worst(self) -> float:
        """The largest of the three."""
        return max(self.feasibility, self.stationarity, self.complementarity)


def optimality_residuals(objective: cp.Expression, constraints: Sequence[cp.Constraint]) -> OptimalityResiduals:
    """Residuals of ``min objective`` subject to ``constraints``, at the current values and duals.

    Parameters
    ----------
    objective : cvxpy Expression
        Differentiable and convex.
    constraints : sequence of cvxpy inequalities and equalities
        Differentiable, with dual values from a solve.

    Returns
    -------
    OptimalityResiduals

    References
    ----------
    Boyd and Vandenberghe (2004), "Convex Optimization", equation 5.49.

    Examples
    --------
    >>> x = cp.Variable(1)
    >>> problem = cp.Problem(cp.Minimize(cp.sum_squares(x)), [1 - x <= 0])
    >>> _ = problem.solve(solver="CLARABEL")
    >>> optimality_residuals(problem.objective.args[0], problem.constraints).worst < 1e-6
    True
    """
    gradient: dict[cp.Variable, NDArray[np.float64]] = {
        variable: np.zeros(variable.size)
        for expression in (objective, *constraints)
        for variable in expression.variables()
    }
    for variable, own in objective.grad.items():
        gradient[variable] += _dense(own)[:, 0]
    feasibility, complementarity = 0.0, 0.0
    for constraint in constraints:
        slack = np.atleast_1d(np.asarray(constraint.expr.value)).ravel(order="F")
        dual = np.atleast_1d(np.asarray(constraint.dual_value)).ravel(order="F")
        for variable, own in constraint.expr.grad.items():
            gradient[variable] += _dense(own) @ dual
        feasibility = max(feasibility, float(np.max(constraint.violation())))
        if not isinstance(constraint, (Equality, Zero)):
            complementarity = max(complementarity, float(np.abs(dual * slack).max()), float(-dual.min()))
    stationarity = max((float(np.abs(own).max()) for own in gradient.values()), default=0.0)
    return OptimalityResiduals(feasibility=feasibility, stationarity=stationarity, complementarity=complementarity)


def _dense(matrix: object) -> NDArray[np.float64]:
    """Gradient of shape (variable, expression), whether cvxpy gave a number, an array or a sparse matrix."""
    dense = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix, dtype=np.float64)  # pyright: ignore[reportAttributeAccessIssue]
    return dense if dense.ndim == 2 else dense.reshape(-1, 1)
