"""Simulated values against exact ones."""

import numpy as np
import pytest

from portfolio.dynamic.garleanu_pedersen import garleanu_pedersen
from portfolio.dynamic.policy_value import PolicyValue, mean_and_error, policy_value
from tsgen.errors import ConfigError, ShapeError
from tsgen.scenario_set import ScenarioSet

RULES = ("covariance", "costs", "risk_aversion", "discount")


class Linear:
    """x = held x + pull f."""

    def __init__(self, held, pull):
        self.held, self.pull = held, pull

    def trade(self, position, factors):
        return position @ self.held.T + factors @ self.pull.T - position


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_simulated_values_are_the_exact_ones(four_assets, seed):
    m = four_assets.market
    given = {name: getattr(m, name) for name in RULES}
    # 0.98^300 = 0.2 % of the value lies after the end, a fifth of a standard error
    scenarios, factors = four_assets.simulate(m, 1500, 300, seed)
    closed = policy_value(garleanu_pedersen(**four_assets.inputs), scenarios, signals=factors, **given)
    assert abs(closed.mean - 0.0437) < 4 * closed.standard_error
    curvature = np.linalg.inv(m.risk_aversion * m.covariance + m.costs / m.discount)
    myopic = Linear(curvature @ m.costs / m.discount, curvature @ m.loadings)
    other = policy_value(myopic, scenarios, signals=factors, **given)
    assert abs(other.mean - 0.0292) < 4 * other.standard_error
    difference, error = closed.better_than(other)
    assert difference > 5 * error
    # a signal that comes a period late is worth less: what a wrong alignment would do
    solution = garleanu_pedersen(**four_assets.inputs)
    late, error = policy_value(solution, scenarios, signals=factors, lag=1, **given).better_than(closed)
    assert late < -2 * error


def test_one_path_by_hand():
    s = ScenarioSet([[[0.1], [0.2], [-0.1]]], assets=["A"], kind="simple")
    held = Linear(np.array([[0.5]]), np.array([[1.0]]))
    value = policy_value(
        held, s, signals=[[[1.0], [2.0], [4.0]]], covariance=[[0.04]], costs=[[0.2]], risk_aversion=5.0, discount=0.9
    )
    # positions 1 and 0.5 + 2 = 2.5 earn the second and third return; trades 1 and 1.5
    expected = 0.9 * (0.2 - 0.1 * 1.0) - 0.1 * 1.0 + 0.81 * (-0.25 - 0.1 * 6.25) - 0.9 * 0.1 * 2.25
    assert value.mean == pytest.approx(expected, rel=1e-12)


def test_weighted_errors():
    values = np.random.default_rng(0).normal(size=50)
    mean, error = mean_and_error(values, np.full(50, 0.02))
    assert (mean, error) == pytest.approx((values.mean(), values.std(ddof=1) / np.sqrt(50)))
    value = PolicyValue(mean=mean, standard_error=error, per_scenario=values, probabilities=np.full(50, 0.02))
    assert value.better_than(value) == (0.0, 0.0)
    assert "50 scenarios" in repr(value)
    short = PolicyValue(mean=0.0, standard_error=1.0, per_scenario=values[:3], probabilities=np.full(3, 1 / 3))
    with pytest.raises(ShapeError, match="compared on the same paths only"):
        value.better_than(short)


def test_refusals():
    s = ScenarioSet(np.zeros((2, 4, 1)) + 0.01, assets=["A"], kind="simple")
    given = {
        "signals": np.zeros((2, 4, 1)), "covariance": [[0.04]], "costs": [[0.2]], "risk_aversion": 5.0,
        "discount": 0.9,
    }  # fmt: skip
    with pytest.raises(ConfigError, match="a trading rule needs trade"):
        policy_value(np.tanh, s, **given)
    with pytest.raises(ConfigError, match="scenarios must be a ScenarioSet"):
        policy_value(Linear(np.eye(1), np.eye(1)), s.returns, **given)

    class Wrong:
        def trade(self, position, factors):
            return position[0]

    with pytest.raises(ShapeError, match="a trading rule must return shape"):
        policy_value(Wrong(), s, **given)
