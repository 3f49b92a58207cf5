"""The fitted policy against closed forms and exact values."""

import numpy as np
import pytest

from portfolio.costs import LinearCost, QuadraticCost
from portfolio.dynamic.descent_record import DescentSettings
from portfolio.dynamic.feature_maps import KernelFeatures, TanhFeatures
from portfolio.dynamic.fit_policy import fit_nearly_lq_policy
from portfolio.dynamic.garleanu_pedersen import garleanu_pedersen
from portfolio.dynamic.policy_training import PolicyTraining
from portfolio.dynamic.policy_value import policy_value
from tsgen.errors import ConfigError, DataError
from tsgen.scenario_set import ScenarioSet

AFFINE = PolicyTraining(features=None, earnings=())
RULES = ("covariance", "costs", "risk_aversion", "discount")


def least_squares(scenarios, factors):
    """Regressions on (1, f), by numpy: loadings, dynamics of (1, f), covariance of the residuals."""
    now, after = factors[:, :-2].reshape(-1, 3), factors[:, 1:-1].reshape(-1, 3)
    earned = scenarios.returns[:, :-1].reshape(-1, 4)
    design = np.hstack([np.ones((len(now), 1)), now])
    loadings = np.linalg.lstsq(design, earned, rcond=None)[0].T
    dynamics = np.zeros((4, 4))
    dynamics[0, 0], dynamics[1:] = 1.0, np.linalg.lstsq(design, after, rcond=None)[0].T
    residuals = earned - design @ loadings.T
    return loadings, dynamics, residuals.T @ residuals / (len(now) - 4)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_without_features_it_is_the_closed_form_of_what_was_identified(four_assets, seed):
    m = four_assets.market
    scenarios, factors = four_assets.simulate(m, 60, 80, seed)
    policy = fit_nearly_lq_policy(scenarios, factors, m.costs, 5.0, discount=0.98, training=AFFINE)
    loadings, dynamics, covariance = least_squares(scenarios, factors)
    closed = garleanu_pedersen(
        loadings=loadings, mean_reversion=np.eye(4) - dynamics, covariance=covariance, costs=m.costs,
        risk_aversion=5.0, discount=0.98,
    )  # fmt: skip
    np.testing.assert_allclose(policy.covariance, covariance, rtol=1e-9)
    np.testing.assert_allclose(policy.gains.position, closed.trading_rate, atol=1e-8)
    pull = np.linalg.solve(m.costs, closed.factor_loading)
    np.testing.assert_allclose(-policy.gains.factor, pull[:, 1:], rtol=1e-8, atol=1e-8 * np.abs(pull).max())
    np.testing.assert_allclose(-policy.gains.intercept, pull[:, 0], rtol=1e-8, atol=1e-8 * np.abs(pull).max())
    assert policy.report.radius < 1
    assert not policy.report.refined
    assert all(0 < r < 0.1 for r in policy.report.r_squared)


def test_units_do_not_matter(four_assets):
    m = four_assets.market
    scenarios, factors = four_assets.simulate(m, 40, 60, 0)
    training = PolicyTraining(earnings=("identified",), descent=DescentSettings(max_iterations=2))
    a = fit_nearly_lq_policy(scenarios, factors, m.costs, 5.0, training=training)
    b = fit_nearly_lq_policy(scenarios, 1e4 * factors, m.costs, 5.0, training=training)
    x, f = np.full(4, 0.1), factors[0, 5]
    np.testing.assert_allclose(a.trade(x, f), b.trade(x, 1e4 * f), rtol=1e-6)
    # risk and costs in other units of utility
    c = fit_nearly_lq_policy(scenarios, factors, 2 * m.costs, 10.0, training=AFFINE, covariance=0.5 * m.covariance)
    assert c.trading_rate.shape == (4, 4)


def test_probabilities_count_like_copies(four_assets):
    m = four_assets.market
    scenarios, factors = four_assets.simulate(m, 20, 40, 0)
    twice = ScenarioSet(np.concatenate([scenarios.returns] * 2), assets=scenarios.assets, kind="simple")
    weights = np.full(40, 1 / 80)
    weights[:20] *= 3.0
    heavy = twice.with_probabilities(weights)
    a = fit_nearly_lq_policy(scenarios, factors, m.costs, 5.0, training=AFFINE, covariance=m.covariance)
    b = fit_nearly_lq_policy(
        heavy, np.concatenate([factors] * 2), m.costs, 5.0, training=AFFINE, covariance=m.covariance
    )
    np.testing.assert_allclose(a.gains.factor, b.gains.factor, rtol=1e-8, atol=1e-12)


