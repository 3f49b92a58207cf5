"""The direct engines give the objective of the cvxpy specification, on random problems of every kind."""

from dataclasses import replace

import numpy as np
import pytest

from portfolio.constraints import Bounds, Budget, GroupLimit
from portfolio.drawdown import ConditionalDrawdownAtRisk
from portfolio.engines import CVXPY, solve_with
from portfolio.exposure_constraints import FactorExposure
from portfolio.fast_solvers import DirectEngine
from portfolio.mean_risk import optimise
from portfolio.mean_risk_problem import mean_risk_problem
from portfolio.mean_variance import mean_variance
from portfolio.moments import HorizonMoments
from portfolio.optimality import OptimalityResiduals
from portfolio.risk_measures import ConditionalValueAtRisk, Variance, Volatility
from portfolio.risk_targets import target_return
from tests.support.random_portfolio_problems import random_problem
from tsgen.scenario_set import ScenarioSet

# the specification is solved to 1e-11, or 1e-8 where that fails; the answers are compared at 1e-7
RELATIVE = 1e-7
# a tracking error that can be zero has no relative accuracy: decimals of wealth
ZERO = 1e-8


def _compare(seed):
    problem = random_problem(seed)
    direct, specified = optimise(problem, engine="direct"), optimise(problem, engine="cvxpy")
    assert direct.diagnostics["engine"] == "direct"
    assert direct.diagnostics["solver"] in ("PIQP", "active set", "tail interior point")
    size = abs(specified.objective)
    assert abs(direct.objective - specified.objective) <= max(RELATIVE * size, ZERO if size < ZERO else 0.0), seed
    residuals = OptimalityResiduals(**direct.diagnostics["residuals"])
    assert residuals.feasibility <= 1e-8
    assert residuals.stationarity <= 1e-8
    assert residuals.complementarity <= 1e-8
    assert 0.0 <= direct.diagnostics["gap"] <= 1e-7 * max(size, 1e-3)
    assert direct.diagnostics["duals"].keys() == specified.diagnostics["duals"].keys()
    return direct, specified


@pytest.mark.parametrize("seed", range(24))
def test_same_objective(seed):
    _compare(seed)


@pytest.mark.slow
def test_same_objective_on_two_hundred_problems():
    kinds = {_compare(seed)[0].diagnostics["solver"] for seed in range(1000, 1200)}
    assert kinds == {"PIQP", "active set", "tail interior point"}


@pytest.mark.parametrize("measure", [Variance(), ConditionalValueAtRisk(0.9), ConditionalDrawdownAtRisk(0.8)], ids=repr)
def test_the_comparison_would_notice(measure):
    # variant that must fail: nine tenths of the risk aversion, judged by the true one
    rng = np.random.default_rng(1)
    s = ScenarioSet(rng.normal(0.001, 0.02, (300, 4, 6)) + np.linspace(0, 0.003, 6), list("ABCDEF"), "simple")
    problem = replace(mean_risk_problem(s, measure), risk_weight=2.0 if measure.degree == 2 else 0.3)
    best = optimise(problem, engine="direct").objective
    wrong = optimise(replace(problem, risk_weight=0.9 * problem.risk_weight), engine="direct")
    judged = wrong.objective - 0.1 * problem.risk_weight * wrong.diagnostics["risk"]
    assert judged < best - 10 * RELATIVE * abs(best)


def _moments():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(60, 5)) @ (np.eye(5) + 0.3) * 0.04
    names = tuple(f"A{i}" for i in range(5))
    return HorizonMoments(mean=rng.normal(0.01, 0.01, 5), covariance=np.cov(rows.T), assets=names, horizon=1)


def test_duals_are_those_of_the_specification():
    limits = [Bounds(0, 0.5), Bounds(0, {f"A{i}": 0.45 for i in range(5)}), GroupLimit(["A0", "A1"], upper=0.3)]
    limits += [FactorExposure({f"A{i}": 0.5 + 0.3 * i for i in range(5)}, upper=1.2, name="f"), Budget(), Budget()]
    a, b = (mean_variance(_moments(), risk_aversion=2.0, constraints=limits, engine=e) for e in ("direct", "cvxpy"))
    ours, theirs = a.diagnostics["duals"], b.diagnostics["duals"]
    assert ours.keys() == theirs.keys()
    # both solved to 1e-10 of a gradient of order 0.01
    for name in ("GroupLimit 'A0+A1' upper 0.3", "FactorExposure 'f' upper 1.2"):
        assert ours[name] == pytest.approx(theirs[name], abs=1e-7)
    # two equal budgets: only the sum of their prices is unique
    assert sum(ours[n] for n in ours if "Budget" in n) == pytest.approx(
        sum(theirs[n] for n in theirs if "Budget" in n), abs=1e-7
    )
    for asset in a.weights.index:
        assert ours["Bounds lower 0"][asset] + ours["Bounds lower 0 (2)"][asset] == pytest.approx(
            theirs["Bounds lower 0"][asset] + theirs["Bounds lower 0 (2)"][asset], abs=1e-7
        )


@pytest.mark.parametrize("measure", [Volatility(), ConditionalValueAtRisk(0.9)], ids=repr)
def test_dual_of_a_return_target_is_the_slope_of_the_frontier(measure):
    rng = np.random.default_rng(4)
    s = ScenarioSet(rng.standard_t(5, (400, 1, 4)) * 0.02 + np.linspace(0, 0.006, 4), list("ABCD"), "simple")
    low, mid, high = (
        target_return(s, minimum=0.0055 + d, measure=measure, engine="direct") for d in (-1e-5, 0.0, 1e-5)
    )
    price = mid.diagnostics["duals"]["MinimumReturn 0.0055"]
    assert price > 0.1  # the target binds
    # the frontier is concave, so the price lies between the slopes on both sides; objectives are solved to 1e-9
    before, after = (low.objective - mid.objective) / 1e-5, (mid.objective - high.objective) / 1e-5
    assert before - 1e-4 <= price <= after + 1e-4
    assert price == pytest.approx((before + after) / 2, rel=0.3)  # and they are near each other


def test_start_changes_nothing_but_the_time():
    problem = random_problem(14)
    plain = CVXPY.solve(problem).objective
    for start in (None, problem.held, np.eye(len(problem.assets))[0]):
        found, used, note = solve_with(DirectEngine(start=start), problem)
        assert used == "direct"
        assert note is None
        assert np.isfinite(plain)
        value = optimise(problem, engine=DirectEngine(start=start)).objective
        assert value == pytest.approx(optimise(problem, engine="cvxpy").objective, rel=RELATIVE)
        assert found.gap >= 0.0
