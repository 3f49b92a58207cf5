"""Uncertain moments: the worst case found by the optimiser is the worst case; shrinkage by hand."""

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest

from portfolio.constraints import Bounds
from portfolio.mean_variance import mean_variance
from portfolio.moments import HorizonMoments
from portfolio.risk_constraints import RiskBudget
from portfolio.risk_measures import Volatility
from portfolio.robust import CovarianceBox, MeanEllipsoid
from portfolio.shrinkage import ledoit_wolf_intensity, shrunk_moments
from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata import ReturnPanel

A = ("A", "B", "C")


@pytest.fixture
def moments():
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(30, 3)) * [0.2, 0.1, 0.15]
    return HorizonMoments(
        mean=np.array([0.05, 0.03, 0.04]),
        covariance=np.cov(rows.T),
        assets=A,
        horizon=1,
        mean_standard_error=np.array([0.04, 0.01, 0.02]),
    )


def test_ellipsoid_is_a_saddle_point(moments):
    a = mean_variance(moments, risk_aversion=2.0, constraints=[Bounds(-1, 1)], robust=[MeanEllipsoid(1.5)])
    w = a.weights.to_numpy()
    shape = np.diag(moments.mean_standard_error**2)
    worst = moments.mean - 1.5 * shape @ w / np.sqrt(w @ shape @ w)
    assert a.diagnostics["worst_case_loss"] == pytest.approx((moments.mean - worst) @ w, rel=1e-10)
    # against the worst mean the same weights are optimal without any uncertainty
    nominal = HorizonMoments(mean=worst, covariance=moments.covariance, assets=A, horizon=1)
    b = mean_variance(nominal, risk_aversion=2.0, constraints=[Bounds(-1, 1)])
    assert a.objective == pytest.approx(b.objective, abs=1e-9)
    np.testing.assert_allclose(a.weights, b.weights, atol=1e-4)
    given = mean_variance(moments, risk_aversion=2.0, constraints=[Bounds(-1, 1)], robust=[MeanEllipsoid(1.5, shape)])
    assert given.objective == pytest.approx(a.objective, abs=1e-9)
    nothing = mean_variance(moments, risk_aversion=2.0, robust=[MeanEllipsoid(0.0)])
    assert nothing.objective == pytest.approx(mean_variance(moments, risk_aversion=2.0).objective, abs=1e-10)


def _worst_variance(w, moments, width):
    """The primal: the largest w' Sigma w over the box, a semidefinite programme of its own."""
    sigma = cp.Variable((3, 3), PSD=True)
    limits = [cp.abs(sigma - moments.covariance) <= width]
    problem = cp.Problem(cp.Maximize(cp.sum(cp.multiply(np.outer(w, w), sigma))), limits)
    problem.solve(solver="CLARABEL")
    return problem.value


def test_box_value_is_that_of_the_worst_covariance(moments):
    width = 0.3 * np.sqrt(np.outer(np.diag(moments.covariance), np.diag(moments.covariance)))
    for box in (CovarianceBox(0.3), CovarianceBox(width)):
        a = mean_variance(moments, risk_aversion=3.0, constraints=[Bounds(-1, 1)], robust=[box])
        w = a.weights.to_numpy()
        expected = moments.mean @ w - 1.5 * _worst_variance(w, moments, width)
        assert a.objective == pytest.approx(expected, abs=1e-7)
        nominal = mean_variance(moments, risk_aversion=3.0, constraints=[Bounds(-1, 1)])
        other = nominal.weights.to_numpy()
        assert a.objective >= moments.mean @ other - 1.5 * _worst_variance(other, moments, width) - 1e-8
        # variant that must fail: nominal risk
        assert a.objective < nominal.objective - 1e-4


def test_long_only_worst_case_is_the_upper_corner(moments):
    # Tutuncu and Koenig (2004): no short positions and Sigma + Delta positive semi-definite
    width = np.diag(np.diag(moments.covariance)) * 0.5
    corner = HorizonMoments(mean=moments.mean, covariance=moments.covariance + width, assets=A, horizon=1)
    a = mean_variance(moments, risk_aversion=3.0, robust=[CovarianceBox(width)])
    assert a.objective == pytest.approx(mean_variance(corner, risk_aversion=3.0).objective, abs=1e-9)


