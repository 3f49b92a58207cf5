"""Linear costs: the number, the solver's expression, and what is refused."""

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest

from portfolio.costs import LinearCost
from portfolio.decision_model import DecisionModel
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


def test_trade_sizes_are_shared_between_terms():
    model = DecisionModel(["A", "B"], None)
    assert model.trade_sizes() is model.trade_sizes([0, 1])
    assert model.trade_sizes([1]) is not model.trade_sizes()
    assert len(model.definitions) == 4


@pytest.mark.parametrize("rate", [-0.1, np.inf, {"A": -0.1}])
def test_bad_rates(rate):
    with pytest.raises(ConfigError, match="cost rates must be finite and not negative"):
        LinearCost(rate)


@pytest.mark.parametrize("rate", [np.nan, "0.1", None])
def test_rates_that_are_no_numbers(rate):
    with pytest.raises(DataError, match="cost rates must be a number"):
        LinearCost(rate)


def test_rates_must_name_every_asset():
    with pytest.raises(DataError, match="cost rates must name exactly the 2 assets of the problem: missing B"):
        LinearCost({"A": 0.1}).value(pd.Series({"A": 0.1, "B": 0.2}))
