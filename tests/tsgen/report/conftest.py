"""A small report whose names try to break out of it."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from portfolio import equal_weight, historical_moments, realised_performance, scenario_moments
from tsgen.marketdata import ReturnPanel
from tsgen.networks.head_shape import HeadShape
from tsgen.report import Policy, RunReport
from tsgen.scenario_set import ScenarioSet

SHAPE = HeadShape(
    n_assets=2,
    n_features=0,
    context="none",
    lookback=0,
    width=8,
    n_blocks=1,
    activation="silu",
    n_components=0,
    learned=False,
)
HOSTILE = ("</script><script>alert(1)</script>", "<img src=x onerror=alert(2)>", "A&B \"quoted\" 'name'")


def build_report(assets=("A", "B", "C"), *, horizon=5, n=200, test=True, probabilities=None, policies=None):
    rng = np.random.default_rng(1)
    days = pd.bdate_range("2020-01-01", periods=160)
    rows = rng.normal(0.0003, 0.01, size=(160, len(assets)))
    panel = ReturnPanel(pd.DataFrame(rows, index=days, columns=list(assets)), kind="log", source="made up")
    train, later = panel.split(days[119])
    scenarios = ScenarioSet(
        returns=rng.normal(0, 0.01, size=(n, horizon, len(assets))),
        assets=assets,
        kind="log",
        probabilities=probabilities,
    )
    chosen = equal_weight(assets)
    floor = {"candidate": "standard normal anchor", "loss": 0.9, "difference": 0.0, "standard_error": 0.0}
    tried = {"candidate": "network", "loss": 0.8, "difference": -0.1, "standard_error": 0.01}
    comparisons = [floor | {"accepted": True, "steps": 0}, tried | {"accepted": False, "steps": 300}]
    # the report reads four facts of a generator; the real one is covered by the tests of the pipeline
    generator = SimpleNamespace(
        record=SimpleNamespace(comparisons=comparisons),
        config=SimpleNamespace(head=SimpleNamespace(acceptance=2.0, anchor_is_floor=True)),
        whitening=SimpleNamespace(kind="volatility"),
        head=SimpleNamespace(anchor=None, shape=SHAPE),
    )
    realised = realised_performance(later, chosen, replications=20) if test else None
    return RunReport(
        title=f"Test of {assets[0]}",
        train=train,
        test=later if test else None,
        scenarios=scenarios,
        generator=generator,
        policies=policies or (Policy(name="equal weight", basis="1/N", allocation=chosen, realised=realised),),
        views={"scenarios": scenario_moments(scenarios), "history": historical_moments(train, horizon=horizon)},
        limits=("Made up data.",),
        facts={"Data": {"file": assets[0]}},
    )


@pytest.fixture
def report():
    return build_report()


@pytest.fixture
def hostile():
    return build_report(HOSTILE)


@pytest.fixture
def make_report():
    return build_report
