"""Exposure, leverage and per-asset trade limits: they bind, they are named, they refuse."""

import numpy as np
import pytest

from portfolio.constraints import Bounds, Budget
from portfolio.errors import InfeasibleError
from portfolio.exposure_constraints import AssetTurnoverLimit, FactorExposure, GrossLeverage, NetLeverage
from portfolio.mean_variance import mean_variance
from portfolio.moments import HorizonMoments
from tsgen.errors import ConfigError, DataError

A = ("A", "B", "C")
M = HorizonMoments(mean=np.array([0.03, 0.01, -0.02]), covariance=np.diag([0.04, 0.03, 0.05]), assets=A, horizon=1)
FREE = Bounds(-5, 5)


def _weights(*constraints, previous=None):
    return mean_variance(M, risk_aversion=0.5, constraints=constraints, previous=previous).weights.to_numpy()


def test_factor_exposure_is_kept():
    loadings = np.array([1.3, 0.9, 0.4])
    limit = FactorExposure(dict(zip(A, loadings, strict=True)), lower=0.2, upper=0.2, name="market")
    w = _weights(FREE, limit)
    assert loadings @ w == pytest.approx(0.2, abs=1e-8)
    # two equalities and no other limit: the closed form
    rows = np.stack([np.ones(3), loadings])
    kkt = np.block([[0.5 * M.covariance, rows.T], [rows, np.zeros((2, 2))]])
    np.testing.assert_allclose(w, np.linalg.solve(kkt, [*M.mean, 1.0, 0.2])[:3], atol=1e-7)


def test_gross_leverage_binds():
    unlimited = np.abs(_weights(FREE)).sum()
    w = _weights(FREE, GrossLeverage(1.6))
    assert unlimited > 1.7
    assert np.abs(w).sum() == pytest.approx(1.6, abs=1e-7)
    assert w.sum() == pytest.approx(1.0, abs=1e-8)


def test_net_leverage_takes_the_place_of_the_default_budget():
    assert _weights(FREE, NetLeverage(-0.1, 0.1)).sum() == pytest.approx(0.1, abs=1e-7)
    # nothing to earn: as little risk as the lower side allows
    poor = HorizonMoments(mean=np.zeros(3), covariance=M.covariance, assets=A, horizon=1)
    w = mean_variance(poor, risk_aversion=1.0, constraints=[FREE, NetLeverage(0.6, 0.7)]).weights
    assert w.sum() == pytest.approx(0.6, abs=1e-7)


def test_asset_turnover_binds_by_name():
    held = {"B": 0.2, "A": 0.2, "C": 0.6}
    w = _weights(AssetTurnoverLimit({"A": 0.1, "B": np.inf, "C": 0.2}), previous=held)
    np.testing.assert_allclose(w, [0.3, 0.3, 0.4], atol=1e-7)
    assert AssetTurnoverLimit(np.inf).maximum == np.inf
    np.testing.assert_allclose(_weights(AssetTurnoverLimit(np.inf), previous=held), _weights(), atol=1e-6)


@pytest.mark.parametrize(
    ("constraints", "conflict"),
    [
        ([GrossLeverage(0.9), FREE], {"GrossLeverage 0.9", "Budget total 1 (default)"}),
        ([NetLeverage(upper=0.5), Budget(1), FREE], {"NetLeverage upper 0.5", "Budget total 1"}),
        (
            [FactorExposure({"A": 1, "B": 1, "C": 1}, upper=0.9, name="market"), FREE],
            {"FactorExposure 'market' upper 0.9", "Budget total 1 (default)"},
        ),
        ([AssetTurnoverLimit(0.1), Bounds(0, 0.4)], {"AssetTurnoverLimit 0.1 sell of C", "Bounds upper 0.4 of C"}),
    ],
)
def test_infeasible_names_exactly_the_conflicting_set(constraints, conflict):
    with pytest.raises(InfeasibleError) as caught:
        _weights(*constraints, previous=[0.2, 0.2, 0.6])
    assert set(caught.value.conflict) == conflict


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: FactorExposure({"A": 1.0}), ConfigError, "the exposure to 'factor' needs a lower or an upper limit"),
        (lambda: FactorExposure({"A": 1.0}, 2, 1), ConfigError, "lower must not exceed upper in the exposure"),
        (lambda: FactorExposure([1.0], 1), ConfigError, "loadings must be a mapping or Series"),
        (lambda: FactorExposure({"A": np.nan}, 1), DataError, "loadings of 'factor' must be a number"),
        (lambda: NetLeverage(), ConfigError, "the net leverage needs a lower or an upper limit"),
        (lambda: NetLeverage(1, 0), ConfigError, "lower must not exceed upper in the net leverage"),
        (lambda: NetLeverage(np.inf), ConfigError, "lower limit of the net leverage must be a finite number"),
        (lambda: GrossLeverage(-1), ConfigError, "maximum gross leverage must not be negative"),
        (lambda: AssetTurnoverLimit(-0.1), ConfigError, "maximum trades must not be negative"),
        (lambda: _weights(AssetTurnoverLimit(0.1)), ConfigError, "AssetTurnoverLimit needs the weights held before"),
        (
            lambda: _weights(FactorExposure({"A": 1}, 1)),
            DataError,
            "loadings of 'factor' must name exactly the 3 assets",
        ),
    ],
)
def test_refusals(make, error, message):
    with pytest.raises(error, match=message):
        make()
