"""A market of four assets and three factors, with exact values of linear trading rules."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

from tsgen.scenario_set import ScenarioSet

GAMMA, DISCOUNT = 5.0, 0.98
NAMES = ["A", "B", "C", "D"]


def _sizes():
    rng = np.random.default_rng(20130)
    mixing = rng.normal(size=(4, 4))
    correlation = mixing @ mixing.T + 2.0 * np.eye(4)
    sd = np.array([0.010, 0.014, 0.008, 0.012])
    d = np.sqrt(np.diag(correlation))
    return correlation / np.outer(d, d) * np.outer(sd, sd), rng.normal(size=(4, 3))


def market(level=None, ratio=None):
    """Factors of unit variance, mean reversion 0.05, 0.2 and 0.6; costs proportional to risk."""
    covariance, directions = _sizes()
    # chosen so that the exact values are 0.0292 (myopic) and 0.0437 (closed form)
    level = LEVEL if level is None else level
    ratio = RATIO if ratio is None else ratio
    reversion = np.array([0.05, 0.2, 0.6])
    keep = 1.0 - reversion
    return SimpleNamespace(
        loadings=level * directions,
        mean_reversion=reversion,
        covariance=covariance,
        costs=ratio * covariance,
        risk_aversion=GAMMA,
        discount=DISCOUNT,
        keep=np.diag(keep),
        factor_noise=np.diag(1.0 - keep**2),
    )


LEVEL, RATIO = 4.8016091951695724e-4, 129.41271592827553


def inputs(m):
    return {
        k: getattr(m, k) for k in ("loadings", "mean_reversion", "covariance", "costs", "risk_aversion", "discount")
    }


def exact_value(m, held, pull):
    """Value, from nothing held and stationary factors, of x_t = held x_{t-1} + pull f_t (theory: Lyapunov)."""
    n, k = pull.shape
    delta = m.discount
    new = np.hstack([held, pull])
    trade = new - np.hstack([np.eye(n), np.zeros((n, k))])
    risk = m.risk_aversion * m.covariance
    reward = delta * (-0.5 * new.T @ risk @ new) - 0.5 * trade.T @ m.costs @ trade
    factor = np.hstack([np.zeros((k, n)), np.eye(k)])
    reward = reward + 0.5 * delta * (new.T @ m.loadings @ factor + factor.T @ m.loadings.T @ new)
    # factors of the next period act on the position of the next period only
    step = np.vstack([new, m.keep @ factor])
    value = solve_discrete_lyapunov(np.sqrt(delta) * step.T, reward)
    noise = np.zeros((n + k, n + k))
    noise[n:, n:] = m.factor_noise
    start = np.zeros((n + k, n + k))
    start[n:, n:] = np.eye(k)
    return float(np.trace(value @ start) + delta / (1 - delta) * np.trace(value @ noise))


def simulate(m, n_paths, n_steps, seed, signal=lambda f: f, factor_noise=None):
    """Scenarios of r_{t+1} = B signal(f_t) + u, and factors known before each period (one entry more)."""
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(m.factor_noise)
    f = np.empty((n_paths, n_steps + 1, 3))
    f[:, 0] = rng.standard_normal((n_paths, 3))
    for t in range(n_steps):
        f[:, t + 1] = f[:, t] @ m.keep.T + rng.standard_normal((n_paths, 3)) @ root.T
    u = rng.standard_normal((n_paths, n_steps, 4)) @ np.linalg.cholesky(m.covariance).T
    return ScenarioSet(signal(f[:, :-1]) @ m.loadings.T + u, assets=NAMES, kind="simple"), f


@pytest.fixture
def four_assets():
    m = market()
    return SimpleNamespace(market=m, inputs=inputs(m), exact_value=exact_value, simulate=simulate, make=market)
