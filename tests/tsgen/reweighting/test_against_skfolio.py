"""Agreement with an established library, where it is defined. Its solver stops at 1e-8 on features of unit norm."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from skfolio.prior import EntropyPooling

from tsgen.reweighting import (
    CorrelationView,
    CVaRView,
    KurtosisView,
    MeanView,
    SkewView,
    VarianceView,
    VaRView,
    entropy_pooling_report,
)
from tsgen.scenario_set import ScenarioSet

rng = np.random.default_rng(11)
COMMON = rng.standard_t(6, (2000, 1))
RETURNS = 0.01 * (0.7 * COMMON + 0.7 * rng.standard_t(6, (2000, 3))) + 0.0003


def ours(views):
    return entropy_pooling_report(ScenarioSet(RETURNS[:, None, :], assets=["A", "B", "C"], kind="simple"), views)


def theirs(**views):
    return EntropyPooling(**views).fit(pd.DataFrame(RETURNS, columns=["A", "B", "C"]))


def missed_by_theirs(views, weights):
    """How far probabilities are from equality views on moments: the other library stops early on some processors."""
    s = ScenarioSet(RETURNS[:, None, :], assets=["A", "B", "C"], kind="simple").with_probabilities(weights)
    return max((abs(v.value(s) - v.target) for v in views if _is_moment(v)), default=0.0)


def _is_moment(view):
    return view.relation == "==" and not isinstance(view, VaRView)  # a quantile of a sample jumps


def assert_same(views, other):
    report, r = ours(views), other.return_distribution_.sample_weight
    q = report.posterior.weights
    assert missed_by_theirs(views, q) < 1e-8
    # a view missed by x costs x times its price in divergence, and the prices here are below one
    allowed = 1e-6 + missed_by_theirs(views, r)
    assert report.divergence == pytest.approx(other.relative_entropy_, abs=allowed)
    assert np.abs(q - r).sum() / 2 < allowed  # total variation: no probability of any event differs by more
    assert np.abs(q @ RETURNS - r @ RETURNS).max() < 1e-6 * RETURNS.std()


CASES = {
    "means, a ranking and an inequality": (
        [
            MeanView(of="A", target=0.003),
            MeanView(of={"B": 1.0, "C": -1.0}, target=0.0, relation=">="),
            MeanView(of="C", target=0.0001, relation="<="),
        ],
        {"mean_views": ["A == 0.003", "B >= C", "C <= 0.0001"]},
    ),
    "mean and variances": (
        [
            MeanView(of="A", target=0.001),
            VarianceView(of="A", target=1.5e-4),
            VarianceView(of="B", target=1.2e-4, relation="<="),
        ],
        {"mean_views": ["A == 0.001"], "variance_views": ["A == 0.00015", "B <= 0.00012"]},
    ),
    "all stages": (
        [
            MeanView(of="A", target=0.001),
            VarianceView(of="B", target=1.6e-4),
            SkewView(of="C", target=-0.3),
            KurtosisView(of="A", target=4.5),
            CorrelationView(between=("A", "B"), target=0.2),
        ],
        {
            "mean_views": ["A == 0.001"],
            "variance_views": ["B == 0.00016"],
            "skew_views": ["C == -0.3"],
            "kurtosis_views": ["A == 4.5"],
            "correlation_views": ["(A,B) == 0.2"],
        },
    ),
    "value at risk": (
        [VaRView(of="A", target=0.025), VaRView(of="B", target=0.018, relation=">=")],
        {"value_at_risk_views": ["A == 0.025", "B >= 0.018"]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_same_posterior(case):
    views, texts = CASES[case]
    assert_same(views, theirs(**texts))


def cvar_pair(ratio):
    s = ScenarioSet(RETURNS[:, None, :], assets=["A", "B", "C"], kind="simple")
    target = ratio * CVaRView(of="A", target=0.0).value(s)
    # theirs searches the quantile to 1e-4 in the unit of the returns: in per cent that is accurate enough
    percent = pd.DataFrame(100 * RETURNS, columns=["A", "B", "C"])
    other = EntropyPooling(cvar_views=[f"A == {100 * target!r}"]).fit(percent)
    return target, ours([CVaRView(of="A", target=target)]).divergence, other.relative_entropy_


@pytest.mark.parametrize("ratio", [1.1, 1.4, 0.9, 0.7])
def test_same_divergence_with_a_cvar(ratio):
    _, divergence, other = cvar_pair(ratio)
    assert divergence == pytest.approx(other, abs=1e-6)


def test_a_strongly_lowered_cvar_finds_the_deeper_of_two_valleys():
    target, divergence, other = cvar_pair(0.5)
    # theirs follows one root of the optimality condition and stops in the valley beside
    assert divergence < other - 1e-6
    assert divergence == pytest.approx(other, abs=3e-6)
    losses = np.sort(-RETURNS[:, 0])
    each = []
    for eta in losses[(losses > 0.3 * target) & (losses < 0.95 * target)]:
        excess, goal = np.maximum(losses - eta, 0) / 0.05, target - eta
        pull = brentq(lambda m, x=excess, g=goal: np.exp(m * x) @ (x - g), -1e4, 1e2, xtol=1e-12)
        each.append(pull * goal - np.log(np.exp(pull * excess).mean()))
    assert divergence == pytest.approx(min(each), rel=1e-6)


def test_a_different_view_would_be_noticed():
    with pytest.raises(AssertionError):
        assert_same([MeanView(of="A", target=0.00301)], theirs(mean_views=["A == 0.003"]))