def test_lag_fits_the_later_return(four_assets):
    m = four_assets.market
    scenarios, factors = four_assets.simulate(m, 300, 100, 0)
    now = fit_nearly_lq_policy(scenarios, factors, m.costs, 5.0, training=AFFINE, covariance=m.covariance)
    late = fit_nearly_lq_policy(scenarios, factors, m.costs, 5.0, training=AFFINE, covariance=m.covariance, lag=1)
    given = {name: getattr(m, name) for name in RULES}
    fresh, f = four_assets.simulate(m, 2000, 200, 9)
    difference, error = policy_value(late, fresh, signals=f, lag=1, **given).better_than(
        policy_value(now, fresh, signals=f, lag=1, **given)
    )
    assert difference > -2 * error
    # the fast factor is worth less, a period later: its gain shrinks by about its persistence
    assert np.abs(late.gains.factor[:, 2]).sum() < 0.8 * np.abs(now.gains.factor[:, 2]).sum()


def saturating(f):
    return np.tanh(2.0 * f)


def test_descent_repairs_a_bad_start(four_assets):
    # strong signals and features that persist: the surprise surrogate is far off
    m = four_assets.make(level=2e-3, ratio=50.0)
    scenarios, factors = four_assets.simulate(m, 80, 80, 0, signal=saturating)
    descent = DescentSettings(max_iterations=4)
    shock = PolicyTraining(start="shock", earnings=("identified",), descent=descent)
    policy = fit_nearly_lq_policy(scenarios, factors, m.costs, 5.0, training=shock)
    (stage,) = policy.report.stages
    assert stage.taken
    assert stage.improvement > 5 * stage.improvement_error
    given = {name: getattr(m, name) for name in RULES}
    fresh, f = four_assets.simulate(m, 500, 100, 5, signal=saturating)
    start = fit_nearly_lq_policy(scenarios, factors, m.costs, 5.0, training=PolicyTraining(start="shock", earnings=()))
    lifted = fit_nearly_lq_policy(scenarios, factors, m.costs, 5.0, training=PolicyTraining(earnings=()))
    values = [policy_value(p, fresh, signals=f, **given) for p in (start, policy, lifted)]
    gain, error = values[1].better_than(values[0])
    assert gain > 5 * error
    assert abs(values[1].better_than(values[2])[0]) < 0.1 * gain


