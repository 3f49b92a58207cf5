"""Every measure: the solver's expression, the gradient and the contributions agree with numpy."""

import cvxpy as cp
import numpy as np
import pytest

from portfolio.decision_model import DecisionContext, DecisionModel
from portfolio.drawdown import AverageDrawdown, ConditionalDrawdownAtRisk, MaximumDrawdown, MaximumDrawdownCVaR
from portfolio.moments import HorizonMoments
from portfolio.outlook import outlook_of
from portfolio.risk_contributions import risk_contributions
from portfolio.risk_measures import (
    ConditionalValueAtRisk,
    EntropicValueAtRisk,
    TrackingError,
    Variance,
    Volatility,
    evaluate_risk,
)
from tsgen.errors import ConfigError, DataError
from tsgen.scenario_set import ScenarioSet

A = ["A0", "A1", "A2"]
BENCHMARK = {"A0": 0.2, "A1": 0.3, "A2": 0.5}
MEASURES = [
    Variance(),
    Volatility(),
    TrackingError(BENCHMARK),
    ConditionalValueAtRisk(0.83),
    EntropicValueAtRisk(0.7),
    AverageDrawdown(),
    ConditionalDrawdownAtRisk(0.83),
    MaximumDrawdownCVaR(0.77),
    MaximumDrawdown(),
]


@pytest.fixture(scope="module")
def scenarios():
    rng = np.random.default_rng(3)
    return ScenarioSet(rng.normal(0.002, 0.04, (25, 4, 3)), A, "simple", rng.dirichlet(np.ones(25)))


@pytest.mark.parametrize("wealth", ["buy_and_hold", "rebalanced"])
@pytest.mark.parametrize("measure", MEASURES, ids=repr)
@pytest.mark.parametrize("conic", [False, True])
def test_expression_at_its_smallest_equals_numpy(scenarios, measure, wealth, conic):
    w = np.array([0.7, -0.2, 0.4])
    outlook = outlook_of(scenarios, wealth)
    model = DecisionModel(A, None, DecisionContext(outlook=outlook, conic=conic))
    expression = model.risk(measure)
    assert model.risk(measure) is expression
    problem = cp.Problem(cp.Minimize(100 * expression), [model.weights == w, *model.definitions])
    problem.solve(solver="CLARABEL")
    # interior point: relative 1e-8 of quantities of order one after scaling; EVaR loses one digit
    assert problem.value / 100 == pytest.approx(measure.value(w, outlook), rel=1e-6, abs=1e-8)
    assert measure.value(w, outlook) == pytest.approx(evaluate_risk(w, scenarios, measure, wealth=wealth), rel=1e-14)


@pytest.mark.parametrize("wealth", ["buy_and_hold", "rebalanced"])
@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_contributions_are_marginal_and_add_up(scenarios, measure, wealth):
    w, step = np.array([0.7, -0.2, 0.4]), 1e-6
    shares = risk_contributions(dict(zip(A, w, strict=True)), scenarios, measure, wealth=wealth)
    assert shares.sum() == pytest.approx(evaluate_risk(w, scenarios, measure, wealth=wealth), rel=1e-9)
    gradient = measure.gradient(w, outlook_of(scenarios, wealth))
    for i, direction in enumerate(np.eye(3)):
        up, down = (evaluate_risk(w + sign * step * direction, scenarios, measure, wealth=wealth) for sign in (1, -1))
        # piecewise smooth: central difference, rounding 1e-16 / 1e-6
        assert (up - down) / (2 * step) == pytest.approx(gradient[i], abs=1e-6)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_copies_count_like_probabilities(scenarios, measure):
    copies = np.arange(25) % 3 + 1
    weighted = scenarios.with_probabilities(copies / copies.sum())
    repeated = ScenarioSet(np.repeat(scenarios.returns, copies, axis=0), A, "simple")
    w = [0.5, 0.3, 0.2]
    assert evaluate_risk(w, weighted, measure) == pytest.approx(evaluate_risk(w, repeated, measure), rel=1e-10)
    if measure != MaximumDrawdown():
        # variant that must fail: probabilities ignored
        plain = scenarios.with_probabilities(None)
        assert evaluate_risk(w, plain, measure) != pytest.approx(evaluate_risk(w, repeated, measure), rel=1e-4)


def test_compounded_wealth_can_be_evaluated(scenarios):
    value = evaluate_risk([0.5, 0.5, 0.0], scenarios, MaximumDrawdown(), wealth="rebalanced_compounded")
    path = np.cumprod(1 + scenarios.returns @ [0.5, 0.5, 0.0], axis=1)
    peak = np.maximum(np.maximum.accumulate(path, axis=1), 1)
    assert value == pytest.approx((peak - path).max(), rel=1e-14)


def test_refusals(scenarios):
    for call in (evaluate_risk, risk_contributions):
        for measure in (Volatility, "cvar"):
            with pytest.raises(ConfigError, match="measure must be a risk measure such as Volatility"):
                call([0, 0, 1], scenarios, measure)
    with pytest.raises(ConfigError, match="not linear in the weights"):
        evaluate_risk([0, 0, 1], scenarios, Volatility(), wealth="rebalanced_compounded")
    for measure in (ConditionalValueAtRisk, EntropicValueAtRisk):
        with pytest.raises(ConfigError, match="level must lie strictly between 0 and 1"):
            measure(0.0)
    with pytest.raises(ConfigError, match="benchmark must be a mapping or Series"):
        TrackingError([0.5])  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="benchmark weights must name exactly the 3 assets"):
        evaluate_risk([0, 0, 1], scenarios, TrackingError({"A0": 1.0}))
    m = HorizonMoments(mean=np.zeros(1), covariance=np.eye(1), assets=("A",), horizon=1)
    with pytest.raises(ConfigError, match="EVaR looks at scenarios, but only moments were given"):
        evaluate_risk([1.0], m, EntropicValueAtRisk())
    with pytest.raises(ConfigError, match="a variance needs scenarios or moments, and this problem has none"):
        DecisionModel(["A"], None).risk(Variance())
