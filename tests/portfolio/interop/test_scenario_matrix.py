"""Scenarios as matrices: compounding, probabilities, and posteriors of other programs."""

import numpy as np
import pytest

from portfolio.interop import entropy_pooling_pair, scenario_matrix, with_posterior
from portfolio.interop.scenario_matrix import equally_likely_rows
from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.reweighting import MeanView, entropy_pooling
from tsgen.scenario_set import ScenarioSet


@pytest.fixture
def scenarios():
    rows = np.random.default_rng(0).normal(0, 0.02, (50, 4, 3))
    p = np.random.default_rng(1).dirichlet(np.ones(50))
    return ScenarioSet(rows, assets=["A", "B", "C"], kind="log", probabilities=p)


def test_rows_are_simple_returns_of_one_span(scenarios):
    growth = np.exp(scenarios.returns)
    np.testing.assert_allclose(scenario_matrix(scenarios).returns, growth.prod(axis=1) - 1, rtol=0, atol=1e-15)
    np.testing.assert_allclose(
        scenario_matrix(scenarios, horizon=2).returns, growth[:, :2].prod(axis=1) - 1, rtol=0, atol=1e-15
    )
    np.testing.assert_allclose(scenario_matrix(scenarios, period=3).returns, growth[:, 2] - 1, rtol=0, atol=1e-15)
    # the sum of log returns is what it must not be
    assert np.abs(scenario_matrix(scenarios).returns - scenarios.returns.sum(axis=1)).max() > 1e-4


def test_arrays_are_the_callers_own(scenarios):
    for period in (None, 1):
        matrix = scenario_matrix(scenarios.to_kind("simple"), period=period)
        matrix.returns[:] = 0.0
        matrix.probabilities[:] = 0.0
    assert scenarios.weights.sum() == pytest.approx(1.0)
    assert np.abs(scenarios.returns).max() > 0


def test_the_pair_goes_out_and_comes_back(scenarios):
    outcomes, prior = entropy_pooling_pair(scenarios)
    assert outcomes.shape == (50, 3)
    assert prior.shape == (50, 1)
    # exponential tilt by hand as the other program's answer
    tilted = prior * np.exp(5 * outcomes[:, :1])
    posterior = with_posterior(scenarios, tilted / tilted.sum())
    np.testing.assert_allclose(posterior.weights, (tilted / tilted.sum()).ravel(), rtol=1e-14)
    np.testing.assert_array_equal(posterior.returns, scenarios.returns)
    # what our own entropy pooling finds for the mean reached is the same tilt: it is the least informative one
    target = float(posterior.weights @ outcomes[:, 0])
    ours = entropy_pooling(scenarios, [MeanView(of="A", target=target, relation="==")])
    np.testing.assert_allclose(ours.weights, posterior.weights, atol=1e-9)


def test_rounding_of_other_programs_is_normalised(scenarios):
    q = scenarios.weights * (1 + 5e-6)
    q[0] -= q[0] + 1e-13
    got = with_posterior(scenarios, q / q.sum() * (1 + 5e-6))
    assert got.weights.min() == 0.0
    assert got.weights.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("posterior", "error", "message"),
    [
        (np.ones(3) / 3, ShapeError, "one probability per scenario: 50"),
        (np.full((1, 50), 0.02), ShapeError, "one probability per scenario"),
        (np.full(50, 0.04), DataError, "Did the other program converge"),
        (np.append(np.full(49, 1.1 / 49), -0.1), DataError, "smallest entry is -0.1"),
        (np.append(np.full(49, 1 / 49), np.nan), DataError, "must be finite"),
    ],
)
def test_unusable_posteriors(scenarios, posterior, error, message):
    with pytest.raises(error, match=message):
        with_posterior(scenarios, posterior)


@pytest.mark.parametrize("arguments", [{"horizon": 0}, {"horizon": 5}, {"period": 0}, {"period": True}, {"period": 5}])
def test_spans_outside(scenarios, arguments):
    with pytest.raises(ConfigError, match="must be from 1 to 4"):
        scenario_matrix(scenarios, **arguments)
    with pytest.raises(ConfigError, match="not both"):
        scenario_matrix(scenarios, horizon=1, period=1)


def test_systematic_rows_occur_as_often_as_their_probability_says():
    rng = np.random.default_rng(3)
    p = np.append(rng.dirichlet(np.ones(30)), 0.0)
    counts = np.mean([np.bincount(equally_likely_rows(p, 40, rng=rng), minlength=31) for _ in range(4000)], axis=0)
    one = np.bincount(equally_likely_rows(p, 40, rng=rng), minlength=31)
    assert (np.abs(one - 40 * p) < 1).all()
    # each count is floor or ceiling: standard deviation at most 1/2, so the mean of 4000 is within 5 * 0.5 / sqrt(4000)
    np.testing.assert_allclose(counts, 40 * p, atol=0.04)
    assert counts[-1] == 0