def test_box_in_a_volatility_budget(moments):
    width = 0.3 * np.sqrt(np.outer(np.diag(moments.covariance), np.diag(moments.covariance)))
    a = mean_variance(
        moments, risk_aversion=0.01, constraints=[RiskBudget(Volatility(), 0.12)], robust=[CovarianceBox(0.3)]
    )
    assert _worst_variance(a.weights.to_numpy(), moments, width) == pytest.approx(0.12**2, rel=1e-6)


def test_shrinkage_targets_by_hand():
    covariance = np.array([[0.04, 0.012, 0.0], [0.012, 0.09, 0.018], [0.0, 0.018, 0.01]])
    m = HorizonMoments(mean=np.zeros(3), covariance=covariance, assets=A, horizon=1)
    average = np.mean([0.012 / 0.06, 0.0, 0.018 / 0.03])
    deviation = np.sqrt(np.diag(covariance))
    constant = average * np.outer(deviation, deviation)
    np.fill_diagonal(constant, np.diag(covariance))
    targets = {
        "scaled_identity": np.eye(3) * 0.14 / 3,
        "diagonal": np.diag([0.04, 0.09, 0.01]),
        "constant_correlation": constant,
    }
    for name, target in targets.items():
        shrunk = shrunk_moments(m, intensity=0.25, target=name)  # pyright: ignore[reportArgumentType]
        np.testing.assert_allclose(shrunk.covariance, 0.75 * covariance + 0.25 * target, atol=1e-15)
        assert np.array_equal(shrunk_moments(m, intensity=0.0, target=name).covariance, covariance)  # pyright: ignore[reportArgumentType]


def test_ledoit_wolf_intensity_is_that_of_scikit_learn():
    from sklearn.covariance import ledoit_wolf

    rows = np.random.default_rng(0).normal(size=(40, 5)) * 0.01
    panel = ReturnPanel(pd.DataFrame(rows, index=pd.bdate_range("2020-01-01", periods=40)), kind="simple")
    expected, intensity = ledoit_wolf(rows)
    assert ledoit_wolf_intensity(panel) == pytest.approx(intensity, rel=1e-12)
    sample = np.cov(rows.T, ddof=0)
    m = HorizonMoments(mean=np.zeros(5), covariance=sample, assets=tuple("ABCDE"), horizon=1)
    np.testing.assert_allclose(shrunk_moments(m, intensity=intensity).covariance, expected, rtol=1e-10)


def test_refusals(moments):
    bare = HorizonMoments(mean=moments.mean, covariance=moments.covariance, assets=A, horizon=1)
    with pytest.raises(ConfigError, match="radius must not be negative"):
        MeanEllipsoid(-1)
    with pytest.raises(ConfigError, match="the moments carry no mean_standard_error"):
        mean_variance(bare, risk_aversion=1, robust=[MeanEllipsoid(1)])
    with pytest.raises(ShapeError, match=r"covariance must have shape \(3, 3\)"):
        mean_variance(bare, risk_aversion=1, robust=[MeanEllipsoid(1, np.eye(2))])
    with pytest.raises(ConfigError, match="half_width must not be negative"):
        CovarianceBox(-0.1)
    with pytest.raises(DataError, match="half_width must be a symmetric matrix"):
        CovarianceBox(np.array([[1.0, 2.0], [0.0, 1.0]]))
    with pytest.raises(ShapeError, match="half_width must have one row and column per asset"):
        mean_variance(bare, risk_aversion=1, robust=[CovarianceBox(np.eye(2))])
    for robust in ([MeanEllipsoid(1), MeanEllipsoid(2)], ["box"], 3):
        with pytest.raises(ConfigError, match="robust must hold at most one MeanEllipsoid and one CovarianceBox"):
            mean_variance(moments, risk_aversion=1, robust=robust)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="intensity must lie between 0 and 1"):
        shrunk_moments(moments, intensity=1.1)
    with pytest.raises(ConfigError, match=r"target must be one of 'scaled_identity', .*: got 'identity'"):
        shrunk_moments(moments, intensity=0.5, target="identity")  # pyright: ignore[reportArgumentType]
