"""The fitted policy in a backtest: it runs, sees no future, and says what it cannot do."""

import numpy as np
import pandas as pd
import pytest

import portfolio
from portfolio.backtest import PastView, backtest, check_no_lookahead
from portfolio.dynamic.fit_policy import fit_nearly_lq_policy
from portfolio.dynamic.policy_training import PolicyTraining
from portfolio.dynamic.signal_rules import ColumnSignals, CustomSignals, ExponentialAverages
from tsgen.errors import ConfigError, DataError, LookAheadError
from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet

COSTS = portfolio.QuadraticCost(0.01)


def make_panel(n_dates=330, seed=0):
    """Two assets that follow the column "signal" by a day."""
    rng = np.random.default_rng(seed)
    signal = np.zeros(n_dates + 1)
    for t in range(n_dates):
        signal[t + 1] = 0.9 * signal[t] + 0.01 * rng.standard_normal()
    rows = rng.normal(0, 0.01, (n_dates, 2)) + 0.2 * signal[:-1, None] * [1.0, -1.0]
    days = pd.bdate_range("2020-01-01", periods=n_dates)
    frame = pd.DataFrame({"A": rows[:, 0], "signal": signal[1:], "B": rows[:, 1]}, index=days)
    return ReturnPanel(frame, kind="simple")


@pytest.fixture(scope="module")
def panel():
    return make_panel()


@pytest.fixture(scope="module")
def policy(panel):
    training = PolicyTraining(horizon=20, features="saturating", earnings=())
    train = panel.until(panel.dates[249])
    return fit_nearly_lq_policy(train, ColumnSignals(columns=("signal",)), COSTS, 5.0, lag=1, training=training)


def test_backtest_runs_and_nothing_looks_ahead(panel, policy):
    start = panel.dates[250]
    result = backtest(panel, policy, start=start, rebalance="daily", costs=COSTS)
    assert set(result.decisions["status"]) == {"decided"}
    assert (result.targets["signal"] == 0).all()
    # a good signal means: long A, short B
    signal = panel.returns["signal"].reindex(result.targets.index)
    assert np.corrcoef(signal, result.targets["A"])[0, 1] > 0.3
    assert np.corrcoef(signal, result.targets["B"])[0, 1] < -0.3
    settings = portfolio.BacktestSettings(rebalance=3, costs=None)
    report = check_no_lookahead(panel, policy, start=start, settings=settings)
    assert report.n_compared > 50


def test_whole_fit_is_checked_when_built_from_the_panel(panel):
    training = PolicyTraining(horizon=20, features=None, earnings=())
    start = panel.dates[300]

    def build(data, end=panel.dates[299]):
        return fit_nearly_lq_policy(
            data.until(end), ColumnSignals(columns=("signal",)), COSTS, 5.0, lag=1, training=training
        )

    settings = portfolio.BacktestSettings(rebalance="weekly", costs=None)
    assert check_no_lookahead(panel, build=build, start=start, settings=settings).rebuilt
    # variant that must fail: fitted on everything
    with pytest.raises(LookAheadError, match="has seen data up to"):
        backtest(panel, build(panel, panel.dates[-1]), start=start, rebalance="weekly", costs=None)


def test_a_decision_is_what_is_held_plus_the_trade(panel, policy):
    date = panel.dates[300]
    past = PastView(panel=panel.until(date), date=date)
    held = pd.Series({"A": 0.3, "signal": 0.0, "B": -0.2})
    decided = policy.decide(past, previous=held, seed=0)
    factors = panel.returns.loc[[date], "signal"].to_numpy()
    expected = np.array([0.3, -0.2]) + policy.trade([0.3, -0.2], factors)
    np.testing.assert_allclose(decided[["A", "B"]], expected, rtol=1e-12)
    # names, not places
    swapped = panel.select(("B", "signal", "A"))
    other = policy.decide(PastView(panel=swapped.until(date), date=date), previous=held, seed=1)
    np.testing.assert_allclose(other[["A", "B"]], decided[["A", "B"]], rtol=1e-12)
    # where nothing is traded one stays
    aim = policy.aim(factors)
    np.testing.assert_allclose(policy.trade(aim, factors), 0.0, atol=1e-12)
    np.testing.assert_allclose(policy.trading_rate, policy.gains.position)


def test_refusals(panel, policy):
    date = panel.dates[300]
    two = panel.select(("A", "signal"))
    with pytest.raises(DataError, match="the policy was fitted on A, signal, B; on"):
        policy.decide(PastView(panel=two.until(date), date=date), previous=pd.Series({"A": 0.0, "signal": 0.0}))
    longer = policy.with_rule(CustomSignals(function=lambda x: x[:, :, :1], memory=500))
    whole = panel.select(("A", "B"))
    with pytest.raises(DataError, match="the signals look back 500 periods, but on"):
        longer.decide(PastView(panel=whole.until(date), date=date), previous=pd.Series({"A": 0.0, "B": 0.0}))
    with pytest.raises(ConfigError, match="the rule takes traded assets for signals"):
        policy.with_rule(ColumnSignals(columns=("A",)))
    with pytest.raises(ConfigError, match="rule must be a signal rule"):
        policy.with_rule(np.tanh)


def test_given_signals_need_a_rule_before_decisions(panel):
    rng = np.random.default_rng(0)
    f = rng.normal(size=(20, 31, 1))
    rows = 0.01 * rng.normal(size=(20, 30, 2)) + 0.002 * f[:, :-1]
    s = ScenarioSet(rows, assets=["A", "B"], kind="simple", asof="2020-12-01")
    training = PolicyTraining(features=None, earnings=())
    policy = fit_nearly_lq_policy(s, f, COSTS, 5.0, training=training)
    assert policy.training_cutoff == pd.Timestamp("2020-12-01")
    date = panel.dates[300]
    past = PastView(panel=panel.until(date), date=date)
    held = pd.Series(0.0, index=list(panel.assets))
    with pytest.raises(ConfigError, match="attach a rule with with_rule"):
        policy.decide(past, previous=held)
    ready = policy.with_rule(ColumnSignals(columns=("signal",)))
    assert ready.decide(past, previous=held)["signal"] == 0.0


def test_any_generator_will_do():
    class Momentum:
        """Autoregressive returns."""

        training_cutoff = None

        def sample(self, n_scenarios, horizon, *, seed):
            noise = np.random.default_rng(seed).normal(0, 0.01, (n_scenarios, horizon + 1, 2))
            return ScenarioSet(noise[:, 1:] + 0.4 * noise[:, :-1], assets=["A", "B"], kind="log")

    rule = ExponentialAverages(half_lives=(1.0,))
    training = PolicyTraining(n_scenarios=60, horizon=40, features=None, earnings=("identified",))
    policy = fit_nearly_lq_policy(Momentum(), rule, COSTS, 5.0, training=training, seed=1)
    assert policy.report.n_training + policy.report.n_held_out == 60
    assert policy.trade(np.zeros(2), [0.01, 0.0])[0] > 0
    assert "2 assets, 2 factors, 0 features" in repr(policy)
    again = fit_nearly_lq_policy(Momentum(), rule, COSTS, 5.0, training=training, seed=1)
    np.testing.assert_array_equal(again.gains.factor, policy.gains.factor)
