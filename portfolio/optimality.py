"""How far a claimed optimum is from one: residuals of the Karush-Kuhn-Tucker conditions.

Computed from the problem as it was stated, not from the solver's own report, so that a solver that
errs, or a projection afterwards, is noticed. Knows equalities, inequalities and the cones in which
curved terms are stated: second-order, three-dimensional power, exponential, positive semi-definite.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import cvxpy as cp
import numpy as np
from cvxpy.constraints.zero import Equality, Zero
from numpy.typing import NDArray

from portfolio.cone_distance import CONES, dual_violation, primal_violation


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
        Product of a multiplier and the slack of its inequality or cone; wrong sign of a multiplier.
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
    constraints : sequence of cvxpy constraints
        Differentiable inequalities and equalities, and SOC, PowCone3D, ExpCone and PSD constraints of affine
        arguments, with dual values from a solve.

    Returns
    -------
    OptimalityResiduals

    References
    ----------
    Boyd and Vandenberghe (2004), "Convex Optimization", equations 5.49 and 5.95 (generalised inequalities).

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
    _add_gradient(gradient, objective, np.ones(1))
    feasibility, complementarity = 0.0, 0.0
    for constraint in constraints:
        if isinstance(constraint, CONES):
            infeasible, gap = _cone_terms(gradient, constraint)
        else:
            infeasible, gap = _scalar_terms(gradient, constraint)
        feasibility, complementarity = max(feasibility, infeasible), max(complementarity, gap)
    stationarity = max((float(np.abs(_free_part(*pair)).max()) for pair in gradient.items()), default=0.0)
    return OptimalityResiduals(feasibility=feasibility, stationarity=stationarity, complementarity=complementarity)


def _free_part(variable: cp.Variable, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gradient along the directions in which a variable can move: symmetric ones for symmetric matrices."""
    if not variable.is_symmetric() or variable.size == 1:
        return gradient
    matrix = gradient.reshape(variable.shape, order="F")
    return (matrix + matrix.T).ravel() / 2.0


def _scalar_terms(gradient: dict[cp.Variable, NDArray[np.float64]], constraint: Any) -> tuple[float, float]:
    """Add ``dual * grad(expr)``; return violation and complementarity."""
    slack, dual = _vector(constraint.expr.value), _vector(constraint.dual_value)
    _add_gradient(gradient, constraint.expr, dual)
    if isinstance(constraint, (Equality, Zero)):
        return float(np.abs(slack).max()), 0.0
    return max(float(slack.max()), 0.0), max(float(np.abs(dual * slack).max()), float(-dual.min()))


def _cone_terms(gradient: dict[cp.Variable, NDArray[np.float64]], constraint: Any) -> tuple[float, float]:
    """Add ``-dual * grad(arg)`` for each argument of the cone; return violation and complementarity."""
    duals = [_vector(variable.value) for variable in constraint.dual_variables]
    values = [_vector(argument.value) for argument in constraint.args]
    for argument, dual in zip(constraint.args, duals, strict=True):
        _add_gradient(gradient, argument, -dual)
    if isinstance(constraint, (cp.SOC, cp.PSD)):
        product = abs(sum(float(value @ dual) for value, dual in zip(values, duals, strict=True)))
    else:
        # many small cones in one constraint, side by side: each must be complementary
        product = float(np.abs(np.sum([value * dual for value, dual in zip(values, duals, strict=True)], axis=0)).max())
    return primal_violation(constraint, values), max(product, dual_violation(constraint, duals))


def _add_gradient(
    gradient: dict[cp.Variable, NDArray[np.float64]], expression: cp.Expression, factor: NDArray[np.float64]
) -> None:
    for variable, own in expression.grad.items():
        # of shape (variable, expression), sparse or dense; a number if both have one entry
        gradient[variable] += np.asarray(own @ factor).ravel() if np.ndim(own) else float(own) * factor


def _vector(values: object) -> NDArray[np.float64]:
    return np.atleast_1d(np.asarray(values, dtype=np.float64)).ravel(order="F")
