"""Garleanu-Pedersen against fixtures, the paper's special cases, the Bellman equation and the Lyapunov equation."""

import numpy as np
import pytest
from scipy.optimize import minimize

from portfolio.costs import QuadraticCost
from portfolio.dynamic.garleanu_pedersen import garleanu_pedersen
from tsgen.errors import ConfigError, DataError, ShapeError

# computed outside of this package with gamma 5, lambda 10, rho 0.02
A, Z = 4.9325870052602285, 0.5033935265


def random_inputs(seed, n=4, k=3, diagonal=False):
    rng = np.random.default_rng(seed)
    half, other, turn = rng.normal(size=(n, n)), rng.normal(size=(n, n)), rng.normal(size=(k, k))
    reversion = np.diag(rng.uniform(0.05, 0.6, k))
    return {
        "loadings": 0.01 * rng.normal(size=(n, k)),
        "mean_reversion": reversion if diagonal else reversion + 0.02 * turn,
        "covariance": 1e-4 * (half @ half.T + np.eye(n)),
        "costs": 1e-3 * (other @ other.T + np.eye(n)),
        "risk_aversion": 5.0,
        "discount": 0.98,
    }


def proportional(seed):
    given = random_inputs(seed, diagonal=True)
    return given | {"costs": 10.0 * given["covariance"]}


