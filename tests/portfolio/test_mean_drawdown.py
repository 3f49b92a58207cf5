"""Mean-drawdown: per path, invariant to their order; hard limits hold; the joined path is another problem."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from portfolio.constraints import Bounds
from portfolio.drawdown import (
    AverageDrawdown,
    ConditionalDrawdownAtRisk,
    MaximumDrawdown,
    MaximumDrawdownCVaR,
    drawdowns,
)
from portfolio.errors import InfeasibleError
from portfolio.mean_drawdown import mean_drawdown
from portfolio.risk_constraints import RelativeDrawdownLimit, RiskBudget
from portfolio.risk_measures import evaluate_risk
from portfolio.risk_targets import minimum_risk
from portfolio.wealth import wealth_paths
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet

MEASURES = [AverageDrawdown(), ConditionalDrawdownAtRisk(0.8), MaximumDrawdownCVaR(0.8), MaximumDrawdown()]


def _scenarios(seed, shape=(20, 5, 3), weighted=True):
    rng = np.random.default_rng(seed)
    r = rng.normal(0, 0.03, shape) + np.linspace(0, 0.008, shape[2])
    names = [f"A{i}" for i in range(shape[2])]
    return ScenarioSet(r, names, "simple", rng.dirichlet(np.ones(shape[0])) if weighted else None)


@pytest.mark.parametrize("wealth", ["buy_and_hold", "rebalanced"])
@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_two_assets_by_line_search(measure, wealth):
    s = _scenarios(1, (15, 4, 2))

    def loss(w):
        weights = [w, 1 - w]
        gain = s.weights @ (wealth_paths(weights, s, wealth=wealth)[:, -1] - 1)
        return 0.2 * evaluate_risk(weights, s, measure, wealth=wealth) - gain

    # concave in one weight: bounded search to 1e-10 in the weight, slopes of order 0.1
    best = -min(
        loss(0.0), loss(1.0), minimize_scalar(loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-10}).fun
    )
    a = mean_drawdown(s, risk_aversion=0.2, measure=measure, wealth=wealth)
    assert a.objective == pytest.approx(best, abs=1e-9)
    assert a.diagnostics["risk"] == pytest.approx(evaluate_risk(a.weights, s, measure, wealth=wealth), rel=1e-12)
    assert a.status == "optimal"


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_order_of_paths_does_not_matter_and_copies_count(measure):
    s = _scenarios(2)
    order = np.random.default_rng(0).permutation(20)
    other = ScenarioSet(s.returns[order], s.assets, "simple", s.weights[order])
    a, b = (mean_drawdown(x, risk_aversion=0.3, measure=measure) for x in (s, other))
    assert a.objective == pytest.approx(b.objective, abs=1e-9)
    np.testing.assert_allclose(a.weights, b.weights, atol=1e-5)
    copies = np.arange(20) % 2 + 1
    repeated = ScenarioSet(np.repeat(s.returns, copies, axis=0), s.assets, "simple")
    c = mean_drawdown(s.with_probabilities(copies / copies.sum()), risk_aversion=0.3, measure=measure)
    assert c.objective == pytest.approx(mean_drawdown(repeated, risk_aversion=0.3, measure=measure).objective, abs=1e-9)


def test_joining_paths_depends_on_their_order():
    # the mistake that this package is there to avoid: the rows of all paths read as one time series
    s = _scenarios(3, weighted=False)

    def joined(returns):
        long = np.stack([returns.reshape(1, -1, 3)[0]] * 2)
        return minimum_risk(
            ScenarioSet(long, s.assets, "simple"), measure=ConditionalDrawdownAtRisk(0.8), wealth="rebalanced"
        )

    orders = [np.random.default_rng(seed).permutation(20) for seed in (0, 1)]
    results = [joined(s.returns[order]) for order in orders]
    assert abs(results[0].objective - results[1].objective) > 1e-4
    per_path = minimum_risk(s, measure=ConditionalDrawdownAtRisk(0.8), wealth="rebalanced")
    for result in results:
        true = evaluate_risk(result.weights, s, ConditionalDrawdownAtRisk(0.8), wealth="rebalanced")
        assert true > -per_path.objective


def test_relative_drawdown_limit_holds_and_binds():
    s = _scenarios(4)
    free = mean_drawdown(s, risk_aversion=0.01)

    def deepest(a):
        return float(drawdowns(wealth_paths(a.weights, s), relative=True).max())

    limit = 0.8 * deepest(free)
    a = mean_drawdown(s, risk_aversion=0.01, constraints=[RelativeDrawdownLimit(limit)])
    assert deepest(a) == pytest.approx(limit, abs=1e-8)
    assert a.objective < free.objective
    # the multiplier is the marginal value of breach in units of wealth: relaxing must help
    assert a.diagnostics["duals"][f"RelativeDrawdownLimit {limit:g}"] > 0
    more = mean_drawdown(s, risk_aversion=0.01, constraints=[RelativeDrawdownLimit(limit + 0.01)])
    assert more.objective > a.objective


def test_drawdown_budgets_bind_and_name_themselves_when_too_tight():
    s = _scenarios(5, (8, 4, 3))
    for measure in MEASURES[1:3]:
        least = -minimum_risk(s, measure=measure).objective
        a = mean_drawdown(s, risk_aversion=0.001, constraints=[RiskBudget(measure, 1.05 * least)])
        assert evaluate_risk(a.weights, s, measure) <= 1.05 * least + 1e-9
        with pytest.raises(InfeasibleError) as caught:
            mean_drawdown(s, risk_aversion=1, constraints=[RiskBudget(measure, 0.9 * least)])
        assert caught.value.conflict[0].startswith(f"RiskBudget {measure!r} at most")
        assert "Budget total 1 (default)" in caught.value.conflict
    with pytest.raises(InfeasibleError) as caught:
        mean_drawdown(s, risk_aversion=1, constraints=[RelativeDrawdownLimit(0.0), Bounds(0.2, 1)])
    assert "RelativeDrawdownLimit 0" in caught.value.conflict
    assert len(caught.value.conflict) == 2


def test_refusals():
    s = _scenarios(0)
    with pytest.raises(ConfigError, match=r"measure must be AverageDrawdown\(\), ConditionalDrawdownAtRisk"):
        mean_drawdown(s, risk_aversion=1, measure="cdar")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="not linear in the weights"):
        mean_drawdown(s, risk_aversion=1, wealth="rebalanced_compounded")  # pyright: ignore[reportArgumentType]
    for value in (-0.1, 1.0):
        with pytest.raises(ConfigError, match="maximum relative drawdown must be at least 0 and below 1"):
            RelativeDrawdownLimit(value)
