"""Linear costs: the number, the solver's expression, and what is refused."""

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest

from portfolio.constraints import Bounds
from portfolio.costs import LinearCost, QuadraticCost, ThreeHalvesCost, TotalCost
from portfolio.decision_model import DecisionContext, DecisionModel
from portfolio.exposure_constraints import NetLeverage
from portfolio.mean_variance import mean_variance
from portfolio.moments import HorizonMoments
from tsgen.errors import ConfigError, DataError


def test_value_by_hand():
    trades = pd.Series({"A": 0.2, "B": -0.3})
    assert LinearCost(0.01).value(trades) == pytest.approx(0.005, rel=1e-15)
    assert LinearCost({"B": 0.1, "A": 0.0}).value(trades) == pytest.approx(0.03, rel=1e-15)


@pytest.mark.parametrize("rate", [0.01, {"A": 0.0, "B": 0.02, "C": 0.001}, 0.0])
def test_expression_at_its_smallest_equals_the_value(rate):
    model = DecisionModel(["A", "B", "C"], np.array([0.2, 0.8, 0.0]))
    cost = LinearCost(rate)
    target = np.array([0.5, 0.1, -0.3])
    problem = cp.Problem(cp.Minimize(cost.expression(model)), [model.weights == target, *model.definitions])
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-12)
    expected = cost.value(pd.Series(target - model.start, index=model.assets))
    # interior point, absolute gap 1e-12, quantities of order 1e-2
    assert problem.value == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("kind", [QuadraticCost, ThreeHalvesCost])
@pytest.mark.parametrize("rate", [0.3, {"A": 0.0, "B": 0.2, "C": 0.1}, 0.0])
@pytest.mark.parametrize("conic", [False, True])
def test_curved_costs_at_their_smallest_equal_the_value(kind, rate, conic):
    model = DecisionModel(["A", "B", "C"], np.array([0.2, 0.8, 0.0]), DecisionContext(conic=conic))
    cost = TotalCost((LinearCost(0.01), kind(rate)))
    target = np.array([0.5, 0.1, -0.3])
    problem = cp.Problem(cp.Minimize(cost.expression(model)), [model.weights == target, *model.definitions])
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11)
    trades = np.array([0.3, -0.7, -0.3])
    rates = np.array([rate.get(a, 0.0) for a in "ABC"]) if isinstance(rate, dict) else rate * np.ones(3)
    power = 2.0 if kind is QuadraticCost else 1.5
    expected = 0.01 * np.abs(trades).sum() + rates @ np.abs(trades) ** power
    assert cost.value(pd.Series(trades, index=model.assets)) == pytest.approx(expected, rel=1e-13)
    # cones at 1e-11 of quantities of order one
    assert problem.value == pytest.approx(expected, abs=1e-8)


def test_curved_costs_by_hand_in_an_optimum():
    # mu = 0.02 for A only, no risk to speak of: trade x until the marginal cost is the return
    m = HorizonMoments(mean=np.array([0.02]), covariance=np.array([[1e-12]]), assets=("A",), horizon=1)
    limits = [Bounds(0, 1), NetLeverage(upper=1)]
    for cost, expected in ((QuadraticCost(0.04), 0.25), (ThreeHalvesCost(0.04), 1 / 9)):
        a = mean_variance(m, risk_aversion=1.0, constraints=limits, costs=cost)
        # flat optimum: the square root of the objective's accuracy
        assert a.weights["A"] == pytest.approx(expected, abs=1e-4)
        assert a.diagnostics["cost"] == pytest.approx(cost.value(a.weights), rel=1e-12)
        assert max(a.diagnostics["residuals"].values()) < 1e-7


def test_total_cost_refuses_what_is_no_cost():
    for parts in ((), (0.1,), (LinearCost,), LinearCost(0.1)):
        with pytest.raises(ConfigError, match="parts must be a tuple of costs"):
            TotalCost(parts)  # pyright: ignore[reportArgumentType]


def test_trade_sizes_are_shared_between_terms():
    model = DecisionModel(["A", "B"], None)
    assert model.trade_sizes() is model.trade_sizes([0, 1])
    assert model.trade_sizes([1]) is not model.trade_sizes()
    assert len(model.definitions) == 4


@pytest.mark.parametrize("kind", [LinearCost, QuadraticCost, ThreeHalvesCost])
@pytest.mark.parametrize("rate", [-0.1, np.inf, {"A": -0.1}])
def test_bad_rates(kind, rate):
    with pytest.raises(ConfigError, match="cost rates must be finite and not negative"):
        kind(rate)


@pytest.mark.parametrize("rate", [np.nan, "0.1", None])
def test_rates_that_are_no_numbers(rate):
    with pytest.raises(DataError, match="cost rates must be a number"):
        LinearCost(rate)


def test_rates_must_name_every_asset():
    with pytest.raises(DataError, match="cost rates must name exactly the 2 assets of the problem: missing B"):
        LinearCost({"A": 0.1}).value(pd.Series({"A": 0.1, "B": 0.2}))
