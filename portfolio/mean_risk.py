"""Solve a `MeanRiskProblem` and report: the engine finds weights, everything else is recomputed here.

An engine is anything with ``solve(problem) -> Solution``. `CvxpyEngine` states the problem to cvxpy
and is the specification; faster engines take the same problem and must give the same objective.
"""

from collections.abc import Sequence
from typing import Any, Protocol, final

import cvxpy as cp
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from portfolio.allocation import Allocation
from portfolio.constraints import Bounds, Constraint
from portfolio.convex_solver import SOLVER, Solution, solve
from portfolio.decision_model import DecisionContext, DecisionModel
from portfolio.limit_statement import named_limits_of
from portfolio.mean_risk_problem import MeanRiskProblem
from portfolio.risk_measures import Volatility

# interior points end this close to a bound, on either side
_PROJECTION_LIMIT = 1e-8


class Engine(Protocol):
    """Solves problems; raises `InfeasibleError`, `UnboundedError` or `SolverError`."""

    name: str

    def solve(self, problem: MeanRiskProblem) -> Solution:
        """Weights, status, duals and residuals of the optimum."""
        ...


@final
class CvxpyEngine:
    """The specification: every measure, cost and constraint, stated to cvxpy."""

    name = SOLVER

    def solve(self, problem: MeanRiskProblem) -> Solution:
        """Weights, status, duals and residuals of the optimum."""
        context = DecisionContext(
            outlook=problem.outlook,
            costs=problem.costs,
            mean_ellipsoid=problem.mean_ellipsoid,
            covariance_box=problem.covariance_box,
            box=problem.box(),
            conic=problem.mixed_integer,
        )
        model = DecisionModel(problem.assets, problem.held, context)
        limits = named_limits_of(problem.given, problem.defaults, model)
        objective: cp.Expression = cp.Constant(0.0)
        if problem.return_weight:
            objective = objective - problem.return_weight * model.net_return()
        if problem.risk_weight:
            objective = objective + problem.risk_weight * model.risk(problem.measure)
        return solve(model, objective, limits, scale=problem.scale())


CVXPY = CvxpyEngine()


def optimise(problem: MeanRiskProblem, *, engine: Engine = CVXPY) -> Allocation:
    """Optimal weights of a problem, with everything recomputed from them in numpy.

    Parameters
    ----------
    problem : MeanRiskProblem
    engine : Engine
        By default cvxpy with Clarabel.

    Returns
    -------
    Allocation
        ``objective`` is ``return_weight * net return - risk_weight * risk``. Entries of ``diagnostics``:
        ``expected_return`` (nominal, before costs), ``volatility``, ``risk`` and ``risk_measure``, ``cost``,
        ``turnover`` (sum of absolute trades), ``worst_case_loss`` of return (uncertain mean), ``horizon``,
        ``wealth``, ``previous`` ("cash" or "given"), ``constraints``, ``duals`` (objective gained per unit by
        which a limit is relaxed; for the budget, raised), ``residuals``, ``projected`` (largest correction onto
        a bound), ``covariance_rank``, ``solver``, ``tolerance``, ``iterations``, ``gap`` (number of assets limited).

    Raises
    ------
    InfeasibleError, UnboundedError, SolverError
        If there is no optimum, or it was not found.

    Warns
    -----
    InaccurateSolutionWarning
        If only reduced accuracy was reached.

    Examples
    --------
    >>> from portfolio.mean_risk_problem import mean_risk_problem
    >>> from portfolio.drawdown import MaximumDrawdown
    >>> from tsgen.scenario_set import ScenarioSet
    >>> s = ScenarioSet([[[0.1, 0.0]], [[-0.1, 0.01]]], assets=["A", "B"], kind="simple")
    >>> optimise(mean_risk_problem(s, MaximumDrawdown())).weights.round(6).tolist()
    [0.0, 1.0]
    """
    solution = engine.solve(problem)
    weights, moved = _onto_bounds(solution.weights, problem.constraints, problem.assets)
    numbers = _numbers(weights, problem, solution)
    wealth = problem.outlook.wealth
    return Allocation(
        weights=weights,
        status=solution.status,
        objective=numbers.pop("objective"),
        diagnostics={
            **numbers,
            "risk_measure": repr(problem.measure),
            "horizon": problem.outlook.moments.horizon,
            "wealth": None if wealth is None else wealth.convention,
            "previous": "cash" if problem.held is None else "given",
            "constraints": [repr(one) for one in problem.given] + [f"{one!r} (default)" for one in problem.defaults],
            "projected": moved,
            "covariance_rank": problem.outlook.moments.factor().shape[1],
            **_solver_facts(solution, engine),
        },
    )


def _onto_bounds(
    weights: NDArray[np.float64], constraints: Sequence[Constraint], assets: Sequence[str]
) -> tuple[pd.Series, float]:
    """Project rounding-sized violations of bounds; larger ones stay and show in the residuals."""
    projected = weights.copy()
    for one in constraints:
        if isinstance(one, Bounds):
            near = np.clip(projected, *one.arrays(assets))
            projected = np.where(np.abs(near - projected) <= _PROJECTION_LIMIT, near, projected)
    return pd.Series(projected, index=list(assets)), float(np.abs(projected - weights).max())


def _numbers(weights: pd.Series, problem: MeanRiskProblem, solution: Solution) -> dict[str, Any]:
    """Objective and its parts at the final weights, computed without the solver."""
    w = weights.to_numpy()
    moments = problem.outlook.moments
    trades = weights if problem.held is None else weights - problem.held
    expected = float(moments.mean @ w)
    cost = 0.0 if problem.costs is None else problem.costs.value(trades)
    lost = 0.0 if problem.mean_ellipsoid is None else problem.mean_ellipsoid.value(w, moments)
    risk = problem.measure.value(w, problem.outlook)
    objective = problem.return_weight * (expected - lost - cost) - problem.risk_weight * risk
    if problem.covariance_box is not None:
        # the worst covariance has no closed form: the solver's value counts
        objective = solution.objective
    return {
        "objective": objective,
        "expected_return": expected,
        "volatility": Volatility().value(w, problem.outlook),
        "risk": risk,
        "cost": cost,
        "turnover": float(trades.abs().sum()),
        "worst_case_loss": lost,
    }


def _solver_facts(solution: Solution, engine: Engine) -> dict[str, Any]:
    return {
        "duals": dict(solution.duals),
        "residuals": {
            "feasibility": solution.residuals.feasibility,
            "stationarity": solution.residuals.stationarity,
            "complementarity": solution.residuals.complementarity,
        },
        "solver": engine.name,
        "tolerance": solution.tolerance,
        "iterations": solution.iterations,
        "gap": solution.gap,
    }
