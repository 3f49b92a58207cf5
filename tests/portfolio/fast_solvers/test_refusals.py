"""What the direct engines do not take or cannot prove: refused when asked for, handed on by ``"auto"``."""

from importlib import import_module

import numpy as np
import pytest

from portfolio.cardinality import Cardinality
from portfolio.constraints import Bounds, Budget, GroupLimit, TurnoverLimit
from portfolio.costs import QuadraticCost, ThreeHalvesCost
from portfolio.engines import CvxpyEngine
from portfolio.errors import InfeasibleError, SolverError, UnboundedError
from portfolio.fast_solvers import DirectEngine, DirectRefusal
from portfolio.mean_cvar import mean_cvar
from portfolio.mean_risk import optimise
from portfolio.mean_risk_problem import mean_risk_problem
from portfolio.mean_variance import mean_variance
from portfolio.risk_constraints import MinimumReturn, RelativeDrawdownLimit, RiskBudget, TrackingErrorLimit
from portfolio.risk_measures import ConditionalValueAtRisk, EntropicValueAtRisk, Volatility
from portfolio.robust import CovarianceBox, MeanEllipsoid
from tsgen.errors import ConfigError, DataError
from tsgen.scenario_set import ScenarioSet


@pytest.fixture(scope="module")
def scenarios():
    rng = np.random.default_rng(0)
    return ScenarioSet(rng.normal(0.004, 0.03, (60, 2, 4)), list("ABCD"), "simple")


