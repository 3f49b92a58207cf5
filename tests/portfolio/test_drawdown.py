"""Drawdown measures: given paths by hand, order of paths, and joined paths as the mistake."""

import numpy as np
import pytest

from portfolio.drawdown import (
    AverageDrawdown,
    ConditionalDrawdownAtRisk,
    MaximumDrawdown,
    MaximumDrawdownCVaR,
    drawdowns,
)
from portfolio.risk_measures import evaluate_risk
from portfolio.tail_risk import conditional_value_at_risk
from tsgen.errors import ConfigError, ShapeError
from tsgen.scenario_set import ScenarioSet

MEASURES = [AverageDrawdown(), ConditionalDrawdownAtRisk(0.8), MaximumDrawdownCVaR(0.8), MaximumDrawdown()]


def test_given_paths_by_hand():
    wealth = np.array([[0.9, 1.2, 0.9, 1.1], [1.1, 1.0, 1.3, 1.3]])
    np.testing.assert_allclose(drawdowns(wealth), [[0.1, 0.0, 0.3, 0.1], [0.0, 0.1, 0.0, 0.0]], atol=1e-15)
    np.testing.assert_allclose(drawdowns(wealth, relative=True)[0], [0.1, 0.0, 0.25, 0.1 / 1.2], atol=1e-15)
    p = np.array([0.25, 0.75])
    values = {
        AverageDrawdown(): 0.25 * 0.5 / 4 + 0.75 * 0.1 / 4,
        # worst 10 % of time and paths: 1/16 at 0.3, the remaining 0.0375 at 0.1
        ConditionalDrawdownAtRisk(0.9): (0.0625 * 0.3 + 0.0375 * 0.1) / 0.1,
        # worst half of the paths: 0.25 at 0.3, 0.25 at 0.1
        MaximumDrawdownCVaR(0.5): 0.2,
        MaximumDrawdown(): 0.3,
    }
    for measure, expected in values.items():
        assert measure.of_wealth(wealth, p) == pytest.approx(expected, rel=1e-13), measure


def test_impossible_paths_have_no_maximum():
    wealth = np.array([[0.1], [0.9]])
    assert MaximumDrawdown().of_wealth(wealth, np.array([0.0, 1.0])) == pytest.approx(0.1)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_order_of_paths_does_not_matter_but_joining_them_does(measure):
    rng = np.random.default_rng(0)
    returns = rng.normal(0.0, 0.03, (30, 6, 3))
    p = rng.dirichlet(np.ones(30))
    w, order = [0.5, 0.3, 0.2], rng.permutation(30)
    a, b = (
        evaluate_risk(w, ScenarioSet(r, list("ABC"), "simple", q), measure, wealth="rebalanced")
        for r, q in ((returns, p), (returns[order], p[order]))
    )
    assert a == pytest.approx(b, rel=1e-12)

    # variant that must fail: one long path of all scenarios, as when a matrix is read as a time series
    def joined(r):
        long = ScenarioSet(np.stack([r.reshape(1, -1, 3)[0]] * 2), list("ABC"), "simple")
        return evaluate_risk(w, long, measure, wealth="rebalanced")

    assert joined(returns) != pytest.approx(joined(returns[order]), rel=1e-3)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_one_period_drawdown_is_the_loss_from_the_start(measure):
    rng = np.random.default_rng(1)
    s = ScenarioSet(rng.normal(0, 0.05, (40, 1, 2)), ["A", "B"], "simple")
    losses = np.maximum(-s.horizon_returns() @ [0.4, 0.6], 0.0)
    expected = {
        AverageDrawdown: losses.mean(),
        MaximumDrawdown: losses.max(),
    }.get(type(measure), conditional_value_at_risk(losses, level=0.8))
    assert evaluate_risk([0.4, 0.6], s, measure) == pytest.approx(expected, rel=1e-12)


def test_refusals():
    with pytest.raises(ShapeError, match=r"wealth must have axes \(scenario, time\): got shape \(2,\)"):
        drawdowns([1.0, 2.0])
    for measure in (ConditionalDrawdownAtRisk, MaximumDrawdownCVaR):
        with pytest.raises(ConfigError, match="level must lie strictly between 0 and 1"):
            measure(1.0)
