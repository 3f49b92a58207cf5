"""Drawdown of scenario paths against the usual way, paths joined to one series: order, and out of sample."""

import numpy as np
import pytest

from portfolio.drawdown import ConditionalDrawdownAtRisk, drawdowns
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


def _influence(weights, fresh):
    """CDaR on fresh paths and what each of them adds to it; their mean is the CDaR."""
    depth = drawdowns(1.0 + np.cumsum(fresh @ weights, axis=1))
    quantile = np.quantile(depth, MEASURE.level)
    return quantile + np.maximum(depth - quantile, 0.0).mean(axis=1) / (1.0 - MEASURE.level)


def _per_path(returns):
    return minimum_risk(ScenarioSet(returns, NAMES, "simple"), measure=MEASURE, wealth="rebalanced", engine="direct")


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_paths_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    returns = _paths(rng, PATHS)
    own = [_per_path(returns[order]) for order in (np.arange(PATHS), *(rng.permutation(PATHS) for _ in range(6)))]
    for other in own[1:]:
        # sums over 200 paths in another order
        assert other.objective == pytest.approx(own[0].objective, rel=1e-12)
        np.testing.assert_allclose(other.weights, own[0].weights, atol=1e-10)
    # the joined series is another problem for every order
    joined = [_joined(returns[rng.permutation(PATHS)]).weights for _ in range(2)]
    assert np.abs(joined[0] - joined[1]).max() > 1e-3


# Out of sample the two are estimates from the same 200 paths. With 20,000 fresh paths, three laws (this one; Gaussian
# without memory; volatility of its own per path) and 16 samples of each, six orders per sample: the joined series is
# worse by 6.7 (0.7), 4.8 (0.4) and 5.3 (0.6) % on average (standard errors over samples), worse than the per-path
# answer in 272 of 288 cases, and in each of the 48 samples on average over its orders, by at least 1.9 %. Thirteen
# orders are better by more than two paired errors, the luckiest by 2.6 %: real, and luck of the sample. The optimum
# of 200 paths is itself 1.5 to 4 % above that of the law, and an order can happen to end nearer to it.
@pytest.mark.slow
def test_out_of_sample_no_order_of_the_joined_series_is_better():
    samples, n_orders = 8, 6
    gaps, errors = np.empty((samples, n_orders)), np.empty((samples, n_orders))
    for seed in range(samples):
        rng = np.random.default_rng([100, seed])
        returns, fresh = _paths(rng, PATHS), _paths(rng, 10_000)
        ours = _influence(_per_path(returns).weights.to_numpy(), fresh)
        for k in range(n_orders):
            theirs = _influence(_joined(returns[rng.permutation(PATHS)]).weights.to_numpy(), fresh)
            gaps[seed, k] = theirs.mean() / ours.mean() - 1.0
            errors[seed, k] = (theirs - ours).std(ddof=1) / np.sqrt(len(fresh)) / ours.mean()
    by_sample = gaps.mean(axis=1)
    # on average over samples: not in any of the six orders, and clearly not in all together
    assert (gaps.mean(axis=0) > 0.0).all(), gaps.mean(axis=0)
    assert by_sample.mean() > 3.0 * by_sample.std(ddof=1) / np.sqrt(samples), by_sample
    # for every sample: better than an order drawn at random, and no order is better by much
    assert (by_sample > 0.0).all(), by_sample
    assert (gaps > -0.04).all(), gaps.min()
    assert (gaps < -2.0 * errors).mean() <= 0.15, gaps


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
