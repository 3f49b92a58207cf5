"""The only place that calls cvxpy. An answer leaves it as optimal, flagged, or not at all.

Infeasible, unbounded and failed solves become errors that say which constraints are at fault or
missing. The default is the interior-point solver Clarabel at tight tolerances; if these are out of
reach it is asked again at its usual ones. Limits on the number of assets go through `mixed_integer`.
"""

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import cvxpy as cp
import numpy as np
from cvxpy.constraints.zero import Equality, Zero
from numpy.typing import NDArray

from portfolio.conflict import minimal_conflict, refine_by_asset
from portfolio.decision_model import DecisionModel, NamedLimit
from portfolio.errors import InaccurateSolutionWarning, InfeasibleError, SolverError, UnboundedError
from portfolio.mixed_integer import outer_approximation
from portfolio.optimality import OptimalityResiduals, optimality_residuals

SOLVER = "CLARABEL"
# tried in this order; 1e-8 is Clarabel's own default
TOLERANCES = (1e-11, 1e-8)
# a claimed optimum that violates the conditions by more is flagged: a hundred times the looser tolerance
RESIDUAL_LIMIT = 1e-6
# constraints that can be satisfied up to this (fraction of wealth) are not called contradictory
CONFLICT_TOLERANCE = 1e-7
# wide enough to be no portfolio, small enough for the arithmetic
_SEARCH_BOX = 1e4
# bounds widened by this bind no portfolio, and HiGHS still tells their indicators from zero
_CONFLICT_REACH = 100.0

Status = Literal["optimal", "optimal_inaccurate"]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Solution:
    """What a solve found.

    Parameters
    ----------
    weights : ndarray of shape (asset,), float64
    status : {"optimal", "optimal_inaccurate"}
    duals : mapping of limit name to float, or to mapping of asset to float
        Improvement of the objective (in its own units) per unit by which the limit is relaxed; for an
        equality, by which its right-hand side is raised.
    residuals : OptimalityResiduals
        Of the objective as scaled for the solver, whose gradient is of order one.
    tolerance : float
        Last tolerance asked for.
    iterations : int
        Of the last attempt.
    gap : float
        Objective less its proven lower bound: by a direct engine, or where the number of assets is limited; else 0.
    objective : float
        What was maximised (minus the objective as given to `solve`), by the solver's variables.
    solver : str
        Name of what found the weights.
    """

    weights: NDArray[np.float64]
    status: Status
    duals: Mapping[str, Any]
    residuals: OptimalityResiduals
    tolerance: float
    iterations: int
    gap: float = 0.0
    objective: float = np.nan
    solver: str = SOLVER


def _attempt(problem: cp.Problem, tolerance: float) -> str:
    """Solve once and return cvxpy's status; a crash of the solver is the status ``solver_error``."""
    options = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), tolerance)
    with warnings.catch_warnings():
        # cvxpy warns that the solution may be inaccurate; our caller decides on the status instead
        warnings.simplefilter("ignore")
        # exponential cones sometimes defeat the usual long steps (0.99 of the way to the boundary)
        for step in (0.99, 0.9):
            try:
                problem.solve(solver=SOLVER, max_step_fraction=step, **options)
            except (cp.SolverError, ArithmeticError):
                continue
            return str(problem.status)
    return cp.SOLVER_ERROR


def _attempt_any(model: DecisionModel, problem: cp.Problem, tolerance: float) -> tuple[str, list[cp.Constraint], float]:
    """As `_attempt`, with binary indicators where the problem has some; also what fixed them, and the gap."""
    indicators = model.indicators
    if indicators is None or all(variable.id != indicators.id for variable in problem.variables()):
        return _attempt(problem, tolerance), [], 0.0
    outcome = outer_approximation(problem, indicators, lambda continuous: _attempt(continuous, tolerance))
    return outcome.status, outcome.fixing, outcome.gap


def solve(
    model: DecisionModel, objective: cp.Expression, limits: Sequence[NamedLimit], *, scale: float = 1.0
) -> Solution:
    """Minimise ``objective`` over the model's variables subject to ``limits``.

    Parameters
    ----------
    model : DecisionModel
        Owner of the variables.
    objective : cvxpy Expression
        Convex and differentiable, to be minimised.
    limits : sequence of NamedLimit
        Uniquely named.
    scale : float
        The solver minimises ``scale * objective``; choose it such that the gradient is of order one, because
        solver tolerances are partly absolute. Duals are reported for the objective as given.

    Returns
    -------
    Solution

    Raises
    ------
    InfeasibleError
        If no weights satisfy the limits; names a minimal conflicting set.
    UnboundedError
        If the objective has no minimum; names the missing bounds.
    SolverError
        If the solver fails.

    Warns
    -----
    InaccurateSolutionWarning
        If only reduced accuracy was reached.
    """
    scaled = scale * objective
    stated = [limit.constraint for limit in limits]
    constraints = [*model.definitions_of([scaled, *stated]), *stated]
    problem = cp.Problem(cp.Minimize(scaled), constraints)
    status, tolerance, fixing, gap = "", TOLERANCES[0], [], 0.0
    for tolerance in TOLERANCES:
        status, fixing, gap = _attempt_any(model, problem, tolerance)
        if status == cp.OPTIMAL:
            break
    if status in (cp.INFEASIBLE, cp.INFEASIBLE_INACCURATE):
        raise _infeasible(model, limits)
    if status in (cp.UNBOUNDED, cp.UNBOUNDED_INACCURATE):
        # a problem may be both; contradictory limits are then the thing to mend first
        raise _infeasible(model, limits) if _conflicting(model, limits) else _unbounded(model, scaled, constraints)
    weights = model.weights.value
    if status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE) or weights is None or not np.isfinite(weights).all():
        raise _failed(model, limits, status)
    residuals = optimality_residuals(scaled, [*constraints, *fixing])
    flagged = status != cp.OPTIMAL or not residuals.worst <= RESIDUAL_LIMIT
    if flagged:
        _warn_inaccurate(status, residuals)
    return Solution(
        weights=np.array(weights, dtype=np.float64),
        status="optimal_inaccurate" if flagged else "optimal",
        duals={limit.name: _dual(limit, scale) for limit in limits},
        residuals=residuals,
        tolerance=tolerance,
        iterations=int(problem.solver_stats.num_iters or 0),
        gap=gap / scale,
        objective=-float(np.asarray(objective.value)),
    )


