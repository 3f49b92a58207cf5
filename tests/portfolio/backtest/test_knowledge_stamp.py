"""Stamps are found wherever a policy may keep its generator, and compared with the decision date."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from portfolio.backtest import EqualWeightPolicy, FixedWeightsPolicy, backtest
from portfolio.backtest.knowledge_stamp import (
    TrainedComponent,
    held_objects,
    latest_knowledge,
    refuse_future_holdings,
    refuse_future_knowledge,
)
from tsgen.errors import LookAheadError
from tsgen.scenario_set import ScenarioSet

NOW, LATER = pd.Timestamp("2020-06-30"), pd.Timestamp("2020-07-01")
future = SimpleNamespace(training_cutoff=LATER)
present = SimpleNamespace(training_cutoff=NOW)


def _uses_global(past):
    return future


class _Holds:
    def __init__(self, generator):
        self.generator = generator

    def decide(self, past, *, previous, seed):
        return None


class _HasMethodWithGlobal:
    def decide(self, past, *, previous, seed):
        return future


class _Wraps:
    def __init__(self, inner):
        self.inner = inner

    def __call__(self, past):
        return None

    def rule(self, past):
        return self.inner


def _closing_over(generator):
    return lambda past: generator


@pytest.mark.parametrize(
    "policy",
    [
        _Holds(future),
        _Wraps(_Holds(future)),
        _Wraps(future).rule,
        _closing_over(future),
        _closing_over(_Holds(future)),
        partial(lambda past, model: model, model=future),
        partial(lambda model, past: model, future),
        _uses_global,
        _HasMethodWithGlobal(),
        lambda past, model=future: model,
        SimpleNamespace(decide=None, asof="2020-07-01"),
        SimpleNamespace(decide=None, asof=np.datetime64("2020-07-01")),
    ],
)
def test_finds_the_future_wherever_it_is_held(policy):
    with pytest.raises(LookAheadError, match=r"has seen data up to 2020-07-01 .*, after the decision of 2020-06-30"):
        refuse_future_holdings(policy, NOW)
    refuse_future_holdings(policy, LATER)


@pytest.mark.parametrize(
    "policy", [_Holds(present), _closing_over(present), EqualWeightPolicy(), FixedWeightsPolicy(weights={"A": 1.0})]
)
def test_what_is_known_in_time_is_accepted(policy):
    refuse_future_holdings(policy, NOW)


def test_a_dictionary_of_generators_by_date_is_the_policys_own_business():
    refuse_future_holdings(_Holds({2020: present, 2021: future}), NOW)


def test_scenarios_carry_their_stamp_and_that_of_their_maker():
    def scenarios(**fields):
        return ScenarioSet(returns=[[[0.01]]], assets=["A"], kind="simple", **fields)

    refuse_future_knowledge(scenarios(asof=NOW), NOW, what="it")
    refuse_future_knowledge(scenarios(), NOW, what="it")
    with pytest.raises(LookAheadError, match=r"it \(ScenarioSet\) has seen data up to 2020-07-01 \(asof\)"):
        refuse_future_knowledge(scenarios(asof=LATER), NOW, what="it")
    # conditioned in time, but by a generator that was trained later
    trained_later = scenarios(asof=NOW, provenance={"training_cutoff": LATER.isoformat()})
    with pytest.raises(LookAheadError, match=r"provenance\['training_cutoff'\]"):
        refuse_future_knowledge(trained_later, NOW, what="it")


def test_no_stamp_is_no_knowledge():
    assert latest_knowledge(object()) is None
    assert latest_knowledge(SimpleNamespace(asof="soon", training_cutoff=3)) is None
    assert isinstance(present, TrainedComponent)


def test_search_ends():
    loop = _Holds(None)
    loop.generator = loop
    deep = _Holds(_Holds(_Holds(_Holds(_Holds(future)))))
    assert len(list(held_objects(loop))) == 2  # itself and its decide method
    refuse_future_holdings(deep, NOW)  # documented depth


def test_a_backtest_refuses_such_a_policy(panel):
    late = SimpleNamespace(training_cutoff=panel.dates[40])
    with pytest.raises(LookAheadError, match="after the decision of 2024-01-15"):
        backtest(panel, _closing_over(late), start=panel.dates[10], rebalance=5, costs=None)
    result = backtest(panel, lambda past: None if late else {}, start=panel.dates[40], rebalance=5, costs=None)
    assert len(result.decisions) == 8
