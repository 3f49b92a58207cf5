"""Posteriors known from theory; Gaussian priors are Gauss-Hermite rules, exact for the polynomials that matter."""

import numpy as np
import pytest

from tsgen.reweighting import (
    CorrelationView,
    EventProbabilityView,
    FunctionalView,
    KurtosisView,
    MeanView,
    SkewView,
    VarianceView,
    VolatilityView,
    entropy_pooling,
    entropy_pooling_report,
)
from tsgen.scenario_set import ScenarioSet

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(48)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
SIGMA, MU = 0.02, 0.005


def gaussian():
    return ScenarioSet((MU + SIGMA * NODES)[:, None, None], assets=["A"], kind="simple", probabilities=WEIGHTS)


def two_gaussians():
    x, y = np.meshgrid(NODES, NODES, indexing="ij")
    returns = SIGMA * np.stack([x.ravel(), 2 * y.ravel()], axis=1)[:, None, :]
    return ScenarioSet(returns, assets=["A", "B"], kind="simple", probabilities=np.outer(WEIGHTS, WEIGHTS).ravel())


def test_mean_view_tilts_a_gaussian_exponentially():
    target = 0.02
    report = entropy_pooling_report(gaussian(), [MeanView(of="A", target=target)])
    shift = target - MU
    assert report.divergence == pytest.approx(shift**2 / (2 * SIGMA**2), rel=1e-9)
    assert report.views.multiplier.iloc[0] == pytest.approx(shift / SIGMA**2, rel=1e-9)
    x = MU + SIGMA * NODES
    exact = WEIGHTS * np.exp(x * shift / SIGMA**2)
    np.testing.assert_allclose(report.posterior.weights, exact / exact.sum(), rtol=1e-7, atol=1e-16)
    # a shifted Gaussian keeps its volatility
    assert VolatilityView(of="A", target=1.0).value(report.posterior) == pytest.approx(SIGMA, rel=1e-8)


@pytest.mark.parametrize("ratio", [0.5, 0.8, 1.2])
def test_variance_view_rescales_a_gaussian(ratio):
    report = entropy_pooling_report(gaussian(), [VarianceView(of="A", target=ratio * SIGMA**2)])
    assert report.divergence == pytest.approx((ratio - 1 - np.log(ratio)) / 2, rel=1e-6)
    assert report.views.sensitivity.iloc[0] == pytest.approx((1 - 1 / ratio) / (2 * SIGMA**2), rel=1e-6)
    assert MeanView(of="A", target=0.0).value(report.posterior) == pytest.approx(MU, abs=1e-10)


def test_volatility_view_is_the_variance_view_of_the_square():
    target = 0.9 * SIGMA
    one = entropy_pooling_report(gaussian(), [VolatilityView(of="A", target=target)])
    two = entropy_pooling_report(gaussian(), [VarianceView(of="A", target=target**2)])
    np.testing.assert_allclose(one.posterior.weights, two.posterior.weights, atol=1e-13)
    # chain rule
    assert one.views.sensitivity.iloc[0] == pytest.approx(2 * target * two.views.sensitivity.iloc[0], rel=1e-9)


@pytest.mark.parametrize("rho", [-0.6, -0.2, 0.3, 0.6])
def test_correlation_view_couples_two_gaussians(rho):
    report = entropy_pooling_report(two_gaussians(), [CorrelationView(between=("A", "B"), target=rho)])
    assert report.divergence == pytest.approx(-np.log(1 - rho**2) / 2, rel=1e-5)
    assert report.views.sensitivity.iloc[0] == pytest.approx(rho / (1 - rho**2), rel=1e-5)
    assert report.views.posterior.iloc[0] == pytest.approx(rho, abs=1e-8)


def test_indicator_view_has_closed_form_divergence_and_multiplier():
    rng = np.random.default_rng(0)
    s = ScenarioSet(rng.normal(0, 0.01, (400, 3, 1)), assets=["A"], kind="log")
    event = s.horizon_returns()[:, 0] < -0.01
    before, after = event.mean(), 0.4
    report = entropy_pooling_report(s, [EventProbabilityView(event=event, target=after)])
    odds = np.log(after / (1 - after)) - np.log(before / (1 - before))
    assert report.views.multiplier.iloc[0] == pytest.approx(odds, rel=1e-8)
    kl = after * np.log(after / before) + (1 - after) * np.log((1 - after) / (1 - before))
    assert report.divergence == pytest.approx(kl, rel=1e-9)
    q = report.posterior.weights
    np.testing.assert_allclose(q[event], after / event.sum(), rtol=1e-8)


@pytest.mark.parametrize(("target", "happens"), [(1.0, True), (0.0, False)])
def test_certain_events_condition(target, happens):
    rng = np.random.default_rng(1)
    s = ScenarioSet(rng.normal(0, 0.01, (300, 1, 1)), assets=["A"], kind="simple")
    event = s.returns[:, 0, 0] < -0.005
    report = entropy_pooling_report(s, [EventProbabilityView(event=event, target=target)])
    kept = event == happens
    np.testing.assert_allclose(report.posterior.weights, kept / kept.sum(), atol=1e-15)
    assert report.divergence == pytest.approx(-np.log(kept.mean()), rel=1e-12)
    assert report.views.multiplier.iloc[0] == (np.inf if happens else -np.inf)


