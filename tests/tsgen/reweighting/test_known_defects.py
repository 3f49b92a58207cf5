"""Four limits of other implementations of entropy pooling, each with a case that must work here."""

import numpy as np
import pytest

import portfolio
from portfolio.moments import scenario_moments
from tsgen.reweighting import (
    CorrelationView,
    CVaRView,
    MeanView,
    VolatilityView,
    entropy_pooling,
    entropy_pooling_report,
)
from tsgen.scenario_set import ScenarioSet


def correlated(rho=-0.62, n=4000, scale=0.01):
    rng = np.random.default_rng(2)
    z = rng.standard_t(6, (n, 2))
    y = rho * z[:, 0] + np.sqrt(1 - rho**2) * z[:, 1]
    return ScenarioSet(scale * np.stack([z[:, 0], y], axis=1)[:, None, :], assets=["A", "B"], kind="simple")


@pytest.mark.parametrize("relation", ["==", "<="])
def test_negative_correlation_views_are_met(relation):
    s = correlated()
    prior = CorrelationView(between=("A", "B"), target=0.0).value(s)
    assert prior < -0.5
    for target in (-0.72, 1.2 * prior):
        posterior = entropy_pooling(s, [CorrelationView(between=("A", "B"), target=target, relation=relation)])
        x, q = posterior.returns[:, 0, :], posterior.weights
        # another program's weighted covariance
        assert np.corrcoef(x.T)[0, 1] == pytest.approx(prior)
        c = np.cov(x.T, aweights=q)
        assert c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]) == pytest.approx(target, abs=1e-8)


@pytest.mark.parametrize("scale", [1e-2, 1e-5, 1e-9])
@pytest.mark.parametrize("ratio", [0.7, 1.3])
def test_cvar_views_do_not_depend_on_the_size_of_returns(scale, ratio):
    results = []
    for size in (1.0, scale):
        s = correlated(scale=0.01 * size, n=1000)
        target = ratio * CVaRView(of="A", target=0.0).value(s)
        report = entropy_pooling_report(s, [CVaRView(of="A", target=target)])
        assert report.views.residual.abs().iloc[0] < 1e-8 * target
        results.append(report.divergence)
    assert results[0] == pytest.approx(results[1], rel=1e-6)


def test_cvar_views_may_be_inequalities():
    s = correlated(n=1000)
    now = CVaRView(of="A", target=0.0).value(s)
    up = entropy_pooling(s, [CVaRView(of="A", target=1.2 * now, relation=">=")])
    down = entropy_pooling(s, [CVaRView(of="A", target=0.8 * now, relation="<=")])
    assert CVaRView(of="A", target=0.0).value(up) == pytest.approx(1.2 * now, rel=1e-8)
    assert CVaRView(of="A", target=0.0).value(down) == pytest.approx(0.8 * now, rel=1e-8)


def test_posterior_probabilities_travel_into_moments_and_optimiser():
    s = correlated(rho=0.3)
    target = 1.5 * CVaRView(of="A", target=0.0).value(s)
    posterior = entropy_pooling(s, [CVaRView(of="A", target=target)])
    q, x = posterior.weights, s.horizon_returns()
    m = scenario_moments(posterior)
    np.testing.assert_allclose(m.mean, q @ x, atol=1e-15)
    np.testing.assert_allclose(m.covariance, np.cov(x.T, aweights=q, ddof=0), atol=1e-15)
    prior = portfolio.mean_variance(s, risk_aversion=5.0).weights
    after = portfolio.mean_variance(posterior, risk_aversion=5.0).weights
    # A has become riskier and is held less; thrown-away weights would leave the allocation as it was
    assert after["A"] < prior["A"] - 0.02
    # the tail itself travels, not only two moments
    assert CVaRView(of="A", target=0.0).value(posterior) == pytest.approx(target, rel=1e-8)


@pytest.mark.parametrize("seed", [290, 336])
def test_a_tail_of_few_scenarios_is_lowered_to_its_target(seed):
    """It is met to 1e-7 of the tail, which was taken for a wrong direction on one problem in a thousand."""
    rng = np.random.default_rng(seed)
    returns = np.tanh(rng.standard_normal((30, 2))) * 0.5
    prior = rng.dirichlet(np.ones(30))
    s = ScenarioSet(returns[:, None, :], assets=["A", "B"], kind="simple", probabilities=prior)
    mean_loss = -MeanView(of="A", target=0.0).value(s)
    now = CVaRView(of="A", target=0.0, level=0.92).value(s)
    spread = 0.98 * VolatilityView(of="B", target=1.0).value(s)
    target = mean_loss + 0.92 * (now - mean_loss)
    views = [CVaRView(of="A", target=target, level=0.92), VolatilityView(of="B", target=spread, relation="<=")]
    report = entropy_pooling_report(s, views)
    assert report.views["posterior"].iloc[0] == pytest.approx(target, rel=1e-6)
    assert report.views["posterior"].iloc[1] <= spread * (1 + 1e-6)
