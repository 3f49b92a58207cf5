"""The best ratio with either engine, and the search over the risk aversion on its own."""

import numpy as np
import pytest

import portfolio.sharpe_by_variance as search
from portfolio.cardinality import Cardinality
from portfolio.constraints import Bounds, GroupLimit
from portfolio.costs import LinearCost, QuadraticCost
from portfolio.drawdown import ConditionalDrawdownAtRisk
from portfolio.errors import SolverError, UnboundedError
from portfolio.fast_solvers import DirectEngine, DirectRefusal
from portfolio.maximum_ratio import maximum_ratio, maximum_sharpe
from portfolio.mean_risk_problem import mean_risk_problem
from portfolio.mean_variance import mean_variance
from portfolio.moments import HorizonMoments
from portfolio.risk_measures import ConditionalValueAtRisk, EntropicValueAtRisk, Variance
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet


def _moments(seed, n):
    rng = np.random.default_rng(seed)
    loadings = rng.normal(0.0, 0.03, (n, 3))
    covariance = loadings @ loadings.T + np.diag(rng.uniform(0.001, 0.01, n))
    names = tuple(f"A{i}" for i in range(n))
    return HorizonMoments(mean=rng.normal(0.004, 0.01, n), covariance=covariance, assets=names, horizon=1)


LIMITS = {
    "long only": {},
    "short": {"constraints": [Bounds(-0.3, 0.5)]},
    "group": {"constraints": [Bounds(0, 0.6), GroupLimit(["A0", "A1"], lower=0.2)]},
    "linear cost": {"costs": LinearCost(0.0005)},
    "quadratic cost": {"costs": QuadraticCost(0.002)},
}


@pytest.mark.parametrize("given", LIMITS.values(), ids=list(LIMITS))
@pytest.mark.parametrize("seed", range(4))
def test_same_sharpe_ratio(seed, given):
    m = _moments(seed, int(np.random.default_rng(seed).integers(3, 25)))
    direct, specified, auto = (
        maximum_sharpe(m, risk_free=0.001, engine=e, **given) for e in ("direct", "cvxpy", "auto")
    )
    assert direct.diagnostics["engine"] == auto.diagnostics["engine"] == "direct"
    assert specified.diagnostics["engine"] == "cvxpy"
    # the specification is solved to 1e-11 or, where that fails, 1e-8 of a gradient of order one
    assert direct.objective == pytest.approx(specified.objective, rel=1e-7)
    assert auto.objective == direct.objective
    for a in (direct, specified):
        assert a.diagnostics["risk_measure"] == "Volatility()"
        assert a.diagnostics["risk"] == pytest.approx(a.diagnostics["volatility"], rel=1e-12)
    # no neighbour is better: variant that must fail
    other = mean_variance(m, risk_aversion=3.0, engine="direct", **given).diagnostics
    ratio = (other["expected_return"] - other["cost"] - 0.001) / other["volatility"]
    assert ratio <= direct.objective * (1 + 1e-9)


@pytest.mark.parametrize("measure", [ConditionalValueAtRisk(0.9), ConditionalDrawdownAtRisk(0.8)], ids=repr)
def test_same_ratio_of_tail_risks(measure):
    rng = np.random.default_rng(5)
    s = ScenarioSet(rng.normal(0.004, 0.02, (60, 3, 4)), list("ABCD"), "simple", rng.dirichlet(np.ones(60)))
    direct, specified = (maximum_ratio(s, measure=measure, engine=e) for e in (DirectEngine(), "cvxpy"))
    assert direct.diagnostics["engine"] == "direct"
    assert direct.objective == pytest.approx(specified.objective, rel=1e-7)


def test_what_the_direct_engine_does_not_take():
    m = _moments(1, 4)
    with pytest.raises(DirectRefusal, match="does not take the constraint Cardinality"):
        maximum_sharpe(m, constraints=[Cardinality(2)], engine="direct")
    assert maximum_sharpe(m, constraints=[Cardinality(2)]).diagnostics["engine"] == "cvxpy"
    s = ScenarioSet(np.random.default_rng(0).normal(0.01, 0.02, (30, 1, 3)), list("ABC"), "simple")
    with pytest.raises(DirectRefusal, match="does not take the measure EntropicValueAtRisk"):
        maximum_ratio(s, measure=EntropicValueAtRisk(0.8), engine="direct")
    with pytest.raises(ConfigError, match="engine must be one of auto, cvxpy, direct"):
        maximum_sharpe(m, engine="fast")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("engine", ["direct", "cvxpy", "auto"])
def test_ratios_that_mean_nothing(engine):
    m = _moments(1, 4)
    with pytest.raises(ConfigError, match=r"earns more than the risk-free return 0\.5"):
        maximum_sharpe(m, risk_free=0.5, engine=engine)
    # two assets of opposite moves: half of each earns 0.015 at no risk, but for rounding
    certain = HorizonMoments(
        mean=np.array([0.02, 0.01]),
        covariance=np.array([[0.04, -0.04], [-0.04, 0.04]]),
        assets=("A", "B"),
        horizon=1,
    )
    with pytest.raises(ConfigError, match="at no risk"):
        maximum_sharpe(certain, engine=engine)
    # a riskless asset among others, and nothing but: what is left of the risk is rounding
    returns = np.random.default_rng(0).normal(0.01, 0.05, (20, 3, 3))
    returns[:, :, 2] = 0.001
    for rows in (returns, np.full((20, 3, 3), 0.01)):
        with pytest.raises(ConfigError, match="at no risk"):
            maximum_sharpe(ScenarioSet(rows, list("ABC"), "simple"), engine=engine)


def test_a_ratio_that_is_never_reached():
    # least risk is half of each, which earns nothing; the more of A against B, the nearer to the limit
    m = HorizonMoments(mean=np.array([0.01, -0.01]), covariance=np.eye(2), assets=("A", "B"), horizon=1)
    with pytest.raises(UnboundedError, match="the Sharpe ratio rises for ever as weights grow"):
        maximum_sharpe(m, constraints=[Bounds(-np.inf, np.inf)], risk_free=0.002, engine="direct")


def test_the_search_says_when_it_does_not_settle(monkeypatch):
    monkeypatch.setattr(search, "MAX_STEPS", 1)
    problem = mean_risk_problem(_moments(2, 6), Variance())
    with pytest.raises(SolverError, match="was not found in 1 steps"):
        search.highest_sharpe(problem, lambda a: a.diagnostics["expected_return"], 1e-3, "direct")
    # "auto" then asks the specification
    assert maximum_sharpe(_moments(2, 6)).diagnostics["engine"] in ("direct", "cvxpy")


def test_few_steps():
    # linear between changes of the limits that bind: far fewer than bisection to 1e-9 would need
    assert max(maximum_sharpe(_moments(seed, 15)).diagnostics["steps"] for seed in range(10)) <= 15
