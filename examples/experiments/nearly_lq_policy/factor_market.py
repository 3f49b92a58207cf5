"""Four assets, three factors: returns r_{t+1} = B s(f_t) + u, factors of unit variance; exact values by Lyapunov."""

from collections.abc import Callable

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from tsgen.scenario_set import ScenarioSet

KEEP = np.diag([0.95, 0.8, 0.4])
FACTOR_NOISE = np.eye(3) - KEEP**2
# level of the loadings and ratio of costs to risk: they make the exact values 0.0292 (myopic) and 0.0437 (closed form)
LEVEL, RATIO, RISK_AVERSION, DISCOUNT = 4.8016091951695724e-4, 129.41271592827553, 5.0, 0.98


def problem() -> dict:
    """Arguments of garleanu_pedersen."""
    rng = np.random.default_rng(20130)
    mixing = rng.normal(size=(4, 4))
    raw = mixing @ mixing.T + 2.0 * np.eye(4)
    scale = np.array([0.010, 0.014, 0.008, 0.012]) / np.sqrt(np.diag(raw))
    covariance = raw * np.outer(scale, scale)
    return {
        "loadings": LEVEL * rng.normal(size=(4, 3)),
        "mean_reversion": 1.0 - np.diag(KEEP),
        "covariance": covariance,
        "costs": RATIO * covariance,
        "risk_aversion": RISK_AVERSION,
        "discount": DISCOUNT,
    }


def simulate(n_paths: int, n_steps: int, seed: int, signal: Callable = lambda f: f) -> tuple[ScenarioSet, np.ndarray]:
    """Scenarios, and the factors known before each period (one entry more)."""
    rng, given = np.random.default_rng(seed), problem()
    f = np.empty((n_paths, n_steps + 1, 3))
    f[:, 0] = rng.standard_normal((n_paths, 3))
    for t in range(n_steps):
        f[:, t + 1] = f[:, t] @ KEEP + rng.standard_normal((n_paths, 3)) @ np.sqrt(FACTOR_NOISE)
    u = rng.standard_normal((n_paths, n_steps, 4)) @ np.linalg.cholesky(given["covariance"]).T
    returns = signal(f[:, :-1]) @ given["loadings"].T + u
    return ScenarioSet(returns, assets=["A", "B", "C", "D"], kind="simple"), f


def exact_value(held: np.ndarray, pull: np.ndarray) -> float:
    """Infinite-horizon value of x_t = held x_{t-1} + pull f_t, from nothing held and stationary factors."""
    p, n, k = problem(), 4, 3
    new = np.hstack([held, pull])
    trade = new - np.eye(n, n + k)
    factor = np.eye(k, n + k, k=n)
    earned = new.T @ p["loadings"] @ factor
    reward = 0.5 * DISCOUNT * (earned + earned.T - RISK_AVERSION * new.T @ p["covariance"] @ new)
    reward -= 0.5 * trade.T @ p["costs"] @ trade
    value = solve_discrete_lyapunov(np.sqrt(DISCOUNT) * np.vstack([new, KEEP @ factor]).T, reward)[n:, n:]
    return float(np.trace(value) + DISCOUNT / (1 - DISCOUNT) * np.trace(value @ FACTOR_NOISE))
