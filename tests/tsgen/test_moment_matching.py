"""Matched scenarios have the wanted moments, keep everything else, and stay adapted."""

import numpy as np
import pandas as pd
import pytest

from tsgen.errors import DataError, ShapeError
from tsgen.moment_matching import horizon_moments, match_moments
from tsgen.scenario_set import ScenarioSet


def scenarios(kind="log", n=400, n_assets=3, seed=0):
    rng = np.random.default_rng(seed)
    mixing = np.array([[1.0, 0, 0], [0.5, 0.9, 0], [0.2, -0.4, 0.9]])[:n_assets, :n_assets]
    returns = 0.01 * rng.standard_t(5, size=(n, 10, n_assets)) @ mixing.T + 0.0003
    weights = rng.random(n)
    return ScenarioSet(returns, list("ABC")[:n_assets], kind, probabilities=weights / weights.sum(), asof="2020-01-31")


CORRELATION = np.array([[1.0, -0.3, 0.1], [-0.3, 1.0, 0.4], [0.1, 0.4, 1.0]])


@pytest.mark.parametrize("kind", ["log", "simple"])
def test_moments_equal_the_targets(kind):
    found = match_moments(
        scenarios(kind), mean=[0.01, 0.0, -0.02], volatility=[0.1, 0.05, 0.2], correlation=CORRELATION
    )
    mean, covariance = horizon_moments(found)
    np.testing.assert_allclose(mean, [0.01, 0.0, -0.02], atol=1e-12)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), [0.1, 0.05, 0.2], rtol=1e-9)
    np.testing.assert_allclose(covariance / np.outer([0.1, 0.05, 0.2], [0.1, 0.05, 0.2]), CORRELATION, atol=1e-9)
    assert found.kind == kind
    assert found.asof == scenarios().asof
    np.testing.assert_array_equal(found.weights, scenarios(kind).weights)
    assert found.provenance["matched_moments"]["volatility"] == [0.1, 0.05, 0.2]


def test_what_is_not_given_stays():
    before = scenarios()
    mean, covariance = horizon_moments(before)
    after_mean, after = horizon_moments(match_moments(before, mean=0.05))
    np.testing.assert_allclose(after, covariance, rtol=1e-9)
    np.testing.assert_allclose(after_mean, 0.05)
    np.testing.assert_allclose(horizon_moments(match_moments(before, volatility=0.1))[0], mean, atol=1e-12)


def test_own_moments_change_nothing():
    before = scenarios()
    mean, covariance = horizon_moments(before)
    spread = np.sqrt(np.diag(covariance))
    after = match_moments(before, mean=mean, volatility=spread, correlation=covariance / np.outer(spread, spread))
    np.testing.assert_allclose(after.returns, before.returns, atol=1e-12)


def test_periods_do_not_mix():
    """An affine map of each period: perturbing the last period changes the earlier ones only through the moments."""
    before = scenarios()
    after = match_moments(before, volatility=0.1, correlation=CORRELATION)
    design = np.column_stack([before.returns.reshape(-1, 3), np.ones(4000)])
    residual = after.returns.reshape(-1, 3) - design @ np.linalg.lstsq(design, after.returns.reshape(-1, 3))[0]
    assert np.abs(residual).max() < 1e-12


def test_it_is_the_smallest_move():
    """Another linear map with the same covariance (Cholesky) moves the scenarios further."""
    before = scenarios()
    total = before.returns.sum(axis=1)
    mean, covariance = horizon_moments(before)
    spread = np.sqrt(np.diag(covariance))
    after = match_moments(before, correlation=CORRELATION).returns.sum(axis=1)
    other = np.linalg.cholesky(CORRELATION) @ np.linalg.inv(np.linalg.cholesky(covariance / np.outer(spread, spread)))
    rival = mean + (total - mean) / spread @ other.T * spread
    own, theirs = (before.weights @ (((x - total) / spread) ** 2).sum(axis=1) for x in (after, rival))
    assert own < theirs


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ({}, DataError, "no target"),
        ({"mean": [0.1, 0.2]}, ShapeError, "one per asset"),
        ({"volatility": [0.1, -0.2, 0.1]}, DataError, "finite and positive"),
        ({"mean": np.nan}, DataError, "must be finite"),
        ({"correlation": np.eye(2)}, ShapeError, r"shape \(3, 3\)"),
        ({"correlation": 2 * np.eye(3)}, DataError, "ones on its diagonal"),
        ({"correlation": np.full((3, 3), -0.9) + 1.9 * np.eye(3)}, DataError, "not positive semi-definite"),
    ],
)
def test_bad_targets_are_refused(target, error, message):
    with pytest.raises(error, match=message):
        match_moments(scenarios(), **target)


def test_too_few_scenarios_are_refused():
    few = ScenarioSet(np.random.default_rng(0).normal(size=(3, 5, 3)), list("ABC"), "log")
    with pytest.raises(DataError, match="singular"):
        match_moments(few, volatility=0.1)


@pytest.mark.parametrize("form", [dict, pd.Series])
def test_targets_with_names_are_matched_by_name(form):
    scenarios = ScenarioSet(np.random.default_rng(0).normal(scale=0.01, size=(400, 5, 3)), ["A", "B", "C"], "log")
    correlation = np.array([[1.0, 0.2, 0.5], [0.2, 1.0, 0.1], [0.5, 0.1, 1.0]])
    frame = pd.DataFrame(correlation, index=["A", "B", "C"], columns=["A", "B", "C"]).loc[
        ["C", "A", "B"], ["B", "C", "A"]
    ]
    by_name = match_moments(
        scenarios,
        mean=form({"C": 0.03, "A": 0.01, "B": 0.02}),
        volatility=form({"B": 0.2, "C": 0.3, "A": 0.1}),
        correlation=frame,
    )
    by_position = match_moments(scenarios, mean=[0.01, 0.02, 0.03], volatility=[0.1, 0.2, 0.3], correlation=correlation)
    np.testing.assert_array_equal(by_name.returns, by_position.returns)
    assert by_name.provenance == by_position.provenance
    with pytest.raises(
        DataError, match=r"mean must name every asset of the scenarios once .* expected A, B, C, got A, B, X"
    ):
        match_moments(scenarios, mean=form({"A": 0.0, "B": 0.0, "X": 0.0}))
    with pytest.raises(DataError, match="correlation must name every asset"):
        match_moments(scenarios, correlation=frame.rename(columns={"A": "Z"}))