def skewed(n=3000):
    rng = np.random.default_rng(5)
    common = rng.standard_t(6, (n, 1, 1))
    return ScenarioSet(0.01 * (common + rng.standard_t(6, (n, 1, 3))) + 0.0005, assets=["A", "B", "C"], kind="simple")


def spread(x):
    return np.sqrt(np.mean((x - x.mean()) ** 2))


def test_divergence_is_the_dual_value():
    s = skewed()
    views = [
        MeanView(of="A", target=0.003),
        MeanView(of={"B": 1.0, "C": -1.0}, target=0.001, relation=">="),
        EventProbabilityView(event=s.returns[:, 0, 2] < -0.02, target=0.08),
        FunctionalView(functional=lambda s: np.abs(s.returns).max(axis=(1, 2)), target=0.02, relation="<="),
    ]
    report = entropy_pooling_report(s, views)
    q, p, lam = report.posterior.weights, s.weights, report.views.multiplier.to_numpy()
    direct = float(q @ np.log(q / p))
    assert report.divergence == pytest.approx(direct, rel=1e-10)
    x = s.returns[:, 0, :]
    features = np.stack(
        [x[:, 0], x[:, 1] - x[:, 2], (x[:, 2] < -0.02).astype(float), np.abs(s.returns).max(axis=(1, 2))]
    )
    exponent = lam @ features
    log_partition = np.log(p @ np.exp(exponent))
    # KL* = lambda' b - psi, with b from the table
    assert lam @ report.views.target.to_numpy() - log_partition == pytest.approx(direct, rel=1e-7)
    np.testing.assert_allclose(q, p * np.exp(exponent - log_partition), rtol=1e-7)
    assert lam[1] >= 0
    assert lam[3] <= 0


def shifted(kind, target):
    return {
        "mean": lambda: MeanView(of="A", target=target),
        "variance": lambda: VarianceView(of="A", target=target),
        "volatility": lambda: VolatilityView(of="A", target=target),
        "skew": lambda: SkewView(of="A", target=target),
        "kurtosis": lambda: KurtosisView(of="A", target=target),
        "correlation": lambda: CorrelationView(between=("A", "B"), target=target),
    }[kind]()


@pytest.mark.parametrize(
    ("kind", "target", "step"),
    [
        ("mean", 0.004, 1e-5),
        ("variance", 3e-4, 1e-6),
        ("volatility", 0.015, 1e-5),
        ("skew", -0.4, 1e-3),
        ("kurtosis", 4.0, 1e-3),
        ("correlation", -0.2, 1e-3),
    ],
)
def test_sensitivity_is_the_derivative_of_the_divergence(kind, target, step):
    s = skewed()
    at = [entropy_pooling_report(s, [shifted(kind, target + d)]) for d in (-step, 0.0, step)]
    numeric = (at[2].divergence - at[0].divergence) / (2 * step)
    # central differences: relative error of order (step / distance of the target)^2
    assert at[1].views.sensitivity.iloc[0] == pytest.approx(numeric, rel=1e-3)


def test_inequality_that_does_not_bind_leaves_the_prior():
    s = skewed()
    sd = spread(s.returns[:, 0, 0])
    views = [
        MeanView(of="A", target=-0.05, relation=">="),
        VolatilityView(of="A", target=2 * sd, relation="<="),
        CorrelationView(between=("A", "B"), target=-0.9, relation=">="),
        SkewView(of="C", target=5.0, relation="<="),
    ]
    report = entropy_pooling_report(s, views)
    np.testing.assert_array_equal(report.posterior.weights, s.weights)
    assert report.divergence == 0.0
    assert not report.views.binding.any()


def test_binding_inequality_equals_the_equality():
    s = skewed()
    one = entropy_pooling(s, [MeanView(of="A", target=0.004, relation=">=")])
    two = entropy_pooling(s, [MeanView(of="A", target=0.004)])
    np.testing.assert_allclose(one.weights, two.weights, atol=1e-13)
    # the wrong sign would pull down to the target, or not at all
    other = entropy_pooling(s, [MeanView(of="A", target=0.004, relation="<=")])
    np.testing.assert_array_equal(other.weights, s.weights)


def test_no_views_leave_the_prior():
    s = gaussian()
    np.testing.assert_array_equal(entropy_pooling(s, []).weights, s.weights)


def test_scenarios_without_prior_probability_stay_out():
    s = ScenarioSet([[[0.1]], [[-0.1]], [[0.3]]], assets=["A"], kind="simple", probabilities=[0.5, 0.5, 0.0])
    assert entropy_pooling(s, [MeanView(of="A", target=0.05)]).weights.round(9).tolist() == [0.75, 0.25, 0.0]