@pytest.mark.parametrize("method", ["explicit", "riccati"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fixtures_of_costs_proportional_to_risk(seed, method):
    given = proportional(seed)
    solution = garleanu_pedersen(**given, method=method)
    np.testing.assert_allclose(solution.position_value, A * given["covariance"], rtol=1e-11)
    np.testing.assert_allclose(solution.trading_rate, A / 10.0 * np.eye(4), atol=1e-11)
    # aim = z * Markowitz + (1 - z) * expected aim of the next period
    f = np.random.default_rng(seed).normal(size=3)
    keep = np.eye(3) - given["mean_reversion"]
    markowitz = np.linalg.solve(5.0 * given["covariance"], given["loadings"] @ f)
    np.testing.assert_allclose(solution.aim(f), Z * markowitz + (1 - Z) * solution.aim(keep @ f), rtol=1e-8)
    # each factor is shrunk by how fast it dies out
    shrunk = f / (1.0 + np.diag(given["mean_reversion"]) * A / 5.0)
    expected = np.linalg.solve(5.0 * given["covariance"], given["loadings"] @ shrunk)
    np.testing.assert_allclose(solution.aim(f), expected, rtol=1e-9)
    # variant that must fail: aiming at Markowitz
    assert np.abs(solution.aim(f) - markowitz).max() > 0.05 * np.abs(markowitz).max()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("discount", [0.98, 0.9])
def test_explicit_equals_riccati(seed, discount):
    given = random_inputs(seed) | {"discount": discount}
    a, b = garleanu_pedersen(**given), garleanu_pedersen(**given, method="riccati")
    for name in ("position_value", "factor_loading", "factor_value"):
        x, y = getattr(a, name), getattr(b, name)
        assert np.abs(x - y).max() <= 1e-12 * np.abs(x).max()  # a few hundred roundings
    rates = np.linalg.eigvals(a.trading_rate)
    assert (rates.real > 0).all()
    assert (rates.real < 1).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_bellman_equation(seed):
    given = random_inputs(seed)
    solution = garleanu_pedersen(**given)
    rng = np.random.default_rng(10 + seed)
    x, f, delta = rng.normal(size=4), rng.normal(size=3), 0.98
    later = (np.eye(3) - given["mean_reversion"]) @ f

    def utility(trade):
        held = x + trade
        earned = held @ given["loadings"] @ f - 2.5 * held @ given["covariance"] @ held
        return delta * (earned + solution.value(held, later)) - 0.5 * trade @ given["costs"] @ trade

    best = minimize(lambda d: -1e3 * utility(d), np.zeros(4), method="BFGS", options={"gtol": 1e-10})
    # without noise in the factors both sides have no constant
    assert -best.fun / 1e3 == pytest.approx(solution.value(x, f), rel=1e-9)
    np.testing.assert_allclose(best.x, solution.trade(x, f), rtol=1e-4, atol=1e-6)


def test_value_is_what_the_policy_earns(four_assets):
    m = four_assets.market
    solution = garleanu_pedersen(**four_assets.inputs)
    pull = np.linalg.solve(m.costs, solution.factor_loading)
    earned = four_assets.exact_value(m, np.eye(4) - solution.trading_rate, pull)
    # stationary factors of unit variance: the mean of the quadratic form is half its trace
    expected = 0.5 * np.trace(solution.factor_value) + solution.value(
        np.zeros(4), np.zeros(3), factor_noise=m.factor_noise
    )
    assert earned == pytest.approx(expected, rel=1e-10)
    assert earned == pytest.approx(0.0437, rel=1e-9)
    curvature = np.linalg.inv(m.risk_aversion * m.covariance + m.costs / m.discount)
    myopic = four_assets.exact_value(m, curvature @ m.costs / m.discount, curvature @ m.loadings)
    assert myopic == pytest.approx(0.0292, rel=1e-9)


def test_many_positions_at_once_and_limits():
    given = random_inputs(3)
    solution = garleanu_pedersen(**given)
    rng = np.random.default_rng(0)
    x, f = rng.normal(size=(5, 2, 4)), rng.normal(size=(5, 2, 3))
    trades = solution.trade(x, f)
    np.testing.assert_allclose(trades[3, 1], solution.trade(x[3, 1], f[3, 1]), rtol=1e-12)
    np.testing.assert_allclose(trades, (solution.aim(f) - x) @ solution.trading_rate.T, rtol=1e-8, atol=1e-12)
    assert solution.value(x, f).shape == (5, 2)
    # nearly free trading goes all the way to Markowitz
    free = garleanu_pedersen(**(given | {"costs": 1e-9 * given["covariance"]}))
    np.testing.assert_allclose(free.trading_rate, np.eye(4), atol=1e-8)
    markowitz = np.linalg.solve(5.0 * given["covariance"], given["loadings"] @ f[0, 0])
    np.testing.assert_allclose(free.aim(f[0, 0]), markowitz, rtol=1e-6)


def test_quadratic_cost_objects_and_vectors():
    given = random_inputs(0, diagonal=True)
    a = garleanu_pedersen(**(given | {"costs": QuadraticCost(0.01)}))
    vector = np.diag(given["mean_reversion"])
    b = garleanu_pedersen(**(given | {"costs": 0.02 * np.eye(4), "mean_reversion": vector}))
    np.testing.assert_array_equal(a.factor_loading, b.factor_loading)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"discount": 0.02}, ConfigError, "discount is the factor"),
        ({"loadings": np.ones((3, 3))}, ShapeError, "loadings"),
        ({"mean_reversion": np.full(3, -0.1)}, DataError, "factors must die out faster"),
        ({"covariance": np.zeros((4, 4))}, DataError, "covariance must be positive definite"),
        ({"risk_aversion": 0.0}, ConfigError, "risk_aversion must be a positive"),
        ({"method": "magic"}, ConfigError, "method must be one of"),
    ],
)
def test_unusable_inputs(change, error, message):
    with pytest.raises(error, match=message):
        garleanu_pedersen(**(random_inputs(0) | change))


def test_unusable_questions():
    solution = garleanu_pedersen(**(random_inputs(0) | {"discount": 1.0}))
    with pytest.raises(ShapeError, match="position must have shape"):
        solution.trade(np.zeros(3), np.zeros(3))
    with pytest.raises(ShapeError, match="factors must have shape"):
        solution.aim(0.1)
    with pytest.raises(DataError, match="position must be finite"):
        solution.trade(np.full(4, np.nan), np.zeros(3))
    with pytest.raises(ConfigError, match="the value is infinite"):
        solution.value(np.zeros(4), np.zeros(3), factor_noise=np.eye(3))
