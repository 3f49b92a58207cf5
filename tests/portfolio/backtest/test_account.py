"""The account: identities for every history of returns, trades and costs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from portfolio.backtest.account import Account
from portfolio.costs import LinearCost, QuadraticCost, TotalCost
from tsgen.errors import DataError

N = 3
NAMES = ("A", "B", "C")
# moderate leverage and returns: bankruptcy is another test
targets = arrays(np.float64, N, elements=st.floats(-0.6, 0.6))
returns = arrays(np.float64, N, elements=st.floats(-0.2, 0.3))
steps = st.lists(
    st.tuples(returns, targets, arrays(np.bool_, N), st.booleans(), st.floats(0.0, 0.05)), min_size=1, max_size=6
)


@settings(max_examples=25, deadline=None)
@given(steps)
def test_identities_hold_on_every_date(history):
    account = Account(NAMES)
    for simple, target, gone, trades, rate in history:
        before, cash = account.wealth, account.cash
        positions = account.positions.copy()
        gain = account.earn(simple)
        # every sum has at most 4 terms of order one: a few units in the last place of the gross exposure
        tolerance = 1e-14 * (1.0 + np.abs(positions).sum() + abs(cash))
        assert account.wealth == pytest.approx(before + gain, abs=tolerance)
        middle = account.wealth
        proceeds = account.liquidate(gone)
        assert account.wealth == pytest.approx(middle, abs=tolerance)
        assert account.cash == pytest.approx(cash + proceeds, abs=tolerance)
        assert not account.positions[gone].any()
        if not trades:
            continue
        wealth, held, cash = account.wealth, account.weights(), account.cash
        done = account.trade(target, TotalCost((LinearCost(rate), QuadraticCost(rate / 2))))
        assert account.wealth == pytest.approx(wealth - done.cost_paid, abs=tolerance)
        assert done.cost == pytest.approx(rate * (np.abs(done.trades).sum() + (done.trades**2).sum() / 2), abs=1e-15)
        assert done.turnover == pytest.approx(np.abs(done.trades).sum(), abs=1e-15)
        np.testing.assert_allclose(account.positions, (held + done.trades) * wealth, atol=tolerance)
        assert account.cash == pytest.approx(cash - done.trades.sum() * wealth - done.cost_paid, abs=10 * tolerance)
        # the weights afterwards are the targets, as fractions of what is left
        np.testing.assert_allclose(account.weights(), target, atol=1e-13)


def test_cost_by_hand():
    # from cash into one asset at 1 %: k = 1 - 0.01 k, k = 1 / 1.01
    account = Account(("A",))
    done = account.trade(np.array([1.0]), LinearCost(0.01))
    assert account.wealth == pytest.approx(1 / 1.01, rel=1e-15)
    assert done.trades[0] == pytest.approx(1 / 1.01, rel=1e-15)
    assert account.cash == pytest.approx(0.0, abs=1e-15)


def test_very_high_rates_still_have_their_solution():
    # 80 % one way, from 0.9 long to 0.9 short: the plain iteration does not settle
    account = Account(("A",))
    account.trade(np.array([0.9]), None)
    account.trade(np.array([-0.9]), LinearCost(0.8))
    # k = 1 - 0.8 (0.9 k + 0.9)
    assert account.wealth == pytest.approx((1 - 0.72) / 1.72, rel=1e-12)


def test_refusals():
    class Odd:
        def __init__(self, value):
            self.number = value

        def expression(self, model):
            raise NotImplementedError

        def value(self, trades):
            return self.number

    for bad in (np.nan, -0.1):
        with pytest.raises(DataError, match="must be a finite, non-negative fraction of wealth"):
            Account(("A",)).trade(np.array([1.0]), Odd(bad))
    account = Account(("A",))
    account.trade(np.array([3.0]), None)
    with pytest.raises(DataError, match="trading costs exceed the whole wealth"):
        account.trade(np.array([0.0]), LinearCost(0.5))