def _dual(limit: NamedLimit, scale: float) -> float | dict[str, float]:
    values = np.atleast_1d(np.asarray(limit.constraint.dual_value)) / scale
    if limit.rows:
        return {asset: float(value) for asset, value in zip(limit.rows, values, strict=True)}
    return float(values[0])


def _warn_inaccurate(status: str, residuals: OptimalityResiduals) -> None:
    warnings.warn(
        f"{SOLVER} reached reduced accuracy only (status {status}, largest optimality residual {residuals.worst:.1e}); "
        "the allocation is flagged optimal_inaccurate. Usual causes: inputs of very different size, or limits that "
        "leave almost no choice. If you accept that, silence it with "
        "warnings.filterwarnings('ignore', category=portfolio.InaccurateSolutionWarning).",
        InaccurateSolutionWarning,
        stacklevel=_frames_to_caller(),
    )


def _frames_to_caller() -> int:
    """Depth of the first frame outside this package: a warning belongs to the line that asked."""
    package = __name__.partition(".")[0]
    depth, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        depth, frame = depth + 1, frame.f_back
    return depth


def _conflicting(model: DecisionModel, limits: Sequence[NamedLimit]) -> bool:
    """Whether the limits miss each other by more than `CONFLICT_TOLERANCE`.

    Minimises the largest violation: that problem has a solution whatever the limits are, so the
    answer does not hang on a solver's certificate of infeasibility.
    """
    if not limits:
        return False
    violation = cp.Variable()
    relaxed: list[cp.Constraint] = [-violation <= 0.0]
    relaxed += model.definitions_of([limit.constraint for limit in limits])
    for limit in limits:
        expression = limit.constraint.expr
        relaxed.append(expression <= violation)
        if isinstance(limit.constraint, (Equality, Zero)):
            relaxed.append(expression >= -violation)
    problem = cp.Problem(cp.Minimize(violation), relaxed)
    # wider than the bounds, so that a set of limits without them can be seen to hold together
    model.reach.value = _CONFLICT_REACH
    status, _, _ = _attempt_any(model, problem, TOLERANCES[-1])
    model.reach.value = 1.0
    return status in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE) and float(np.asarray(violation.value)) > CONFLICT_TOLERANCE


def _infeasible(model: DecisionModel, limits: Sequence[NamedLimit]) -> InfeasibleError:
    def conflicting(subset: Sequence[NamedLimit]) -> bool:
        return _conflicting(model, subset)

    everything = [limit.name for limit in limits]
    if not conflicting(limits):
        return InfeasibleError(
            f"no weights satisfy all constraints exactly, but they miss each other by less than "
            f"{CONFLICT_TOLERANCE:g}, too little to say which. Check {', '.join(everything)} for rounding.",
            constraints=everything,
        )
    # defaults first: where there is a choice, the caller's own limits are reported
    order = sorted(limits, key=lambda limit: not limit.default)
    minimal = minimal_conflict(order, conflicting)
    named = refine_by_asset([limit for limit in limits if limit in minimal], conflicting)
    names = [f"{limit.name} (default)" if limit.default else limit.name for limit in named]
    return InfeasibleError(
        f"no weights satisfy all constraints. These contradict each other: {'; '.join(names)}. "
        "Relax or remove any one of them.",
        conflict=names,
        constraints=everything,
    )


def _unbounded(model: DecisionModel, objective: cp.Expression, constraints: Sequence[cp.Constraint]) -> UnboundedError:
    box = cp.abs(model.weights) <= _SEARCH_BOX
    status = _attempt(cp.Problem(cp.Minimize(objective), [*constraints, box]), TOLERANCES[-1])
    missing: list[str] = []
    if status in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        far = np.asarray(model.weights.value) / _SEARCH_BOX
        # beyond a tenth of the box an asset is on its way to infinity, not at an optimum of its own
        low = [name for name, x in zip(model.assets, far, strict=True) if x < -0.1]
        high = [name for name, x in zip(model.assets, far, strict=True) if x > 0.1]
        missing = [f"lower bound of {name}" for name in low] + [f"upper bound of {name}" for name in high]
    more = f" and {len(missing) - 6} more" if len(missing) > 6 else ""
    return UnboundedError(
        "the objective can be improved without end: some combination of assets promises return without risk, "
        f"and no constraint limits it. Missing: {'; '.join(missing[:6]) or 'finite Bounds or a TurnoverLimit'}{more}. "
        "Give finite Bounds, a GroupLimit or a TurnoverLimit; more scenarios than assets also help.",
        missing=missing,
    )


def _failed(model: DecisionModel, limits: Sequence[NamedLimit], status: str) -> Exception:
    if _conflicting(model, limits):
        return _infeasible(model, limits)
    return SolverError(
        f"{SOLVER} gave no answer (status {status or 'none'}) at tolerances {TOLERANCES}. Check the inputs for "
        "extreme sizes: expected returns and covariances in decimals, weights as fractions of wealth.",
        status=status,
        solver=SOLVER,
    )
