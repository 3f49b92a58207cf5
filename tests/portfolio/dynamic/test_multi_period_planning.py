"""Planning against the closed form where nothing binds, and against another optimiser where limits do."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from portfolio.cardinality import Cardinality
from portfolio.constraints import Bounds, Budget, TurnoverLimit
from portfolio.costs import QuadraticCost
from portfolio.dynamic.garleanu_pedersen import garleanu_pedersen
from portfolio.dynamic.multi_period_planning import plan_trades
from portfolio.errors import InfeasibleError
from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.scenario_set import ScenarioSet

NAMES = ["A", "B", "C", "D"]
RULES = ("covariance", "costs", "risk_aversion", "discount")


def means_of(m, f, horizon):
    rows = []
    for _ in range(horizon):
        rows.append(m.loadings @ f)
        f = m.keep @ f
    return np.array(rows)


@pytest.fixture
def rules(four_assets):
    # costs of ten times the risk: the case with trading rate a / lambda of 0.49
    m = four_assets.make(ratio=10.0)
    return m, {name: getattr(m, name) for name in RULES}


def test_first_trade_is_the_closed_form(rules):
    m, given = rules
    rng = np.random.default_rng(0)
    held, f = rng.normal(size=4), rng.normal(size=3)
    solution = garleanu_pedersen(loadings=m.loadings, mean_reversion=m.mean_reversion, **given)
    exact = solution.trade(held, f)
    errors = []
    for horizon in (5, 10, 20, 40, 80):
        plan = plan_trades(means_of(m, f, horizon), position=held, **given)
        errors.append(np.linalg.norm(plan.first_trade - exact) / np.linalg.norm(exact))
    assert (np.diff(errors) < 0).all()
    assert errors[-1] < 1e-6
    assert errors[0] > 1e-3  # variant that must fail: too short a horizon


def test_scenario_means_are_what_counts(rules):
    m, given = rules
    f = np.array([1.0, -0.5, 0.3])
    means = means_of(m, f, 80)
    noise = np.random.default_rng(0).normal(0, 0.01, (4, 80, 4))
    # weighted mean of the scenarios: exactly the conditional mean
    weights = np.array([0.4, 0.1, 0.3, 0.2])
    noise -= np.einsum("s,sta->ta", weights, noise)
    scenarios = ScenarioSet(means + noise, assets=NAMES, kind="simple", probabilities=weights)
    plan = plan_trades(scenarios, position=pd.Series(0.0, index=NAMES), **given)
    solution = garleanu_pedersen(loadings=m.loadings, mean_reversion=m.mean_reversion, **given)
    np.testing.assert_allclose(plan.first_trade, solution.trade(np.zeros(4), f), rtol=1e-6)
    assert list(plan.trades.columns) == NAMES
    # variant that must fail: equal probabilities
    other = plan_trades(scenarios.with_probabilities(None), **given)
    assert np.abs(other.first_trade - plan.first_trade).max() > 1e-3
    # log returns are converted
    log = plan_trades(scenarios.to_kind("log"), **given)
    np.testing.assert_allclose(log.first_trade, plan.first_trade, rtol=1e-10)


def test_slack_limits_change_nothing(rules):
    m, given = rules
    means = means_of(m, np.array([1.0, 1.0, -1.0]), 12)
    free = plan_trades(means, **given)
    limited = plan_trades(means, constraints=[Bounds(-100, 100)], **given)
    assert (free.status, limited.status) == ("exact", "optimal")
    np.testing.assert_allclose(limited.positions, free.positions, atol=1e-6)
    assert limited.objective == pytest.approx(free.objective, abs=1e-12)


def test_binding_bounds_against_another_optimiser(rules):
    m, given = rules
    means = means_of(m, np.array([1.5, 1.0, -1.0]), 10)
    plan = plan_trades(means, constraints=[Bounds(0.0, 0.3)], **given)
    weights = m.discount ** np.arange(10)

    def loss(flat):
        x = flat.reshape(10, 4)
        trades = np.diff(x, axis=0, prepend=np.zeros((1, 4)))
        earned = m.discount * (x * (means - 0.5 * m.risk_aversion * x @ m.covariance)).sum(axis=1)
        return -1e3 * float(weights @ (earned - 0.5 * (trades * (trades @ m.costs)).sum(axis=1)))

    other = minimize(loss, np.zeros(40), bounds=[(0.0, 0.3)] * 40, method="L-BFGS-B", options={"maxiter": 5000})
    assert plan.objective == pytest.approx(-other.fun / 1e3, rel=1e-5)
    assert plan.objective >= -other.fun / 1e3 - 1e-9
    assert plan.positions.to_numpy().min() >= -1e-8
    assert plan.positions.to_numpy().max() <= 0.3 + 1e-8
    assert plan.positions.to_numpy().max() > 0.2999
    # planning under limits is not the plan without limits, cut off
    free = plan_trades(means, **given)
    assert np.abs(free.positions.clip(0.0, 0.3).to_numpy() - plan.positions.to_numpy()).max() > 1e-3


def test_turnover_is_limited_in_every_period(rules):
    m, given = rules
    means = means_of(m, np.array([2.0, 1.0, -1.0]), 6)
    start = np.array([0.25, 0.25, 0.25, 0.25])
    limits = [Bounds(0, 1), Budget(1.0), TurnoverLimit(0.1)]
    plan = plan_trades(means, position=start, constraints=limits, **given)
    turnover = plan.trades.abs().sum(axis=1)
    assert (turnover <= 0.1 + 1e-7).all()
    assert turnover.iloc[0] > 0.0999
    np.testing.assert_allclose(plan.positions.sum(axis=1), 1.0, atol=1e-8)
    np.testing.assert_allclose(plan.trades.iloc[1], plan.positions.iloc[1] - plan.positions.iloc[0], atol=1e-12)


def test_contradictions_name_the_period(rules):
    _, given = rules
    limits = [Bounds(0, 1), Budget(1.0), TurnoverLimit(0.2)]
    with pytest.raises(InfeasibleError, match=r"TurnoverLimit 0\.2"):
        plan_trades(np.zeros((3, 4)), constraints=limits, **given)


@pytest.mark.parametrize(
    ("means", "change", "error", "message"),
    [
        (np.zeros(4), {}, ShapeError, "expected_returns"),
        (np.zeros((0, 4)), {}, DataError, "at least one period"),
        (np.zeros((2, 4)), {"constraints": [Bounds(0, 1), Cardinality(2)]}, ConfigError, "cannot limit the number"),
        (np.zeros((2, 4)), {"constraints": Bounds(0, 1)}, ConfigError, "sequence of constraints"),
        (np.zeros((2, 4)), {"discount": 0.02}, ConfigError, "discount is the factor"),
        (np.zeros((2, 3)), {}, ShapeError, "covariance must have shape"),
    ],
)
def test_unusable_inputs(rules, means, change, error, message):
    _, given = rules
    with pytest.raises(error, match=message):
        plan_trades(means, **(given | change))


def test_quadratic_cost_by_name():
    s = ScenarioSet(np.full((1, 2, 2), 0.01), assets=["A", "B"], kind="simple")
    given = {"covariance": 0.04 * np.eye(2), "risk_aversion": 5.0, "discount": 0.98}
    a = plan_trades(s, costs=QuadraticCost({"B": 0.1, "A": 0.01}), **given).first_trade
    b = plan_trades(s, costs=np.diag([0.02, 0.2]), **given).first_trade
    np.testing.assert_array_equal(a, b)
    assert a["A"] > a["B"]
