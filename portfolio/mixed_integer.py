"""Mixed-integer convex problems by outer approximation: HiGHS chooses assets, a cone solver the weights.

A linear master problem with binary indicators knows each cone only through cuts ``<y, args> >= 0``,
y from the dual cone. For the assets it chooses, the continuous problem is solved exactly; its
multipliers are the next cuts, with which the master is exact at that choice. Both ends meet at the
optimum. Without cones the master is exact at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import cvxpy as cp
import numpy as np
from cvxpy.constraints.nonpos import Inequality
from numpy.typing import NDArray

from portfolio.cone_distance import CONES

MASTER = "HIGHS"
# relative to an objective of order one; ten times tighter than the residual at which an answer is flagged
GAP = 1e-7
MAX_ROUNDS = 500


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class MixedOutcome:
    """How the search ended; values and duals are left on the problem's variables and constraints.

    Parameters
    ----------
    status : str
        In the words of cvxpy; ``optimal_inaccurate`` if the ends did not meet.
    fixing : list of cvxpy constraints
        What fixes the indicators; part of the problem to which the duals belong.
    gap : float
        Objective of the answer less its lower bound.
    rounds : int
        Number of master problems.
    """

    status: str
    fixing: list[cp.Constraint]
    gap: float = np.inf
    rounds: int = 0


def outer_approximation(
    problem: cp.Problem, indicators: cp.Variable, attempt: Callable[[cp.Problem], str]
) -> MixedOutcome:
    """Minimise with binary indicators.

    Parameters
    ----------
    problem : cvxpy Problem
        Affine objective, equalities and inequalities, and cones of affine arguments. ``indicators`` must be
        such that more of them at one only enlarges the choice of everything else.
    indicators : cvxpy Variable
        Continuous in ``problem``, binary in the result.
    attempt : callable
        Solves a continuous problem, leaves values and duals on it and returns its status.

    Returns
    -------
    MixedOutcome

    References
    ----------
    Coey, Lubin and Vielma (2020), "Outer approximation with conic certificates for mixed-integer convex
    problems", algorithm 1.

    Examples
    --------
    >>> x, z = cp.Variable(2), cp.Variable(2)
    >>> limits = [x <= z, -x <= 0, z <= 1, cp.sum(z) <= 1, cp.sum(x) == 1]
    >>> problem = cp.Problem(cp.Minimize(x @ np.array([2.0, 1.0])), limits)
    >>> def attempt(one):
    ...     _ = one.solve(solver="CLARABEL")
    ...     return one.status
    >>> outer_approximation(problem, z, attempt).status, z.value.round(6).tolist()
    ('optimal', [0.0, 1.0])
    """
    objective = problem.objective.args[0]
    status = attempt(problem)
    if status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        return MixedOutcome(status=status, fixing=[])
    cones = [one for one in problem.constraints if isinstance(one, CONES)]
    binary = cp.Variable(indicators.size, boolean=True, name="chosen")
    master = [one for one in problem.constraints if not isinstance(one, CONES)]
    master += [binary == indicators, *_cuts(cones)]
    best, choice, tried, bound, rounds = np.inf, None, set[bytes](), -np.inf, 0
    for rounds in range(1, MAX_ROUNDS + 1):
        chosen, bound = _solve_master(objective, master, binary)
        if chosen is None:
            return MixedOutcome(status=cp.INFEASIBLE, fixing=[], rounds=rounds)
        if bound >= best - GAP * max(1.0, abs(best)) or chosen.tobytes() in tried:
            break
        tried.add(chosen.tobytes())
        status = attempt(cp.Problem(problem.objective, [*problem.constraints, indicators == chosen]))
        if status in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
            master += _cuts(cones)
            value = float(np.asarray(objective.value))
            if value < best:
                best, choice = value, chosen
        else:
            # no weights for these assets, so none for fewer
            others = cp.sum(binary[np.flatnonzero(chosen < 0.5).tolist()])
            master.append(Inequality(cp.Constant(1.0), others))
    if choice is None:
        return MixedOutcome(status=cp.INFEASIBLE, fixing=[], rounds=rounds)
    fixing: list[Any] = [indicators == choice]
    status = attempt(cp.Problem(problem.objective, [*problem.constraints, *fixing]))
    gap = max(best - bound, 0.0)
    if status == cp.OPTIMAL and gap > 10.0 * GAP * max(1.0, abs(best)):
        status = cp.OPTIMAL_INACCURATE
    return MixedOutcome(status=status, fixing=fixing, gap=gap, rounds=rounds)


def _solve_master(
    objective: cp.Expression, constraints: list[Any], binary: cp.Variable
) -> tuple[NDArray[np.float64] | None, float]:
    master = cp.Problem(cp.Minimize(objective), constraints)
    try:
        master.solve(solver=MASTER, mip_rel_gap=1e-9, mip_feasibility_tolerance=1e-8, primal_feasibility_tolerance=1e-9)
    except cp.SolverError:
        return None, np.inf
    if master.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        return None, np.inf
    return np.round(np.asarray(binary.value, dtype=np.float64)), float(np.asarray(master.value))


def _cuts(cones: list[Any]) -> list[cp.Constraint]:
    """``<y, args> >= 0`` for the multipliers that the last solve left on each cone."""
    cuts: list[cp.Constraint] = []
    for cone in cones:
        products = [
            cp.multiply(np.asarray(dual.value).reshape(argument.shape, order="F"), argument)
            for dual, argument in zip(cone.dual_variables, cone.args, strict=True)
        ]
        if isinstance(cone, (cp.SOC, cp.PSD)):
            products = [cp.sum(product) for product in products]
        # small cones side by side in one constraint get one cut each
        inner = products[0]
        for product in products[1:]:
            inner = inner + product
        cuts.append(Inequality(cp.Constant(0.0), inner))
    return cuts
