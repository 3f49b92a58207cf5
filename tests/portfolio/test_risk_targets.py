"""Classical questions: closed forms, and the answers to different questions fit together."""

import itertools

import numpy as np
import pytest

from portfolio import convex_solver
from portfolio.constraints import Bounds, Budget
from portfolio.costs import LinearCost
from portfolio.drawdown import ConditionalDrawdownAtRisk
from portfolio.errors import InfeasibleError
from portfolio.maximum_ratio import maximum_ratio, maximum_sharpe
from portfolio.moments import HorizonMoments
from portfolio.risk_measures import ConditionalValueAtRisk, EntropicValueAtRisk, Variance, Volatility, evaluate_risk
from portfolio.risk_targets import (
    minimum_risk,
    minimum_tracking_error,
    minimum_variance,
    target_return,
    target_risk,
)
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet

A = tuple(f"A{i}" for i in range(4))
FREE = Bounds(-np.inf, np.inf)


@pytest.fixture(scope="module")
def moments():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(20, 4)) @ (np.eye(4) + 0.3) * 0.05
    return HorizonMoments(mean=np.array([0.01, 0.012, 0.008, 0.02]), covariance=np.cov(rows.T), assets=A, horizon=21)


@pytest.fixture(scope="module")
def scenarios():
    rng = np.random.default_rng(4)
    returns = rng.normal(0.002, 0.02, (40, 4, 4)) + np.linspace(0, 0.003, 4)
    return ScenarioSet(returns, A, "simple", rng.dirichlet(np.full(40, 4.0)))


def test_minimum_variance_is_the_closed_form(moments):
    inverse = np.linalg.inv(moments.covariance)
    expected = inverse.sum(0) / inverse.sum()
    a = minimum_variance(moments, constraints=[FREE])
    np.testing.assert_allclose(a.weights, expected, atol=1e-6)
    assert a.objective == pytest.approx(-1 / inverse.sum(), rel=1e-9)
    b = minimum_risk(moments, constraints=[FREE])
    assert b.objective == pytest.approx(-np.sqrt(1 / inverse.sum()), rel=1e-7)


def test_maximum_sharpe_is_the_tangency_portfolio(moments):
    for free in (0.0, 0.004):
        direction = np.linalg.solve(moments.covariance, moments.mean - free)
        expected = direction / direction.sum()
        a = maximum_sharpe(moments, risk_free=free, constraints=[Bounds(-9, 9)])
        assert a.objective == pytest.approx(np.sqrt((moments.mean - free) @ direction), rel=1e-8)
        # flat optimum: the square root of the objective's accuracy
        np.testing.assert_allclose(a.weights, expected, atol=1e-3)
        unlimited = maximum_sharpe(moments, risk_free=free, constraints=[FREE])
        assert unlimited.objective == pytest.approx(a.objective, rel=1e-7)
    # variant that must fail: the portfolio of least variance
    least = minimum_variance(moments, constraints=[FREE]).weights.to_numpy()
    assert moments.mean @ least / np.sqrt(least @ moments.covariance @ least) < 0.99 * maximum_sharpe(moments).objective


def test_tracking_without_limits_is_the_benchmark(moments):
    benchmark = dict(zip(A, [0.1, 0.2, 0.3, 0.4], strict=True))
    a = minimum_tracking_error(moments, benchmark=benchmark)
    np.testing.assert_allclose(a.weights, [0.1, 0.2, 0.3, 0.4], atol=1e-6)
    b = minimum_tracking_error(moments, benchmark=benchmark, constraints=[Bounds(0, 0.3)])
    assert b.objective < -1e-4


MEASURES = [Volatility(), ConditionalValueAtRisk(0.85), EntropicValueAtRisk(0.8), ConditionalDrawdownAtRisk(0.8)]


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_target_risk_and_target_return_are_inverse(scenarios, measure):
    costs = LinearCost(0.001)
    least = -minimum_risk(scenarios, measure=measure).objective
    a = target_risk(scenarios, maximum=1.1 * least, measure=measure, costs=costs)
    assert a.diagnostics["risk"] <= 1.1 * least * (1 + 1e-6)
    b = target_return(scenarios, minimum=a.objective, measure=measure, costs=costs)
    assert -b.objective == pytest.approx(a.diagnostics["risk"], rel=1e-5)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_no_portfolio_of_a_grid_has_a_better_ratio(scenarios, measure):
    a = maximum_ratio(scenarios, measure=measure, risk_free=0.001)
    mean = scenarios.weights @ scenarios.horizon_returns()
    best = -np.inf
    for counts in itertools.product(range(9), repeat=3):
        if sum(counts) > 8:
            continue
        w = np.array([*counts, 8 - sum(counts)]) / 8
        best = max(best, (mean @ w - 0.001) / evaluate_risk(w, scenarios, measure))
    assert best <= a.objective * (1 + 1e-8)
    assert best > 0.9 * a.objective
    own = (mean @ a.weights.to_numpy() - 0.001) / evaluate_risk(a.weights, scenarios, measure)
    assert a.objective == pytest.approx(own, rel=1e-10)


def test_infeasible_targets_name_themselves(moments):
    with pytest.raises(InfeasibleError) as caught:
        target_return(moments, minimum=0.5)
    assert "MinimumReturn 0.5" in caught.value.conflict
    with pytest.raises(InfeasibleError) as caught:
        target_risk(moments, maximum=0.001)
    assert caught.value.conflict[0] == "RiskBudget Volatility() at most 0.001"


def test_refusals(moments):
    with pytest.raises(
        ConfigError, match=r"no portfolio within the constraints earns more than the risk-free return 0\.5"
    ):
        maximum_sharpe(moments, risk_free=0.5)
    certain = HorizonMoments(mean=np.array([0.1]), covariance=np.zeros((1, 1)), assets=("A",), horizon=1)
    with pytest.raises(ConfigError, match="more than the risk-free return at no risk"):
        maximum_sharpe(certain)
    with pytest.raises(ConfigError, match="a ratio needs a measure in units of return"):
        maximum_ratio(moments, measure=Variance())
    with pytest.raises(ConfigError, match="risk_free must be a finite number"):
        maximum_sharpe(moments, risk_free=np.nan)
    with pytest.raises(ConfigError, match="measure must be a risk measure"):
        minimum_risk(moments, measure="vol")  # pyright: ignore[reportArgumentType]
    for call in (
        lambda c: target_return(moments, minimum=0.0, constraints=c),
        lambda c: target_risk(moments, maximum=1, constraints=c),
    ):
        with pytest.raises(ConfigError, match="constraints must be a sequence of constraints: got Budget"):
            call(Budget())
    # long one riskless asset, short another, without limits: no ratio either
    free_lunch = HorizonMoments(mean=np.array([0.1, 0.0]), covariance=np.zeros((2, 2)), assets=("A", "B"), horizon=1)
    with pytest.raises((convex_solver.UnboundedError, convex_solver.SolverError)):
        maximum_sharpe(free_lunch, constraints=[FREE])
