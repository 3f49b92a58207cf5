"""Searches that look on fewer scenarios first must end where a search on all of them does."""

import numpy as np
import pytest
from scipy.optimize import brentq

from tsgen.reweighting import (
    CVaRView,
    EventProbabilityView,
    MeanView,
    TerminalLoss,
    VolatilityView,
    entropy_pooling_report,
)
from tsgen.reweighting.cvar_task import CVaRTask
from tsgen.reweighting.scenario_thinning import BODY_SIZE, TAIL_SIZE, WORTHWHILE, thinned
from tsgen.reweighting.subject import Outcomes
from tsgen.scenario_set import ScenarioSet

N = 30_000


def scenarios(seed=0, n=N, probabilities=None):
    rng = np.random.default_rng(seed)
    x = 0.02 * (rng.standard_t(4, (n, 1)) + rng.standard_t(5, (n, 3)))
    return ScenarioSet(x[:, None, :], assets=["A", "B", "C"], kind="simple", probabilities=probabilities)


def two_regimes(seed=0, n=N):
    """Calm and crash: the tail has a mode of its own, and lowering the CVaR two ways to do it."""
    rng = np.random.default_rng(seed)
    crash = rng.random(n) < 0.06
    x = np.where(crash, -0.25 + 0.01 * rng.standard_normal(n), 0.02 * rng.standard_normal(n))
    return ScenarioSet(x[:, None, None], assets=["A"], kind="simple")


def now(s, of="A", level=0.95):
    return CVaRView(of=of, target=0.0, level=level).value(s)


def views_of(name, s):
    lower = CVaRView(of="A", target=0.75 * now(s), relation="<=")
    if name == "alone":
        return [lower]
    if name == "an extreme level":
        return [CVaRView(of="A", target=0.6 * now(s, level=0.999), level=0.999)]
    if name == "beside moments and an event":
        event = EventProbabilityView(event=TerminalLoss(of="C", loss=0.2), target=0.01)
        spread = VolatilityView(of="B", target=1.2 * VolatilityView(of="B", target=1.0).value(s))
        return [lower, MeanView(of="B", target=0.005), event, spread]
    if name == "beside a raised one":
        return [lower, CVaRView(of="B", target=1.2 * now(s, "B"), relation=">=")]
    return [lower, CVaRView(of="C", target=0.8 * now(s, "C"), relation="<=")]


@pytest.mark.parametrize(
    "name", ["alone", "an extreme level", "beside moments and an event", "beside a raised one", "two lowered"]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_same_law_as_a_search_on_all_scenarios(name, seed, monkeypatch):
    s = scenarios(seed)
    quick = entropy_pooling_report(s, views_of(name, s))
    monkeypatch.setattr("tsgen.reweighting.scenario_thinning.WORTHWHILE", 10 * N)
    thorough = entropy_pooling_report(s, views_of(name, s))
    # thirty scenarios in the tail leave valleys side by side that differ in the sixth digit: either may miss the best
    few_in_tail = name == "an extreme level"
    assert quick.divergence == pytest.approx(thorough.divergence, rel=2e-5 if few_in_tail else 1e-7)
    if not few_in_tail:
        assert np.abs(quick.posterior.weights - thorough.posterior.weights).sum() < 1e-4


@pytest.mark.parametrize("ratio", [0.3, 0.55, 0.75, 0.95])
@pytest.mark.parametrize("make", [scenarios, two_regimes])
def test_smallest_divergence_over_quantiles_by_brute_force(make, ratio):
    s = make()
    losses, target = -s.returns[:, 0, 0], ratio * now(s)
    report = entropy_pooling_report(s, [CVaRView(of="A", target=target)])
    each = []
    for eta in np.quantile(losses[losses < target], np.linspace(0.0, 1.0, 200)[:-1]):
        excess, goal = np.maximum(losses - eta, 0.0) / 0.05, target - eta

        def gap(pull, excess=excess, goal=goal):
            weights = np.exp(pull * excess)
            return weights @ excess / weights.sum() - goal

        if excess.mean() > goal and gap(-2e3) < 0:
            pull = brentq(gap, -2e3, 0.0, xtol=1e-10)
            each.append(pull * goal - np.log(np.exp(pull * excess).mean()))
    # the grid is coarser than the search: it can only be worse
    assert report.divergence <= min(each) * (1 + 1e-9)
    assert report.divergence == pytest.approx(min(each), rel=2e-2)
    assert now(report.posterior) == pytest.approx(target, rel=1e-8)


def test_an_event_too_rare_for_the_representatives_is_still_met():
    s = scenarios()
    worst = np.zeros(N, dtype=bool)
    # in the middle of the losses of A, where one scenario stands for many
    worst[np.argsort(s.returns[:, 0, 0])[N // 2 + np.array([5, 17])]] = True
    views = [CVaRView(of="A", target=0.8 * now(s)), EventProbabilityView(event=worst, target=0.2)]
    report = entropy_pooling_report(s, views)
    assert report.posterior.weights[worst].sum() == pytest.approx(0.2, abs=1e-8)
    assert now(report.posterior) == pytest.approx(0.8 * now(s), rel=1e-8)


def test_representatives_keep_the_tail_and_the_masses():
    rng = np.random.default_rng(5)
    weights = rng.exponential(size=N)
    weights[:100] = 0.0
    s = scenarios(probabilities=weights / weights.sum())
    task = CVaRTask.of(CVaRView(of="A", target=0.05), Outcomes(s))
    thin = thinned(s.weights, [task])
    assert thin is not None
    assert len(thin.kept) < BODY_SIZE + TAIL_SIZE + 10
    assert thin.kept.min() >= 100
    assert thin.prior.sum() == pytest.approx(1.0)
    small = thin.task(task)
    ours, theirs = small.tail(thin.prior), task.tail(s.weights)
    assert ours.expected_shortfall == pytest.approx(theirs.expected_shortfall, rel=0.02)
    # wrong variant: as many scenarios without their weights are far off
    naive = small.tail(np.full(len(thin.kept), 1 / len(thin.kept)))
    assert naive.expected_shortfall > 1.2 * theirs.expected_shortfall
    assert thinned(np.full(WORTHWHILE - 1, 1.0 / (WORTHWHILE - 1)), [task]) is None
    assert thinned(s.weights, []) is None
