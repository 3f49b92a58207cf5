"""Risk budgets, tracking error and least return: they bind, price themselves, and are named in conflicts."""

import numpy as np
import pytest

from portfolio.constraints import Bounds
from portfolio.costs import LinearCost
from portfolio.errors import InfeasibleError
from portfolio.mean_cvar import mean_cvar
from portfolio.mean_variance import mean_variance
from portfolio.moments import HorizonMoments
from portfolio.risk_constraints import MinimumReturn, RiskBudget, TrackingErrorLimit
from portfolio.risk_measures import ConditionalValueAtRisk, EntropicValueAtRisk, Variance, Volatility, evaluate_risk
from tsgen.errors import ConfigError, DataError
from tsgen.scenario_set import ScenarioSet

A = ("A", "B", "C")
BENCHMARK = {"A": 0.2, "B": 0.3, "C": 0.5}


@pytest.fixture(scope="module")
def scenarios():
    rng = np.random.default_rng(7)
    returns = rng.normal([0.012, 0.005, 0.0], [0.06, 0.03, 0.02], (60, 1, 3))
    return ScenarioSet(returns, A, "simple", rng.dirichlet(np.full(60, 5.0)))


@pytest.mark.parametrize(
    "measure", [Variance(), Volatility(), ConditionalValueAtRisk(0.9), EntropicValueAtRisk(0.9)], ids=repr
)
def test_risk_budget_binds_and_its_dual_is_the_price(scenarios, measure):
    free = mean_variance(scenarios, risk_aversion=0.5)
    maximum = 0.9 * evaluate_risk(free.weights, scenarios, measure)
    name = f"RiskBudget {measure!r} at most {maximum:g}"
    a = mean_variance(scenarios, risk_aversion=0.5, constraints=[RiskBudget(measure, maximum)])
    assert evaluate_risk(a.weights, scenarios, measure) == pytest.approx(maximum, rel=1e-6)
    step = 1e-3 * maximum
    up, down = (
        mean_variance(scenarios, risk_aversion=0.5, constraints=[RiskBudget(measure, maximum + h)]).objective
        for h in (step, -step)
    )
    # central difference of a concave function with kinks where scenarios enter the tail
    assert (up - down) / (2 * step) == pytest.approx(a.diagnostics["duals"][name], rel=0.05)


def test_tracking_error_limit_is_the_closed_form():
    # budget and tracking error only: active weights along P mu, P the projection that keeps the budget
    m = HorizonMoments(mean=np.array([0.03, 0.01, 0.0]), covariance=np.eye(3) * 0.04, assets=A, horizon=1)
    tilt = m.mean - m.mean.mean()
    a = mean_variance(m, risk_aversion=1e-6, constraints=[Bounds(-9, 9), TrackingErrorLimit(BENCHMARK, 0.05)])
    expected = np.array([0.2, 0.3, 0.5]) + 0.05 / 0.2 * tilt / np.linalg.norm(tilt)
    np.testing.assert_allclose(a.weights, expected, atol=1e-5)


def test_minimum_return_counts_costs(scenarios):
    costs = LinearCost(0.002)
    means = scenarios.weights @ scenarios.horizon_returns()
    least = 0.9 * means.max() - 0.002
    a = mean_variance(
        scenarios, risk_aversion=500, constraints=[MinimumReturn(least)], costs=costs, previous=np.zeros(3)
    )
    d = a.diagnostics
    assert d["expected_return"] - d["cost"] == pytest.approx(least, abs=1e-8)


@pytest.mark.parametrize(
    ("limit", "others", "expected"),
    [
        (RiskBudget(ConditionalValueAtRisk(0.9), 0.001), [], {"Budget total 1 (default)"}),
        (TrackingErrorLimit(BENCHMARK, 0.001), [Bounds(0.25, 1)], {"Bounds lower 0.25 of A"}),
        (MinimumReturn(0.5), [], {"Bounds upper 1 (default)", "Budget total 1 (default)"}),
    ],
)
def test_infeasible_names_the_limit(scenarios, limit, others, expected):
    with pytest.raises(InfeasibleError) as caught:
        mean_cvar(scenarios, risk_aversion=1, constraints=[limit, *others])
    first, *rest = caught.value.conflict
    assert first.startswith(type(limit).__name__)
    # which bounds matter depends on the numbers; that one cannot do without them does not
    assert {name.split(" of ")[0] for name in rest} <= {name.split(" of ")[0] for name in expected} | {
        "Bounds upper 1",
        "Bounds lower 0",
    }
    # minimal: without the named limit there is a solution
    assert mean_cvar(scenarios, risk_aversion=1, constraints=others).status == "optimal"


def test_refusals(scenarios):
    with pytest.raises(ConfigError, match="measure must be a risk measure such as ConditionalValueAtRisk"):
        RiskBudget("cvar", 0.1)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="maximum risk must be a finite number"):
        RiskBudget(Volatility(), np.nan)
    with pytest.raises(ConfigError, match="benchmark must be a mapping or Series"):
        TrackingErrorLimit([1.0], 0.1)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="maximum tracking error must not be negative"):
        TrackingErrorLimit(BENCHMARK, -0.1)
    with pytest.raises(ConfigError, match="minimum return must be a finite number"):
        MinimumReturn(np.inf)
    with pytest.raises(DataError, match="benchmark weights must name exactly the 3 assets"):
        mean_cvar(scenarios, risk_aversion=1, constraints=[TrackingErrorLimit({"A": 1.0}, 0.1)])
    m = HorizonMoments(mean=np.zeros(1), covariance=np.eye(1), assets=("A",), horizon=1)
    with pytest.raises(ConfigError, match="CVaR looks at scenarios, but only moments were given"):
        mean_variance(m, risk_aversion=1, constraints=[RiskBudget(ConditionalValueAtRisk(), 0.1)])
