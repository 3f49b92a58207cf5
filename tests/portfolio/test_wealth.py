"""Wealth conventions by hand, and what each refuses."""

import numpy as np
import pytest

from portfolio.moments import HorizonMoments
from portfolio.outlook import Outlook, outlook_of
from portfolio.wealth import linear_wealth, wealth_paths
from tsgen.errors import ConfigError, DataError
from tsgen.scenario_set import ScenarioSet

S = ScenarioSet([[[0.1, 0.0], [0.2, -0.1]]], assets=["A", "B"], kind="simple")
TWO = ScenarioSet([[[0.1], [0.1]], [[-0.1], [0.0]]], assets=["A"], kind="simple", probabilities=[0.25, 0.75])


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        # 0.5 in A, 0.3 in B, 0.2 cash
        ("buy_and_hold", [1 + 0.05, 0.2 + 0.5 * 1.32 + 0.3 * 0.9]),
        ("rebalanced", [1.05, 1.05 + 0.1 - 0.03]),
        ("rebalanced_compounded", [1.05, 1.05 * 1.07]),
    ],
)
def test_paths_by_hand(convention, expected):
    np.testing.assert_allclose(wealth_paths({"B": 0.3, "A": 0.5}, S, wealth=convention), [expected], rtol=1e-14)
    if convention != "rebalanced_compounded":
        np.testing.assert_allclose(linear_wealth(S, convention).paths(np.array([0.5, 0.3])), [expected], rtol=1e-14)


def test_log_returns_mean_the_same():
    log = S.to_kind("log")
    for convention in ("buy_and_hold", "rebalanced", "rebalanced_compounded"):
        a, b = (wealth_paths([0.5, 0.3], s, wealth=convention) for s in (S, log))
        np.testing.assert_allclose(a, b, rtol=1e-13)


def test_outlook_uses_one_convention_for_moments_and_paths():
    for convention, outcomes in (("buy_and_hold", [0.21, -0.1]), ("rebalanced", [0.2, -0.1])):
        outlook = outlook_of(TWO, convention)
        mean = 0.25 * outcomes[0] + 0.75 * outcomes[1]
        assert outlook.moments.mean[0] == pytest.approx(mean, rel=1e-13)
        assert outlook.moments.covariance[0, 0] == pytest.approx(
            0.25 * 0.75 * (outcomes[0] - outcomes[1]) ** 2, rel=1e-12
        )
        assert outlook.wealth is not None
        np.testing.assert_allclose(outlook.wealth.outcomes[:, 0], outcomes, rtol=1e-13)
        assert outlook.moments.horizon == 2


def test_impossible_scenarios_are_left_out():
    s = TWO.with_probabilities([0.0, 1.0])
    assert linear_wealth(s).gains.shape == (1, 2, 1)


def test_refusals():
    with pytest.raises(ConfigError, match="wealth 'rebalanced_compounded' is a product over periods and not linear"):
        linear_wealth(S, "rebalanced_compounded")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match=r"wealth must be one of 'buy_and_hold', .*: got 'drift'"):
        wealth_paths([1, 0], S, wealth="drift")  # pyright: ignore[reportArgumentType]
    bad = ScenarioSet([[[-1.5]]], assets=["A"], kind="simple")
    for call in (lambda: linear_wealth(bad), lambda: wealth_paths([1.0], bad)):
        with pytest.raises(DataError, match="a simple return below -1 loses more than everything"):
            call()
    with pytest.raises(DataError, match="moments need at least two scenarios"):
        outlook_of(S, "rebalanced")
    with pytest.raises(ConfigError, match="scenarios must be a ScenarioSet or HorizonMoments: got list"):
        outlook_of([1])  # pyright: ignore[reportArgumentType]
    m = HorizonMoments(mean=np.zeros(1), covariance=np.eye(1), assets=("A",), horizon=1)
    with pytest.raises(ConfigError, match="CVaR looks at scenarios, but only moments were given"):
        Outlook(moments=m).scenario_wealth("CVaR")
