"""Frames in the real libraries: the same optimum as ours, and no probability lost."""

import numpy as np
import pytest
from pypfopt import EfficientCVaR, EfficientFrontier

import portfolio
from portfolio.interop import pyportfolioopt_frames, riskfolio_frames
from tsgen.errors import ConfigError


@pytest.fixture
def equal(normal):
    return normal().sample(400, 5, seed=1)


@pytest.fixture
def weighted(equal):
    return equal.with_probabilities(np.random.default_rng(2).dirichlet(np.full(400, 0.5)))


def test_pyportfolioopt_finds_our_optimum_with_weighted_moments(weighted):
    frames = pyportfolioopt_frames(weighted, resample=400)
    frontier = EfficientFrontier(frames.expected_returns, frames.cov_matrix, solver="CLARABEL")
    theirs = frontier.max_quadratic_utility(risk_aversion=6.0)
    ours = portfolio.mean_variance(weighted, risk_aversion=6.0)
    mu, sigma = frames.expected_returns.to_numpy(), frames.cov_matrix.to_numpy()

    def utility(w):
        return w @ mu - 3.0 * w @ sigma @ w

    assert utility(np.array(list(theirs.values()))) == pytest.approx(utility(ours.weights.to_numpy()), rel=1e-6)
    assert list(theirs) == ["A", "B", "C"]


def test_pyportfolioopt_cvar_on_the_rows(equal):
    frames = pyportfolioopt_frames(equal)
    theirs = EfficientCVaR(frames.expected_returns, frames.returns, beta=0.9, solver="CLARABEL")
    weights = np.array(list(theirs.min_cvar().values()))
    ours = portfolio.mean_cvar(equal, risk_aversion=1e6, level=0.9).weights.to_numpy()

    def cvar(w):
        losses = np.sort(-(frames.returns.to_numpy() @ w))
        return losses[-40:].mean()

    assert cvar(weights) == pytest.approx(cvar(ours), rel=1e-5)


def test_riskfolio_takes_the_frames(equal):
    riskfolio = pytest.importorskip("riskfolio")
    frames = riskfolio_frames(equal)
    port = riskfolio.Portfolio(returns=frames.returns)
    port.mu, port.cov = frames.mu, frames.cov
    weights = port.optimization(model="Classic", rm="MV", obj="Utility", rf=0, l=3.0, hist=True)
    ours = portfolio.mean_variance(equal, risk_aversion=6.0)
    mu, sigma = frames.mu.to_numpy().ravel(), frames.cov.to_numpy()

    def utility(w):
        return w @ mu - 3.0 * w @ sigma @ w

    assert utility(weights["weights"].to_numpy()) == pytest.approx(utility(ours.weights.to_numpy()), rel=1e-6)
    assert weights.index.tolist() == ["A", "B", "C"]


def test_unequal_probabilities_are_not_thrown_away(weighted, equal):
    for frames in (pyportfolioopt_frames, riskfolio_frames):
        with pytest.raises(ConfigError, match="not equally likely"):
            frames(weighted)
        rows = frames(weighted, resample=20_000).returns
        x = np.exp(weighted.returns.sum(axis=1)) - 1
        # systematic resampling: every count is exact up to one row in 20,000, so means are, too
        np.testing.assert_allclose(rows.mean(), weighted.weights @ x, atol=400 * np.abs(x).max() / 20_000)
        assert len(frames(equal).returns) == 400
    again = pyportfolioopt_frames(weighted, resample=100, seed=1).returns
    assert again.equals(pyportfolioopt_frames(weighted, resample=100, seed=1).returns)
    assert not again.equals(pyportfolioopt_frames(weighted, resample=100, seed=2).returns)
    with pytest.raises(ConfigError, match="resample must be an integer of at least 2"):
        pyportfolioopt_frames(weighted, resample=1)


def test_the_horizon_is_compounded(equal):
    frames = pyportfolioopt_frames(equal, horizon=2)
    np.testing.assert_allclose(frames.returns, np.exp(equal.returns[:, :2].sum(axis=1)) - 1, atol=1e-14)
    np.testing.assert_allclose(frames.expected_returns, frames.returns.mean(), atol=1e-15)
