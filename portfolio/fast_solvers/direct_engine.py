"""`DirectEngine`: the same problems as the cvxpy specification, where they fit, many times faster.

Translates, solves (PIQP, or the interior point by rounds where there are tail risks), certifies. An answer
without a certificate does not leave.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from portfolio.asset_vector import AssetValues, asset_vector
from portfolio.convex_solver import Solution
from portfolio.errors import SolverError
from portfolio.fast_solvers import active_set, interior_point, quadratic_engine
from portfolio.fast_solvers.active_set import solve_by_active_sets
from portfolio.fast_solvers.certificate import GAP_LIMIT, certify
from portfolio.fast_solvers.direct_form import Array, DirectForm, Multipliers
from portfolio.fast_solvers.problem_translation import direct_form, squared
from portfolio.fast_solvers.quadratic_engine import solve_quadratic
from portfolio.fast_solvers.quadratic_start import quadratic_start
from portfolio.fast_solvers.reported_duals import reported_duals
from portfolio.fast_solvers.tail_pieces import tail_pieces
from portfolio.fast_solvers.tail_rounds import solve_by_rounds
from portfolio.mean_risk_problem import MeanRiskProblem

# rounding of half a squared risk, in the units of the form
_LEAST = 1e-15
# in the units of the form, where an asset has a risk of one
_SMALL, _NO_RISK = 0.1, 1e-7


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class DirectEngine:
    """Direct solvers for linear and quadratic problems, CVaR and drawdowns.

    Parameters
    ----------
    start : Series, mapping or array of shape (asset,), optional
        Weights near the optimum, for example those of the last similar problem; by default the previous weights,
        if the problem has any. Only speed depends on it.

    Examples
    --------
    >>> from portfolio.mean_cvar import mean_cvar
    >>> from tsgen.scenario_set import ScenarioSet
    >>> s = ScenarioSet([[[0.1, 0.0]], [[-0.1, 0.01]]], assets=["A", "B"], kind="simple")
    >>> a = mean_cvar(s, risk_aversion=1.0, level=0.5, engine=DirectEngine())
    >>> mean_cvar(s, risk_aversion=1.1, level=0.5, engine=DirectEngine(start=a.weights)).weights.round(6).tolist()
    [0.047619, 0.952381]
    """

    start: AssetValues | None = None
    name = "direct"

    def solve(self, problem: MeanRiskProblem) -> Solution:
        """Weights, duals and residuals of the optimum.

        Raises
        ------
        DirectRefusal
            If the problem is not one of those it takes.
        SolverError
            If no certified answer was found; infeasible and unbounded problems end here too.
        """
        form = direct_form(problem)
        if form.crossed:
            raise SolverError("some bounds contradict each other.", status="crossed bounds", solver=self.name)
        x, multipliers, minorants, facts = self._answer(form, problem)
        if squared(problem):
            x, multipliers, facts = _with_small_risk(form, problem, (x, multipliers, facts))
        x = _completed(form, x)
        weights = x[: form.n_assets]
        risks = [measure.value(weights, problem.outlook) / form.risk_unit for measure in form.measures]
        certificate = certify(form, x, multipliers, risks, *minorants)
        gap, factor, limit = certificate.gap, 1.0, GAP_LIMIT
        if squared(problem):
            # half the square of the risk is certified: the gap of the risk is larger by 1 / risk, and never above it
            risk = problem.measure.value(weights, problem.outlook) * float(np.sqrt(form.scale))
            factor = 0.0 if risk <= GAP_LIMIT else problem.risk_weight * float(np.sqrt(form.scale)) / risk
            gap = min(risk, gap / risk) if risk > 0.0 else 0.0
            # the root of what rounding leaves of half a square: this is no risk
            limit = max(limit, _NO_RISK if risk <= _NO_RISK else 0.0)
        if not certificate.feasible or gap > limit:
            raise SolverError(
                f"{facts['solver']} ended {gap:.1e} from the bound it could prove (limit {limit:g}), "
                f"with constraints missed by {certificate.residuals.feasibility:.1e}.",
                status="not certified",
                solver=facts["solver"],
            )
        return Solution(
            weights=weights,
            status="optimal",
            duals=reported_duals(form, multipliers, problem.assets, factor),
            residuals=certificate.residuals,
            tolerance=GAP_LIMIT,
            gap=gap / np.sqrt(form.scale) * problem.risk_weight if squared(problem) else gap / form.scale,
            **facts,
        )

    def _answer(
        self, form: DirectForm, problem: MeanRiskProblem
    ) -> tuple[Array, Multipliers, tuple[Sequence[Array], Sequence[float]], dict[str, Any]]:
        """Columns, multipliers, minorants of the risks with their errors; solver and number of iterations."""
        if not form.measures:
            guessed = None if len(form.origins) else solve_by_active_sets(form)
            x, multipliers, steps = guessed or solve_quadratic(form)
            name = quadratic_engine.NAME if guessed is None else active_set.NAME
            return x, multipliers, ((), ()), {"solver": name, "iterations": steps}
        wealth = problem.outlook.scenario_wealth("a tail risk")
        tails = [tail_pieces(measure, wealth, form.risk_unit) for measure in form.measures]
        start = problem.held if self.start is None else asset_vector(self.start, problem.assets, what="start")
        near = start is not None
        if start is None:
            equal = np.full(form.n_assets, 1.0 / form.n_assets)
            risks = [measure.value(equal, problem.outlook) / form.risk_unit for measure in form.measures]
            start = quadratic_start(form, problem.outlook.moments.covariance, risks)
        point = solve_by_rounds(form, tails, start, near=near)
        facts = {"solver": interior_point.NAME, "iterations": point.iterations}
        return point.x, point.multipliers, (point.slopes, point.slope_errors), facts


_Found = tuple[Array, Multipliers, dict[str, Any]]


def _with_small_risk(form: DirectForm, problem: MeanRiskProblem, found: _Found) -> _Found:
    """A risk far below that of the assets needs half its square to more digits: solved again for them."""
    risk = problem.measure.value(found[0][: form.n_assets], problem.outlook) * float(np.sqrt(form.scale))
    if risk >= _SMALL or found[2]["solver"] != quadratic_engine.NAME:
        return found
    try:
        x, multipliers, steps = solve_quadratic(form, max(quadratic_engine.TOLERANCE * risk**2, _LEAST))
    except SolverError:
        # the certificate decides about the first answer
        return found
    return x, multipliers, {**found[2], "iterations": found[2]["iterations"] + steps}


def _completed(form: DirectForm, x: Array) -> Array:
    """Weights on the bounds they touch, and the smallest sizes that go with them."""
    x = x.copy()
    n = form.n_assets
    x[:n] = np.minimum(np.maximum(x[:n], form.lower[:n]), form.upper[:n])
    x[form.pairs[1]] = np.maximum(form.origins - x[form.pairs[0]], 0.0)
    return x