EQUAL = dict.fromkeys("ABCD", 0.25)
REFUSED = {
    "Cardinality": {"constraints": [Cardinality(2)]},
    "TrackingErrorLimit": {"constraints": [TrackingErrorLimit(EQUAL, 0.02)]},
    "RelativeDrawdownLimit": {"constraints": [RelativeDrawdownLimit(0.3)]},
    "RiskBudget": {"constraints": [RiskBudget(Volatility(), 0.05)]},
    "ThreeHalvesCost": {"costs": ThreeHalvesCost(0.01)},
    "MinimumReturn with quadratic costs": {"constraints": [MinimumReturn(0.0)], "costs": QuadraticCost(0.01)},
    "uncertain moments": {"robust": [MeanEllipsoid(1.0)]},
    "uncertain": {"robust": [CovarianceBox(0.1)]},
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_by_name_and_solved_by_auto(scenarios, what):
    with pytest.raises(DirectRefusal, match=f"the direct engine does not take .*{what}.*engine='auto'"):
        mean_variance(scenarios, risk_aversion=2.0, engine="direct", **REFUSED[what])
    a = mean_variance(scenarios, risk_aversion=2.0, **REFUSED[what])
    assert a.diagnostics["engine"] == "cvxpy"
    assert what in a.diagnostics["engine_note"]


@pytest.mark.parametrize("measure", [EntropicValueAtRisk(0.9), Volatility()], ids=repr)
def test_measures_with_cones_are_refused(scenarios, measure):
    with pytest.raises(DirectRefusal, match=r"the direct engine does not take .*(Volatility|EntropicValueAtRisk)"):
        optimise(mean_risk_problem(scenarios, measure), engine="direct")


def test_engines_are_named(scenarios):
    a = mean_variance(scenarios, risk_aversion=2.0)
    assert (a.diagnostics["engine"], a.diagnostics["engine_note"]) == ("direct", None)
    b = mean_cvar(scenarios, risk_aversion=0.3, engine="direct")
    assert b.diagnostics["solver"] == "tail interior point"
    c = mean_cvar(scenarios, risk_aversion=0.3, engine="cvxpy")
    assert (c.diagnostics["engine"], c.diagnostics["solver"]) == ("cvxpy", "CLARABEL")
    own = CvxpyEngine()
    assert mean_cvar(scenarios, risk_aversion=0.3, engine=own).objective == c.objective
    for wrong in ("fast", DirectEngine, 3):
        with pytest.raises(ConfigError, match="engine must be one of auto, cvxpy, direct, or an engine: got"):
            mean_variance(scenarios, risk_aversion=2.0, engine=wrong)


@pytest.mark.parametrize("engine", ["direct", "auto"])
def test_impossible_problems_are_explained(scenarios, engine):
    with pytest.raises(InfeasibleError) as caught:
        mean_cvar(scenarios, risk_aversion=0.3, constraints=[Bounds(0, 0.2)], engine=engine)
    assert caught.value.conflict == ("Bounds upper 0.2", "Budget total 1 (default)")
    with pytest.raises(InfeasibleError) as caught:
        mean_variance(scenarios, risk_aversion=1.0, constraints=[Budget(1), Budget(0.9)], engine=engine)
    assert caught.value.conflict == ("Budget total 1", "Budget total 0.9")
    with pytest.raises(InfeasibleError):
        mean_variance(scenarios, risk_aversion=1.0, constraints=[Bounds(0.3, 1), Bounds(0, 0.25)], engine=engine)
    with pytest.raises(UnboundedError):
        free = [Bounds(-np.inf, np.inf)]
        mean_cvar(scenarios, risk_aversion=0.001, constraints=free, engine=engine)


def test_limits_refuse_with_their_own_words(scenarios):
    with pytest.raises(ConfigError, match="TurnoverLimit needs the weights held before"):
        mean_variance(scenarios, risk_aversion=1.0, constraints=[TurnoverLimit(0.1)], engine="direct")
    with pytest.raises(DataError, match="has members that are not assets of the problem: E"):
        mean_variance(scenarios, risk_aversion=1.0, constraints=[GroupLimit(["E"], upper=1.0)], engine="direct")
    with pytest.raises(DataError, match="start must name exactly the 4 assets"):
        mean_cvar(scenarios, risk_aversion=1.0, engine=DirectEngine(start={"A": 1.0}))


def test_an_answer_without_proof_does_not_leave(scenarios, monkeypatch):
    module = import_module("portfolio.fast_solvers.direct_engine")
    found = module.solve_by_rounds

    def elsewhere(*args, **kwargs):
        point = found(*args, **kwargs)
        point.x[:4] = 0.25
        return point

    monkeypatch.setattr(module, "solve_by_rounds", elsewhere)
    with pytest.raises(SolverError, match=r"no answer that it can prove: .* from the bound .*engine='auto'") as caught:
        mean_cvar(scenarios, risk_aversion=0.3, engine="direct")
    assert caught.value.status == "not certified"
    a = mean_cvar(scenarios, risk_aversion=0.3)
    assert a.diagnostics["engine"] == "cvxpy"
    assert "from the bound it could prove" in a.diagnostics["engine_note"]


def test_a_solver_that_stops_is_handed_on(scenarios, monkeypatch):
    module = import_module("portfolio.fast_solvers.direct_engine")
    monkeypatch.setattr(module, "solve_by_active_sets", lambda form: None)
    assert mean_variance(scenarios, risk_aversion=2.0).diagnostics["solver"] == "PIQP"
    rounds = import_module("portfolio.fast_solvers.tail_rounds")
    monkeypatch.setattr(rounds, "MAX_ROUNDS", 0)
    with pytest.raises(SolverError, match="tail pieces were still missing after 0 rounds"):
        mean_cvar(scenarios, risk_aversion=0.3, engine="direct")
    assert mean_cvar(scenarios, risk_aversion=0.3).diagnostics["engine"] == "cvxpy"


def test_budget_of_a_tail_risk_without_scenarios(scenarios):
    from portfolio.moments import scenario_moments

    with pytest.raises(ConfigError, match="CVaR looks at scenarios, but only moments were given"):
        mean_variance(
            scenario_moments(scenarios),
            risk_aversion=1.0,
            constraints=[RiskBudget(ConditionalValueAtRisk(), 0.1)],
            engine="direct",
        )
