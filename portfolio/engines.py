"""Which engine solves a `MeanRiskProblem`: the cvxpy specification, the direct solvers, or whichever fits.

An engine is anything with ``solve(problem) -> Solution``. All must give the same objective; they differ in
what they take and how long they need.
"""

from typing import Literal, Protocol, final, get_args, runtime_checkable

import cvxpy as cp

from portfolio.convex_solver import Solution, solve
from portfolio.decision_model import DecisionContext, DecisionModel
from portfolio.errors import SolverError
from portfolio.fast_solvers import DirectEngine, DirectRefusal
from portfolio.limit_statement import named_limits_of
from portfolio.mean_risk_problem import MeanRiskProblem
from tsgen.errors import ConfigError

EngineName = Literal["auto", "cvxpy", "direct"]


@runtime_checkable
class Engine(Protocol):
    """Solves problems; raises `InfeasibleError`, `UnboundedError` or `SolverError`."""

    name: str

    def solve(self, problem: MeanRiskProblem) -> Solution:
        """Weights, status, duals and residuals of the optimum."""
        ...


EngineChoice = EngineName | Engine


@final
class CvxpyEngine:
    """The specification: every measure, cost and constraint, stated to cvxpy."""

    name = "cvxpy"

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


def solve_with(engine: EngineChoice, problem: MeanRiskProblem) -> tuple[Solution, str, str | None]:
    """Solve a problem with the engine chosen.

    Parameters
    ----------
    engine : {"auto", "cvxpy", "direct"} or Engine
        ``"auto"`` takes the direct solvers where they fit and prove their answer, else cvxpy. ``"direct"`` refuses
        what they do not take. A `DirectEngine` with a start is ``"direct"`` too.
    problem : MeanRiskProblem

    Returns
    -------
    solution : Solution
    used : str
        Name of the engine that solved it.
    note : str or None
        Why ``"auto"`` did not take the direct solvers.

    Raises
    ------
    ConfigError
        If there is no such engine, or the direct one is asked for and does not take the problem (`DirectRefusal`).
    InfeasibleError, UnboundedError, SolverError
        If there is no optimum, or it was not found.

    Examples
    --------
    >>> from portfolio.mean_risk_problem import mean_risk_problem
    >>> from portfolio.risk_measures import EntropicValueAtRisk
    >>> from tsgen.scenario_set import ScenarioSet
    >>> s = ScenarioSet([[[0.1, 0.0]], [[-0.1, 0.01]]], assets=["A", "B"], kind="simple")
    >>> solve_with("auto", mean_risk_problem(s, EntropicValueAtRisk(0.5)))[1]
    'cvxpy'
    """
    if engine == "auto":
        try:
            return DirectEngine().solve(problem), DirectEngine.name, None
        except (DirectRefusal, SolverError) as why:
            return CVXPY.solve(problem), CVXPY.name, str(why)
    if engine == "cvxpy":
        return CVXPY.solve(problem), CVXPY.name, None
    chosen = DirectEngine() if engine == "direct" else engine
    if not isinstance(chosen, DirectEngine) and (isinstance(chosen, (str, type)) or not isinstance(chosen, Engine)):
        raise ConfigError(f"engine must be one of {', '.join(get_args(EngineName))}, or an engine: got {engine!r}.")
    if not isinstance(chosen, DirectEngine):
        return chosen.solve(problem), chosen.name, None
    try:
        return chosen.solve(problem), chosen.name, None
    except SolverError as why:
        raise _explained(problem, why) from why


def _explained(problem: MeanRiskProblem, why: SolverError) -> SolverError:
    """The direct engine's failure; raises instead what the specification finds wrong with the problem."""
    CVXPY.solve(problem)
    return SolverError(
        f"the direct engine found no answer that it can prove: {why} The specification solves this problem: use "
        "engine='auto' or engine='cvxpy'.",
        status=why.status,
        solver=why.solver,
    )
