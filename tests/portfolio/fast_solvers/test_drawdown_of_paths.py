"""Drawdown of scenario paths against the usual way, paths joined to one series: order, and out of sample."""

import numpy as np
import pytest

from portfolio.drawdown import ConditionalDrawdownAtRisk
from portfolio.risk_measures import evaluate_risk
from portfolio.risk_targets import minimum_risk
from tsgen.scenario_set import ScenarioSet

MEASURE = ConditionalDrawdownAtRisk(0.95)
PATHS, PERIODS, ASSETS = 200, 60, 8
NAMES = [f"A{i}" for i in range(ASSETS)]


def _paths(rng, n):
    """Persistent factor moves (drawdowns are built by trends) and heavy-tailed own noise; volatilities 1 to 2."""
    spread = np.linspace(1.0, 2.0, ASSETS)
    loadings = np.stack([np.linspace(0.2, 1.0, ASSETS), np.cos(np.arange(ASSETS))])
    shocks = rng.standard_t(5, (n, PERIODS, 2)) * 0.004
    factor = np.empty_like(shocks)
    factor[:, 0] = shocks[:, 0]
    for t in range(1, PERIODS):
        factor[:, t] = 0.3 * factor[:, t - 1] + shocks[:, t]
    own = rng.standard_t(5, (n, PERIODS, ASSETS)) * 0.006 * spread
    return factor @ loadings + own + 0.0003 * spread


def _joined(returns):
    # one long series as a path of its own; twice, because moments need two scenarios
    long = returns.reshape(1, -1, ASSETS)
    return minimum_risk(
        ScenarioSet(np.concatenate([long, long]), NAMES, "simple"),
        measure=MEASURE,
        wealth="rebalanced",
        engine="direct",
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_per_path_is_invariant_to_order_and_better_out_of_sample(seed):
    rng = np.random.default_rng(seed)
    returns = _paths(rng, PATHS)
    orders = [rng.permutation(PATHS) for _ in range(6)]
    own = [
        minimum_risk(ScenarioSet(returns[o], NAMES, "simple"), measure=MEASURE, wealth="rebalanced", engine="direct")
        for o in orders
    ]
    fresh = ScenarioSet(_paths(rng, 5000), NAMES, "simple")

    def out_of_sample(allocation):
        return evaluate_risk(allocation.weights, fresh, MEASURE, wealth="rebalanced")

    ours, joined = out_of_sample(own[0]), [_joined(returns[o]) for o in orders]
    for other in own[1:]:
        assert other.objective == pytest.approx(own[0].objective, rel=1e-8)
        np.testing.assert_allclose(other.weights, own[0].weights, atol=1e-5)
    # the usual way has another answer for every order
    spread = np.ptp([one.weights.to_numpy() for one in joined], axis=0).max()
    assert spread > 0.01
    theirs = [out_of_sample(one) for one in joined]
    # on paths that nobody has seen: better than the usual way on average, and no order beats it beyond luck. Over
    # eight samples of 200 paths, 44 of 48 orders were worse (up to 28 %), four better, by at most 0.9 %
    assert ours < np.mean(theirs), (ours, theirs)
    assert ours <= 1.02 * min(theirs), (ours, theirs)
    assert sum(ours <= one for one in theirs) >= 4, (ours, theirs)


def test_every_path_counts_with_its_probability():
    returns = _paths(np.random.default_rng(3), 30)
    copies = np.arange(30) % 3 + 1
    weighted = ScenarioSet(returns, NAMES, "simple", copies / copies.sum())
    repeated = ScenarioSet(np.repeat(returns, copies, axis=0), NAMES, "simple")
    a, b = (minimum_risk(s, measure=MEASURE, engine="direct") for s in (weighted, repeated))
    assert a.objective == pytest.approx(b.objective, rel=1e-8)
    # variant that must fail: probabilities ignored
    c = minimum_risk(ScenarioSet(returns, NAMES, "simple"), measure=MEASURE, engine="direct")
    assert abs(c.objective - b.objective) > 1e-4 * abs(b.objective)
