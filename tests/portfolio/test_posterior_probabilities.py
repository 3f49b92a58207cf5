"""Posterior probabilities reach every risk measure and every optimiser.

Exact oracle: scenarios with probabilities that are multiples of 1/m are the same law as a set in which each scenario
is repeated that many times; a user of probabilities cannot tell them apart, one who drops them gives another answer.
"""

import numpy as np
import pytest

import portfolio
import tsgen
from tsgen.reweighting import EventProbabilityView, MeanView, TerminalLoss

ASSETS, N = ("A", "B", "C"), 60


def scenarios(periods=3):
    rng = np.random.default_rng(4)
    common = rng.standard_t(5, (N, periods, 1))
    x = 0.002 + 0.02 * (0.5 * common + rng.standard_t(5, (N, periods, 3)) * np.array([0.6, 1.0, 1.4]))
    return tsgen.ScenarioSet(np.maximum(x, -0.4), assets=ASSETS, kind="simple")


def pooled():
    """Half of the probability on the scenarios in which C loses: exactly two values of the probabilities."""
    s = scenarios()
    event = TerminalLoss(of="C", loss=0.0)
    losing = int(event(s).sum())
    # three times as likely as the others, each
    target = 3 * losing / (3 * losing + N - losing)
    posterior = tsgen.entropy_pooling(s, [EventProbabilityView(event=event, target=target)])
    counts = np.where(event(s), 3, 1)
    np.testing.assert_allclose(posterior.weights, counts / counts.sum(), atol=1e-12)
    repeated = tsgen.ScenarioSet(np.repeat(s.returns, counts, axis=0), assets=ASSETS, kind="simple")
    return s, posterior, repeated


MEASURES = {
    "variance": portfolio.Variance(),
    "volatility": portfolio.Volatility(),
    "CVaR": portfolio.ConditionalValueAtRisk(level=0.9),
    "EVaR": portfolio.EntropicValueAtRisk(level=0.9),
    "average drawdown": portfolio.AverageDrawdown(),
    "maximum drawdown": portfolio.MaximumDrawdown(),
    "CDaR": portfolio.ConditionalDrawdownAtRisk(level=0.9),
    "CVaR of the maximum drawdown": portfolio.MaximumDrawdownCVaR(level=0.9),
}


@pytest.mark.parametrize("name", MEASURES)
def test_every_risk_measure_uses_them(name):
    prior, posterior, repeated = pooled()
    weights = {"A": 0.2, "B": 0.3, "C": 0.5}
    before, after, truth = (
        portfolio.evaluate_risk(weights, s, measure=MEASURES[name]) for s in (prior, posterior, repeated)
    )
    assert after == pytest.approx(truth, rel=1e-6)
    # thrown-away probabilities would be noticed; the maximum over all possible scenarios does not depend on them
    assert name == "maximum drawdown" or after != pytest.approx(before, rel=1e-3)


OPTIMISERS = {
    "mean_variance": lambda s: portfolio.mean_variance(s, risk_aversion=8.0),
    "mean_cvar": lambda s: portfolio.mean_cvar(s, risk_aversion=1.0, level=0.9),
    "mean_drawdown": lambda s: portfolio.mean_drawdown(
        s, risk_aversion=1.0, measure=portfolio.ConditionalDrawdownAtRisk(level=0.9)
    ),
    "mean_evar": lambda s: portfolio.mean_evar(s, risk_aversion=1.0, level=0.9),
    "minimum_variance": portfolio.minimum_variance,
    "maximum_sharpe": portfolio.maximum_sharpe,
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_uses_them(name):
    prior, posterior, repeated = pooled()
    before, after, truth = (OPTIMISERS[name](s) for s in (prior, posterior, repeated))
    assert after.objective == pytest.approx(truth.objective, rel=1e-5, abs=1e-8)
    np.testing.assert_allclose(after.weights, truth.weights, atol=2e-3)
    # dropping them would be noticed
    assert after.objective != pytest.approx(before.objective, rel=1e-2)
    assert np.abs(after.weights - before.weights).max() > 3e-3


def test_the_frontier_uses_them():
    prior, posterior, repeated = pooled()
    risks = [
        portfolio.efficient_frontier(s, n_points=4).points["risk"].to_numpy() for s in (prior, posterior, repeated)
    ]
    np.testing.assert_allclose(risks[1], risks[2], rtol=1e-4)
    assert np.abs(risks[1] / risks[0] - 1.0).max() > 0.01


def test_they_survive_a_file_and_a_second_pooling(tmp_path):
    _, posterior, _ = pooled()
    posterior.save(tmp_path / "posterior.parquet")
    loaded = tsgen.ScenarioSet.load(tmp_path / "posterior.parquet")
    np.testing.assert_array_equal(loaded.weights, posterior.weights)
    # the posterior is the prior of the next pooling: its own mean costs nothing
    mean = MeanView(of="A", target=0.0).value(loaded)
    again = tsgen.entropy_pooling(loaded, [MeanView(of="A", target=mean)])
    np.testing.assert_allclose(again.weights, posterior.weights, atol=1e-12)