def test_features_of_ones_own(four_assets):
    m = four_assets.market
    scenarios, factors = four_assets.simulate(m, 30, 40, 0, signal=saturating)
    for features in (TanhFeatures(directions=2.0 * np.eye(3)), KernelFeatures(centres=np.eye(3), width=1.0)):
        policy = fit_nearly_lq_policy(
            scenarios, factors, m.costs, 5.0, training=PolicyTraining(features=features, earnings=())
        )
        assert policy.gains.feature.shape == (4, 3)
        expected = -(policy.gains.intercept + policy.gains.feature @ features.value(np.zeros(3)))
        np.testing.assert_allclose(policy.trade(np.zeros(4), np.zeros(3)), expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_four_assets_three_factors(four_assets, seed):
    m = four_assets.market
    given = {name: getattr(m, name) for name in RULES}
    scenarios, factors = four_assets.simulate(m, 1000, 400, seed)
    fresh, f = four_assets.simulate(m, 4000, 400, 100 + seed)
    training = PolicyTraining(features=None, descent=DescentSettings(max_iterations=3))
    policy = fit_nearly_lq_policy(scenarios, factors, m.costs, 5.0, training=training, seed=seed)
    # between the myopic rule and the closed form, by the exact value of the fitted gains
    exact = four_assets.exact_value(m, np.eye(4) - policy.gains.position, -policy.gains.factor)
    assert 0.0292 < exact <= 0.0437
    closed = policy_value(garleanu_pedersen(**four_assets.inputs), fresh, signals=f, **given)
    mine = policy_value(policy, fresh, signals=f, **given)
    assert abs(mine.mean - closed.mean) < closed.standard_error
    assert abs(mine.mean - 0.0437) < 4 * mine.standard_error


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_saturating_signals_beat_the_best_affine_policy(four_assets, seed):
    m = four_assets.market
    given = {name: getattr(m, name) for name in RULES}
    scenarios, factors = four_assets.simulate(m, 1000, 400, seed, signal=saturating)
    fresh, f = four_assets.simulate(m, 4000, 400, 100 + seed, signal=saturating)
    descent = DescentSettings(max_iterations=3)
    values = {}
    for features in (None, "saturating"):
        training = PolicyTraining(features=features, earnings=("identified",), descent=descent)
        policy = fit_nearly_lq_policy(scenarios, factors, m.costs, 5.0, training=training, seed=seed)
        values[features] = policy_value(policy, fresh, signals=f, **given)
    difference, error = values["saturating"].better_than(values[None])
    assert difference > 3 * error
    # where the signal is linear, features cannot help: the same margin must not appear
    plain, factors = four_assets.simulate(m, 1000, 400, seed)
    fresh, f = four_assets.simulate(m, 4000, 400, 100 + seed)
    for features in (None, "saturating"):
        training = PolicyTraining(features=features, earnings=())
        policy = fit_nearly_lq_policy(plain, factors, m.costs, 5.0, training=training, seed=seed)
        values[features] = policy_value(policy, fresh, signals=f, **given)
    difference, error = values["saturating"].better_than(values[None])
    assert difference < 3 * error


def test_refusals(four_assets):
    m = four_assets.market
    scenarios, factors = four_assets.simulate(m, 12, 20, 0)

    def fit(s=scenarios, f=factors, costs=m.costs, gamma=5.0, **options):
        return fit_nearly_lq_policy(s, f, costs, gamma, **options)

    with pytest.raises(ConfigError, match="needs quadratic costs"):
        fit(costs=LinearCost(0.001))
    with pytest.raises(ConfigError, match=r"discount must be at most 0\.9999"):
        fit(discount=0.99999)
    with pytest.raises(ConfigError, match="below 1: got 1"):
        fit(discount=1.0)
    with pytest.raises(ConfigError, match="risk_aversion must be a positive"):
        fit(gamma=-1.0)
    with pytest.raises(DataError, match="identification needs independent inputs"):
        fit(f=np.concatenate([factors, factors[:, :, :1]], axis=2))
    with pytest.raises(DataError, match="signal number 1 is zero on all paths"):
        fit(f=factors * [1.0, 0.0, 1.0])
    with pytest.raises(DataError, match="at least 10 paths of positive probability: got 4"):
        fit(s=scenarios.with_probabilities([0.25] * 4 + [0.0] * 8))
    still = ScenarioSet(np.full((12, 20, 4), 0.01), assets=scenarios.assets, kind="simple")
    with pytest.raises(DataError, match="returns of A do not move"):
        fit(s=still)
    twin = scenarios.returns.copy()
    twin[:, :, 1] = twin[:, :, 0]
    with pytest.raises(DataError, match="covariance must be positive definite"):
        fit(s=ScenarioSet(twin, assets=scenarios.assets, kind="simple"))
    with pytest.raises(ConfigError, match="must take the 3 inputs of this problem"):
        fit(training=PolicyTraining(features=TanhFeatures(directions=np.eye(2))))
    growing = factors * 1.2 ** np.arange(21)[None, :, None]
    with pytest.raises(DataError, match="no stabilising solution"):
        fit(f=growing, training=AFFINE)
    assert fit(costs=QuadraticCost(0.01), training=AFFINE).assets == scenarios.assets


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizon": 1}, "horizon must be an integer of at least 2"),
        ({"n_scenarios": 5}, "n_scenarios must be an integer of at least 10"),
        ({"start": "random"}, "start must be 'lifted' or 'shock'"),
        ({"held_out": 0.7}, "held_out must be a share between 0 and 0.5"),
        ({"features": "tanh"}, "features must be a feature map, 'saturating' or None"),
        ({"earnings": ("expected",)}, "earnings must be stages out of 'identified' and 'realised'"),
    ],
)
def test_settings_are_checked(change, message):
    with pytest.raises(ConfigError, match=message):
        PolicyTraining(**change)
