"""Built-in policies: what they ask for, what they return, what they refuse."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from portfolio.backtest import (
    EqualWeightPolicy,
    FixedWeightsPolicy,
    HistoricalMomentsPolicy,
    PastView,
    Policy,
    ScenarioPolicy,
    backtest,
)
from portfolio.costs import LinearCost
from portfolio.equal_weight import equal_weight
from portfolio.mean_variance import mean_variance
from portfolio.moments import historical_moments
from tsgen.baselines import BlockBootstrap
from tsgen.errors import ConfigError, DataError, LookAheadError
from tsgen.scenario_set import ScenarioSet

optimise = partial(mean_variance, risk_aversion=5.0)


def _past(panel, row):
    return PastView(panel=panel.until(panel.dates[row]), date=panel.dates[row])


class Source:
    """Normal scenarios that record how they were asked for."""

    def __init__(self, cutoff, asof="history"):
        self.training_cutoff = cutoff
        self.calls = []
        self._asof = asof

    def sample(self, n_scenarios, horizon, *, history=None, seed):
        self.calls.append((n_scenarios, horizon, history, seed))
        draws = np.random.default_rng(seed).normal(0, 0.01, (n_scenarios, horizon, history.n_assets))
        asof = history.dates[-1] if self._asof == "history" else self._asof
        return ScenarioSet(draws, assets=history.assets, kind=history.kind, asof=asof)


def _equal(scenarios, previous):
    return equal_weight(scenarios.assets)


def test_all_are_policies():
    made = ScenarioPolicy(fit=BlockBootstrap.fit, optimise=optimise, horizon=5, n_scenarios=10)
    for policy in (EqualWeightPolicy(), FixedWeightsPolicy(weights={"A": 1.0}), made):
        assert isinstance(policy, Policy)


def test_fixed_weights_are_owned_and_complete(panel):
    given = {"A0": 0.5, "A1": 0.2, "A2": 0.1, "Z": 0.2}
    policy = FixedWeightsPolicy(weights=given)
    given["A0"] = 9.0
    assert policy.decide(_past(panel, 10)).to_dict() == {"A0": 0.5, "A1": 0.2, "A2": 0.1}
    with pytest.raises(DataError, match="fixed weights do not name A1, A2"):
        FixedWeightsPolicy(weights={"A0": 1.0}).decide(_past(panel, 10))
    for bad in (1.0, {}):
        with pytest.raises(DataError, match="fixed weights must name their assets"):
            FixedWeightsPolicy(weights=bad)
    with pytest.raises(DataError, match="fixed weights must be finite"):
        FixedWeightsPolicy(weights={"A": np.inf})


def test_historical_moments_of_the_window(panel):
    policy = HistoricalMomentsPolicy(
        optimise=partial(mean_variance, risk_aversion=5.0, costs=LinearCost(0.001)), horizon=21, window=30
    )
    previous = pd.Series([0.2, 0.3, 0.5], index=list(panel.assets))
    got = policy.decide(_past(panel, 60), previous=previous)
    moments = historical_moments(panel.until(panel.dates[60]).after(panel.dates[30]), horizon=21)
    expected = mean_variance(moments, risk_aversion=5.0, costs=LinearCost(0.001), previous=previous)
    np.testing.assert_array_equal(got.weights, expected.weights)
    whole = HistoricalMomentsPolicy(optimise=optimise, horizon=21).decide(_past(panel, 60), previous=previous)
    assert not np.array_equal(got.weights, whole.weights)


def test_reconditions_without_retraining(panel):
    source = Source(panel.dates[20])
    policy = ScenarioPolicy(source=source, optimise=_equal, horizon=7, n_scenarios=11, window=15)
    result = backtest(panel, policy, start=panel.dates[20], rebalance=20, costs=None, seed=3)
    assert [len(c[2].dates) for c in source.calls] == [15, 15, 15]
    assert [c[2].dates[-1] for c in source.calls] == list(result.decisions.index)
    assert {c[:2] for c in source.calls} == {(11, 7)}
    assert len({c[3] for c in source.calls}) == 3


def test_the_same_random_numbers_at_every_decision(panel):
    source = Source(panel.dates[20])
    policy = ScenarioPolicy(source=source, optimise=_equal, horizon=2, n_scenarios=5, seed=17)
    backtest(panel, policy, start=panel.dates[20], rebalance=20, costs=None, seed=3)
    assert [c[3] for c in source.calls] == [17, 17, 17]
    # a law that never moves: what is left to trade is drift. With numbers of its own at every date it trades the
    # error of 200 scenarios, too
    bootstrap = BlockBootstrap.fit(panel.until(panel.dates[40]), block_length=5)
    free = partial(mean_variance, risk_aversion=50.0)
    traded = {}
    for own in (None, 17):
        policy = ScenarioPolicy(source=bootstrap, optimise=free, horizon=5, n_scenarios=200, seed=own)
        result = backtest(panel, policy, start=panel.dates[40], rebalance=10, costs=None)
        traded[own] = result.targets.diff().abs().sum(axis=1).iloc[1:].max()
    assert traded[17] == 0.0
    assert traded[None] > 0.05


def test_retrains_on_a_schedule_and_on_the_past_only(panel):
    fitted = []

    def fit(known):
        fitted.append(known)
        return Source(known.dates[-1])

    policy = ScenarioPolicy(fit=fit, optimise=_equal, horizon=2, n_scenarios=5, retrain="monthly", purge=3)
    backtest(panel, policy, start="2024-02-05", rebalance="weekly", costs=None)
    # training dates 1 February, 1 March and 1 April; three dates purged before each
    assert [str(p.dates[-1].date()) for p in fitted] == ["2024-01-29", "2024-02-27", "2024-03-27"]
    assert all(p.dates[0] == panel.dates[0] for p in fitted)
    # any decision alone uses the same training date as in the sequence
    alone = policy.training_date(_past(panel, 60))
    assert str(alone.date()) == "2024-03-01"


def test_a_fit_that_ignores_its_argument_is_refused(panel):
    policy = ScenarioPolicy(
        fit=lambda known: Source(panel.dates[-1]), optimise=_equal, horizon=2, n_scenarios=5, retrain=10
    )
    with pytest.raises(LookAheadError, match=r"the scenario source \(Source\) has seen data up to 2024-04-19"):
        backtest(panel, policy, start=panel.dates[30], rebalance=20, costs=None)


def test_future_trained_source_is_refused(panel):
    policy = ScenarioPolicy(source=Source(panel.dates[50]), optimise=_equal, horizon=2, n_scenarios=5)
    with pytest.raises(LookAheadError, match=r"policy.source \(Source\) has seen data up to 2024-03-11"):
        backtest(panel, policy, start=panel.dates[30], rebalance=20, costs=None)
    backtest(panel, policy, start=panel.dates[50], rebalance=20, costs=None)


def test_scenarios_of_a_later_date_are_refused(panel):
    source = Source(None, asof=panel.dates[70])
    policy = ScenarioPolicy(source=source, optimise=_equal, horizon=2, n_scenarios=5)
    with pytest.raises(LookAheadError, match=r"the scenario set \(ScenarioSet\) has seen data up to 2024-04-08"):
        backtest(panel, policy, start=panel.dates[30], rebalance=20, costs=None)


def test_a_baseline_is_a_source(panel):
    log = panel.to_kind("log")
    bootstrap = BlockBootstrap.fit(log.until(log.dates[40]), block_length=5)
    policy = ScenarioPolicy(source=bootstrap, optimise=optimise, horizon=5, n_scenarios=200)
    result = backtest(panel, policy, start=log.dates[40], rebalance=10, costs=LinearCost(0.001))
    again = backtest(log, policy, start=log.dates[40], rebalance=10, costs=LinearCost(0.001))
    assert (result.decisions["status"] == "optimal").all()
    # simple and log panels: the same history for the source up to rounding of the conversion
    np.testing.assert_allclose(result.targets, again.targets, atol=1e-9)


def test_assets_are_put_in_the_order_of_the_source(panel):
    source = Source(None)
    source.assets = ("A2", "A0", "A1")
    policy = ScenarioPolicy(source=source, optimise=_equal, horizon=2, n_scenarios=5)
    backtest(panel, policy, start=panel.dates[70], rebalance=20, costs=None)
    assert source.calls[0][2].assets == source.assets


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": None}, "exactly one of the two"),
        ({"fit": BlockBootstrap.fit}, "exactly one of the two"),
        ({"source": SimpleNamespace(sample=print)}, "a scenario source needs sample"),
        ({"source": BlockBootstrap}, "a scenario source needs sample"),
        ({"optimise": 3}, "optimise must be callable"),
        ({"source": None, "fit": 3}, "fit must be callable"),
        ({"horizon": 0}, "horizon must be a positive integer"),
        ({"n_scenarios": True}, "n_scenarios must be a positive integer"),
        ({"purge": -1}, "purge must be a non-negative integer"),
        ({"window": 0}, "window must be a positive integer"),
        ({"seed": -1}, "seed must be a non-negative integer"),
        ({"retrain": "anually"}, "rebalance must be one of"),
    ],
)
def test_scenario_policy_refusals(changes, message):
    arguments = {"source": Source(None), "optimise": _equal, "horizon": 2, "n_scenarios": 5} | changes
    with pytest.raises(ConfigError, match=message):
        ScenarioPolicy(**arguments)


def test_training_refusals(panel):
    settings = {"optimise": _equal, "horizon": 2, "n_scenarios": 5, "fit": lambda known: Source(None)}
    previous = pd.Series(0.0, index=list(panel.assets))
    with pytest.raises(DataError, match="nothing to train on at 2024-01-01: 1 dates less 1 purged"):
        ScenarioPolicy(**settings, purge=1).decide(_past(panel, 30), previous=previous, seed=0)
    with pytest.raises(DataError, match="no training date on or before the decision"):
        ScenarioPolicy(**settings, retrain=["2025-01-01"]).decide(_past(panel, 30), previous=previous, seed=0)
    policy = ScenarioPolicy(**settings, retrain=["2024-01-20", "2024-01-10"])
    assert str(policy.training_date(_past(panel, 30)).date()) == "2024-01-20"
    with pytest.raises(ConfigError, match="a scenario source needs sample"):
        ScenarioPolicy(**(settings | {"fit": lambda known: 3})).decide(_past(panel, 30), previous=previous, seed=0)


def test_historical_policy_refusals():
    for changes, message in [
        ({"horizon": 0}, "horizon must be a positive integer"),
        ({"window": 1}, "window must be an integer of at least 2"),
        ({"estimate": 3}, "estimate must be callable"),
        ({"optimise": 3}, "optimise must be callable"),
    ]:
        with pytest.raises(ConfigError, match=message):
            HistoricalMomentsPolicy(**({"optimise": optimise, "horizon": 5} | changes))
