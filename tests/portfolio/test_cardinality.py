"""Limits on the number of assets: the same optimum as trying every subset."""

import itertools

import numpy as np
import pytest

from portfolio.cardinality import Cardinality
from portfolio.constraints import Bounds
from portfolio.costs import LinearCost, QuadraticCost, ThreeHalvesCost, TotalCost
from portfolio.errors import InfeasibleError
from portfolio.mean_cvar import mean_cvar
from portfolio.mean_drawdown import mean_drawdown
from portfolio.mean_evar import mean_evar
from portfolio.mean_variance import mean_variance
from portfolio.risk_constraints import TrackingErrorLimit
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet

A = [f"A{i}" for i in range(4)]


@pytest.fixture(scope="module")
def scenarios():
    rng = np.random.default_rng(11)
    returns = rng.normal(0.0, 0.03, (20, 2, 4))
    p = rng.dirichlet(np.full(20, 3.0))
    # no asset earns more than another, so that spreading always pays
    return ScenarioSet(returns - p @ returns.mean(axis=1), A, "simple", p)


COSTS = TotalCost((LinearCost(0.001), QuadraticCost(0.01), ThreeHalvesCost(0.01)))
PROBLEMS = {
    "variance": lambda s, limits: mean_variance(s, risk_aversion=8, constraints=limits),
    "variance, costs": lambda s, limits: mean_variance(
        s, risk_aversion=8, constraints=limits, costs=COSTS, previous=np.full(4, 0.25)
    ),
    "tracking": lambda s, limits: mean_variance(
        s, risk_aversion=1, constraints=[*limits, TrackingErrorLimit(dict.fromkeys(A, 0.25), 0.04)]
    ),
    "cvar": lambda s, limits: mean_cvar(s, risk_aversion=1, level=0.8, constraints=limits),
    "evar": lambda s, limits: mean_evar(s, risk_aversion=1, level=0.8, constraints=limits),
    "drawdown": lambda s, limits: mean_drawdown(s, risk_aversion=1, constraints=limits),
}


SLOW = ("variance", "tracking", "drawdown")


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in PROBLEMS])
def test_same_optimum_as_every_pair(scenarios, name):
    solve = PROBLEMS[name]
    a = solve(scenarios, [Cardinality(2), Bounds(0, 0.9)])
    best = -np.inf
    for pair in itertools.combinations(range(4), 2):
        upper = {asset: 0.9 * (i in pair) for i, asset in enumerate(A)}
        try:
            best = max(best, solve(scenarios, [Bounds(0, upper)]).objective)
        except InfeasibleError:
            continue
    # both ends of the search meet to 1e-7 of an objective of order one after scaling by about 20
    assert a.objective == pytest.approx(best, abs=1e-8)
    assert (a.weights.abs() > 1e-7).sum() <= 2
    assert a.status == "optimal"
    # variant that must fail: no limit
    assert solve(scenarios, [Bounds(0, 0.9)]).objective > best + 1e-6


def test_short_positions_count_too(scenarios):
    apart = ScenarioSet(scenarios.returns + np.array([0.01, 0.0, 0.0, -0.01]), A, "simple", scenarios.probabilities)
    a = mean_variance(apart, risk_aversion=4, constraints=[Cardinality(2), Bounds(-1, 1.5)])
    assert (a.weights.abs() > 1e-7).sum() <= 2
    assert a.weights["A3"] < -1e-3
    assert mean_variance(apart, risk_aversion=4, constraints=[Bounds(-1, 1.5)]).objective > a.objective + 1e-6


def test_conflict_names_cardinality_and_bounds(scenarios):
    with pytest.raises(InfeasibleError) as caught:
        mean_cvar(scenarios, risk_aversion=1, constraints=[Cardinality(2), Bounds(0, 0.4)])
    assert set(caught.value.conflict) == {"Cardinality 2", "Bounds upper 0.4", "Budget total 1 (default)"}


def test_refusals(scenarios):
    for value in (0, 2.5, True, "3"):
        with pytest.raises(ConfigError, match="maximum number of assets must be a positive integer"):
            Cardinality(value)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="needs finite Bounds on every asset"):
        mean_variance(scenarios, risk_aversion=1, constraints=[Cardinality(2), Bounds(0, np.inf)])
