"""The finite horizon against one large quadratic problem, and its limit."""

import numpy as np
import pytest
from scipy.linalg import block_diag

from portfolio.dynamic.finite_horizon_trading import finite_horizon_trading
from portfolio.dynamic.garleanu_pedersen import garleanu_pedersen
from tsgen.errors import ConfigError


def stacked_optimum(m, start, f, horizon):
    """All positions at once: the optimality condition of the whole plan is one linear system."""
    n, delta = len(start), m.discount
    weights = delta ** np.arange(horizon)
    risk = block_diag(*[w * delta * m.risk_aversion * m.covariance for w in weights])
    difference = np.eye(n * horizon) - np.eye(n * horizon, k=-n)
    costs = block_diag(*[w * m.costs for w in weights])
    expected, held = [], np.zeros(n * horizon)
    for w in weights:
        expected.append(w * delta * m.loadings @ f)
        f = m.keep @ f
    held[:n] = start
    right = np.concatenate(expected) + difference.T @ costs @ held
    return np.linalg.solve(risk + difference.T @ costs @ difference, right).reshape(horizon, n)


@pytest.mark.parametrize("horizon", [1, 2, 7, 30])
def test_follows_the_optimum_of_the_whole_plan(four_assets, horizon):
    # without surprises the feedback rule must walk along the open-loop optimum
    rng = np.random.default_rng(horizon)
    start, f = rng.normal(size=4), rng.normal(size=3)
    expected = stacked_optimum(four_assets.market, start, f, horizon)
    solution = finite_horizon_trading(**four_assets.inputs, horizon=horizon)
    held, walked = start, []
    for t in range(horizon):
        held = held + solution.trade(t, held, f)
        f = four_assets.market.keep @ f
        walked.append(held)
    np.testing.assert_allclose(walked, expected, rtol=1e-9, atol=1e-12)


def test_approaches_the_infinite_horizon(four_assets):
    forever = garleanu_pedersen(**four_assets.inputs)
    gaps = []
    for horizon in (10, 50, 400):
        first = finite_horizon_trading(**four_assets.inputs, horizon=horizon).at(0)
        gaps.append(np.abs(first.factor_loading - forever.factor_loading).max())
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] <= 1e-9 * np.abs(forever.factor_loading).max()
    np.testing.assert_allclose(first.position_value, forever.position_value, rtol=1e-9)
    np.testing.assert_allclose(first.factor_value, forever.factor_value, rtol=1e-3)


def test_periods_are_checked(four_assets):
    solution = finite_horizon_trading(**four_assets.inputs, horizon=2)
    assert solution.horizon == 2
    for period in (2, -1, True, 0.5):
        with pytest.raises(ConfigError, match="period must be an integer from 0 to 1"):
            solution.at(period)
    for horizon in (0, 2.5, True):
        with pytest.raises(ConfigError, match="horizon must be a positive number of periods"):
            finite_horizon_trading(**four_assets.inputs, horizon=horizon)
