"""Functionals against hand-made paths, against re-weighting's events, and their refusals."""

import numpy as np
import pandas as pd
import pytest
import torch

from tsgen import ScenarioSet
from tsgen.errors import ConfigError, DataError
from tsgen.reweighting.path_events import gain_paths
from tsgen.steering import (
    BarrierHit,
    DrawdownBeyond,
    EventProbability,
    ExpectedShortfall,
    MaxDrawdown,
    PathMean,
    RealisedVolatility,
    TerminalLoss,
    TerminalReturn,
)
from tsgen.steering.functional_records import functional_from, functional_record
from tsgen.steering.portfolio_book import PortfolioBook

WEIGHTS = {"A": 0.3, "B": -0.2, "C": 0.5}  # 0.4 in cash


@pytest.fixture(scope="module", params=["simple", "log"])
def scenarios(request):
    rng = np.random.default_rng(0)
    return ScenarioSet(0.03 * rng.standard_normal((50, 7, 3)), assets=["A", "B", "C"], kind=request.param)


def by_hand(scenarios):
    """Wealth with its start, one path and one period at a time."""
    returns = np.expm1(scenarios.returns) if scenarios.kind == "log" else scenarios.returns
    wealth = np.ones((len(returns), 8))
    for s, path in enumerate(returns):
        held = np.array([0.3, -0.2, 0.5])
        for t, row in enumerate(path):
            held = held * (1 + row)
            wealth[s, t + 1] = 0.4 + held.sum()
    return wealth


def test_functionals_are_what_they_say(scenarios):
    wealth = by_hand(scenarios)
    np.testing.assert_allclose(TerminalReturn(WEIGHTS)(scenarios), wealth[:, -1] - 1, atol=1e-14)
    np.testing.assert_allclose(ExpectedShortfall(WEIGHTS)(scenarios), 1 - wealth[:, -1], atol=1e-14)
    steps = wealth[:, 1:] / wealth[:, :-1] - 1
    np.testing.assert_allclose(RealisedVolatility(WEIGHTS)(scenarios), np.sqrt((steps**2).mean(1)), atol=1e-14)
    fall = [max(1 - w[t] / w[: t + 1].max() for t in range(8)) for w in wealth]
    np.testing.assert_allclose(MaxDrawdown(WEIGHTS)(scenarios), fall, atol=1e-14)


def test_a_rebalanced_portfolio_would_be_told_apart(scenarios):
    held, rebalanced = TerminalReturn(WEIGHTS)(scenarios), scenarios.to_kind("simple").returns @ [0.3, -0.2, 0.5]
    assert np.abs(held - (np.prod(1 + rebalanced, axis=1) - 1)).max() > 1e-4


def test_events_and_gains_are_those_of_reweighting(scenarios):
    for event in (
        TerminalLoss(of=WEIGHTS, loss=0.02),
        BarrierHit(of="A", barrier=-0.05),
        DrawdownBeyond(of="B", depth=0.1),
    ):
        assert (EventProbability(event)(scenarios) == event(scenarios)).all()
    assert (TerminalReturn("A")(scenarios) == gain_paths(scenarios, "A")[:, -1]).all()


def test_weights_may_be_names_series_or_rows(scenarios):
    expected = TerminalReturn(WEIGHTS)(scenarios)
    for weights in (pd.Series(WEIGHTS), [0.3, -0.2, 0.5], np.array([0.3, -0.2, 0.5])):
        assert (TerminalReturn(weights)(scenarios) == expected).all()


def test_a_later_change_of_the_callers_weights_changes_nothing(scenarios):
    weights = dict(WEIGHTS)
    functional = TerminalReturn(weights)
    before = functional(scenarios)
    weights["A"] = 9.0
    assert (functional(scenarios) == before).all()


def test_path_mean_runs_torch(scenarios):
    got = PathMean(lambda r: r.amax(dim=(1, 2)))(scenarios)
    assert (got == scenarios.returns.max(axis=(1, 2))).all()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: TerminalReturn([]), ConfigError, "finite numbers in the order of the"),
        (lambda: TerminalReturn([np.nan]), ConfigError, "finite numbers in the order of the"),
        (lambda: TerminalReturn(object()), ConfigError, "weights must be an asset name"),
        (lambda: ExpectedShortfall("A", 95), ConfigError, "level must be"),
        (lambda: EventProbability("A"), ConfigError, "event must be a TerminalLoss"),
        (lambda: PathMean(3), ConfigError, "needs a torch function"),
    ],
)
def test_unusable_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_weights_that_do_not_fit_are_refused(scenarios):
    with pytest.raises(DataError, match="weights have 2 entries, the generator has 3"):
        TerminalReturn([0.5, 0.5])(scenarios)
    with pytest.raises(DataError, match=r"unknown assets \['Z'\]"):
        TerminalReturn("Z")(scenarios)
    with pytest.raises(DataError, match="all weights are zero"):
        PortfolioBook.of([TerminalReturn([0.0, 0.0])], ["A", "B"])


def test_a_path_mean_must_give_one_number_per_path(scenarios):
    with pytest.raises(DataError, match="must give a torch tensor"):
        PathMean(lambda r: 3.0)(scenarios)
    with pytest.raises(Exception, match="one number per scenario"):
        PathMean(lambda r: r)(scenarios)


@pytest.mark.parametrize(
    "functional",
    [
        TerminalReturn(WEIGHTS),
        RealisedVolatility("A"),
        MaxDrawdown([0.1, 0.2, 0.3]),
        ExpectedShortfall("B", 0.9),
        EventProbability(TerminalLoss(of=WEIGHTS, loss=0.1)),
        EventProbability(BarrierHit(of="A", barrier=0.2)),
        EventProbability(DrawdownBeyond(of="C", depth=0.05)),
    ],
)
def test_records_give_the_same_functional_back(functional, scenarios):
    again = functional_from(functional_record(functional))
    assert (again(scenarios) == functional(scenarios)).all()
    assert again.label == functional.label


def test_a_function_has_no_record():
    with pytest.raises(ConfigError, match="cannot be stored"):
        functional_record(PathMean(torch.sum))
