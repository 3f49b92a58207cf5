"""Solve a `MeanRiskProblem` and report: the engine finds weights, everything else is recomputed here."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from portfolio.allocation import Allocation, allocation_of
from portfolio.convex_solver import Solution
from portfolio.engines import EngineChoice, solve_with
from portfolio.mean_risk_problem import MeanRiskProblem
from portfolio.risk_measures import Variance

# interior points end this close to a bound, on either side
_PROJECTION_LIMIT = 1e-8


def optimise(problem: MeanRiskProblem, *, engine: EngineChoice = "auto", **facts: Any) -> Allocation:
    """Optimal weights of a problem, with everything recomputed from them in numpy.

    Parameters
    ----------
    problem : MeanRiskProblem
    engine : {"auto", "cvxpy", "direct"} or Engine
        See `portfolio.engines.solve_with`.
    **facts
        Further entries of ``diagnostics``.

    Returns
    -------
    Allocation
        ``objective`` is ``return_weight * net return - risk_weight * risk``. Entries of ``diagnostics``:
        ``expected_return`` (nominal, before costs), ``volatility``, ``risk`` and ``risk_measure``, ``cost``,
        ``turnover`` (sum of absolute trades), ``worst_case_loss`` of return (uncertain mean), ``horizon``,
        ``wealth``, ``previous`` ("cash" or "given"), ``constraints``, ``duals`` (objective gained per unit by
        which a limit is relaxed; for the budget, raised), ``residuals``, ``projected`` (largest correction onto
        a bound), ``covariance_rank``, ``engine``, ``engine_note`` (why ``"auto"`` took cvxpy), ``solver``,
        ``tolerance``, ``iterations``, ``gap`` (objective less its proven bound; 0 from cvxpy unless the number of
        assets is limited).

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
    solution, used, note = solve_with(engine, problem)
    weights, moved = _onto_bounds(solution.weights, problem)
    numbers = _numbers(weights, problem, solution)
    wealth = problem.outlook.wealth
    return allocation_of(
        weights,
        _index(problem.assets),
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
            "covariance_rank": problem.outlook.moments.rank(),
            "engine": used,
            "engine_note": note,
            **_solver_facts(solution),
            **facts,
        },
    )


def _onto_bounds(weights: NDArray[np.float64], problem: MeanRiskProblem) -> tuple[NDArray[np.float64], float]:
    """Project rounding-sized violations of bounds; larger ones stay and show in the residuals."""
    lower, upper = problem.box()
    near = np.minimum(np.maximum(weights, lower), upper)
    moved = np.abs(near - weights)
    largest = float(moved.max())
    if largest <= _PROJECTION_LIMIT:
        return near, largest
    small = moved <= _PROJECTION_LIMIT
    return np.where(small, near, weights), float(moved[small].max(initial=0.0))


@lru_cache(maxsize=64)
def _index(assets: tuple[str, ...]) -> pd.Index:
    """Index of the names; kept, because a loop asks for the same one every time."""
    return pd.Index(assets, name="asset")


def _numbers(w: NDArray[np.float64], problem: MeanRiskProblem, solution: Solution) -> dict[str, Any]:
    """Objective and its parts at the final weights, computed without the solver."""
    moments = problem.outlook.moments
    trades = w if problem.held is None else w - problem.held
    expected = float(moments.mean @ w)
    cost = 0.0 if problem.costs is None else problem.costs.value(pd.Series(trades, index=_index(problem.assets)))
    lost = 0.0 if problem.mean_ellipsoid is None else problem.mean_ellipsoid.value(w, moments)
    variance = Variance().value(w, problem.outlook)
    risk = variance if isinstance(problem.measure, Variance) else problem.measure.value(w, problem.outlook)
    objective = problem.return_weight * (expected - lost - cost) - problem.risk_weight * risk
    if problem.covariance_box is not None:
        # the worst covariance has no closed form: the solver's value counts
        objective = solution.objective
    return {
        "objective": objective,
        "expected_return": expected,
        "volatility": math.sqrt(variance),
        "risk": risk,
        "cost": cost,
        "turnover": float(np.abs(trades).sum()),
        "worst_case_loss": lost,
    }


def _solver_facts(solution: Solution) -> dict[str, Any]:
    return {
        "duals": dict(solution.duals),
        "residuals": {
            "feasibility": solution.residuals.feasibility,
            "stationarity": solution.residuals.stationarity,
            "complementarity": solution.residuals.complementarity,
        },
        "solver": solution.solver,
        "tolerance": solution.tolerance,
        "iterations": solution.iterations,
        "gap": solution.gap,
    }
