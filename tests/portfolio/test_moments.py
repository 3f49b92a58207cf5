"""Moments: against numpy's weighted estimators, exhaustive enumeration, and sampling theory."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from portfolio.moments import HorizonMoments, historical_moments, scenario_moments
from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata import ReturnPanel
from tsgen.return_kind import ReturnKind
from tsgen.scenario_set import ScenarioSet


def _scenarios(rng, shape=(60, 5, 3), kind: ReturnKind = "simple", weighted=True):
    p = rng.dirichlet(np.ones(shape[0])) if weighted else None
    names = [f"A{i}" for i in range(shape[2])]
    return ScenarioSet(rng.normal(0.001, 0.03, shape), assets=names, kind=kind, probabilities=p)


def _panel(values, kind: ReturnKind = "simple"):
    days = pd.bdate_range("2020-01-01", periods=len(values))
    return ReturnPanel(pd.DataFrame(values, index=days, columns=[f"A{i}" for i in range(values.shape[1])]), kind=kind)


@pytest.mark.parametrize("kind", ["simple", "log"])
@pytest.mark.parametrize("horizon", [1, 3, 5])
def test_scenario_moments_equal_numpy_weighted_estimators(kind, horizon):
    s = _scenarios(np.random.default_rng(1), kind=kind)
    simple = s.returns if kind == "simple" else np.expm1(s.returns)
    outcome = np.prod(1 + simple[:, :horizon], axis=1) - 1
    m = scenario_moments(s, horizon=horizon)
    # sums of 60 products of order 1e-3: rounding below 1e-16
    np.testing.assert_allclose(m.mean, np.average(outcome, axis=0, weights=s.weights), atol=1e-15)
    np.testing.assert_allclose(m.covariance, np.cov(outcome.T, aweights=s.weights, ddof=0), atol=1e-15)
    assert m.horizon == horizon
    assert m.assets == s.assets


def test_probability_is_multiplicity():
    rng = np.random.default_rng(2)
    s = _scenarios(rng, shape=(6, 4, 2), weighted=False)
    copies = np.array([1, 2, 3, 1, 1, 4])
    weighted = s.with_probabilities(copies / copies.sum())
    repeated = ScenarioSet(np.repeat(s.returns, copies, axis=0), assets=s.assets, kind="simple")
    a, b = scenario_moments(weighted), scenario_moments(repeated)
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-13)
    np.testing.assert_allclose(a.covariance, b.covariance, rtol=1e-12)
    # a degrees-of-freedom correction by the number of scenarios would break this
    wrong = np.cov(weighted.horizon_returns().T, aweights=weighted.weights, ddof=1)
    assert np.abs(wrong / b.covariance - 1).min() > 0.01


def test_standard_error_of_equal_probabilities_is_the_textbook_one():
    s = _scenarios(np.random.default_rng(3), weighted=False)
    expected = s.horizon_returns().std(axis=0, ddof=0) / np.sqrt(s.n_scenarios)
    error = scenario_moments(s).mean_standard_error
    assert error is not None
    np.testing.assert_allclose(error, expected, rtol=1e-12)


def test_standard_error_covers_the_truth_under_reweighting():
    rng = np.random.default_rng(4)
    repeats, size, tilt = 600, 400, 0.5
    # importance weights exp(tilt x) turn N(0, 1) into N(tilt, 1): the truth is tilt
    x = rng.standard_normal((repeats, size))
    p = np.exp(tilt * x)
    p /= p.sum(axis=1, keepdims=True)
    z = np.empty(repeats)
    for i in range(repeats):
        returns = (x[i] / 100)[:, None, None]
        m = scenario_moments(ScenarioSet(returns, assets=["A"], kind="simple", probabilities=p[i]))
        assert m.mean_standard_error is not None
        z[i] = (m.mean[0] - tilt / 100) / m.mean_standard_error[0]
    # standard deviation of z estimated from 600 draws: relative error 1/sqrt(1200) = 3 %; five of them
    assert abs(z.std() - 1) < 0.15


def test_historical_moments_are_those_of_all_independent_paths():
    rng = np.random.default_rng(5)
    rows, horizon = rng.normal(0.01, 0.05, (5, 2)), 3
    # stretched so that the population covariance equals the sample covariance with ddof=1
    stretched = rows.mean(0) + (rows - rows.mean(0)) * np.sqrt(5 / 4)
    paths = np.array([stretched[list(choice)] for choice in product(range(5), repeat=horizon)])
    exact = scenario_moments(ScenarioSet(paths, assets=["A0", "A1"], kind="simple"))
    m = historical_moments(_panel(rows), horizon=horizon)
    # 125 terms of order one: rounding about 1e-15
    np.testing.assert_allclose(m.mean, exact.mean, atol=1e-14)
    np.testing.assert_allclose(m.covariance, exact.covariance, atol=1e-15)
    # scaling by the horizon is visibly different: compounding matters
    assert np.abs(np.cov(rows.T) * horizon / exact.covariance - 1).max() > 0.01


def test_historical_moments_of_log_panel_use_simple_returns():
    rows = np.random.default_rng(6).normal(0.0, 0.02, (50, 3))
    a = historical_moments(_panel(rows), horizon=21)
    b = historical_moments(_panel(np.log1p(rows), kind="log"), horizon=21)
    np.testing.assert_allclose(a.mean, b.mean, atol=1e-13)
    np.testing.assert_allclose(a.covariance, b.covariance, rtol=1e-10)


def test_one_period_history_is_the_sample():
    rows = np.random.default_rng(7).normal(0.0, 0.02, (50, 3))
    m = historical_moments(_panel(rows), horizon=1)
    np.testing.assert_allclose(m.mean, rows.mean(0), atol=1e-15)
    np.testing.assert_allclose(m.covariance, np.cov(rows.T), rtol=1e-12)
    assert m.mean_standard_error is not None
    np.testing.assert_allclose(m.mean_standard_error, rows.std(0, ddof=1) / np.sqrt(50), rtol=1e-12)


def test_one_asset():
    rows = np.random.default_rng(8).normal(0.0, 0.02, (50, 1))
    assert historical_moments(_panel(rows), horizon=2).covariance.shape == (1, 1)


def test_factor_reproduces_singular_covariance_with_its_rank():
    s = _scenarios(np.random.default_rng(9), shape=(4, 2, 10), weighted=False)
    m = scenario_moments(s)
    assert m.factor().shape == (10, 3)
    np.testing.assert_allclose(m.factor() @ m.factor().T, m.covariance, atol=1e-16)
    flat = HorizonMoments(mean=np.zeros(2), covariance=np.zeros((2, 2)), assets=("A", "B"), horizon=1)
    assert flat.factor().shape == (2, 0)


@pytest.mark.parametrize("horizon", [0, -1, 2.0, True, "21"])
def test_bad_horizon(horizon):
    with pytest.raises(ConfigError, match="horizon must be a positive number of periods"):
        scenario_moments(_scenarios(np.random.default_rng(0)), horizon=horizon)
    with pytest.raises(ConfigError, match="horizon must be a positive number of periods"):
        historical_moments(_panel(np.random.default_rng(0).normal(size=(9, 1)) / 99), horizon=horizon)


def test_horizon_beyond_the_scenarios():
    with pytest.raises(ConfigError, match="horizon is 6 periods, but the scenarios have only 5"):
        scenario_moments(_scenarios(np.random.default_rng(0)), horizon=6)


def test_a_loss_of_more_than_everything():
    s = ScenarioSet([[[-1.5]], [[0.1]]], assets=["A"], kind="simple")
    with pytest.raises(DataError, match="a simple return below -1 loses more than everything"):
        scenario_moments(s)


def test_a_single_possible_scenario():
    s = ScenarioSet([[[0.0]], [[0.1]]], assets=["A"], kind="simple", probabilities=[1.0, 0.0])
    with pytest.raises(DataError, match="at least two scenarios of positive probability"):
        scenario_moments(s)


def test_history_of_one_row():
    with pytest.raises(DataError, match="at least two rows of returns: got 1"):
        historical_moments(_panel(np.zeros((1, 2))), horizon=2)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"mean": np.zeros(3)}, ShapeError, r"mean must have shape \(2,\)"),
        ({"covariance": np.eye(3)}, ShapeError, r"covariance must have shape \(2, 2\)"),
        ({"mean": np.array([0.0, np.nan])}, DataError, "mean must be finite: 1 values are not"),
        ({"covariance": np.array([[1.0, 0.5], [0.2, 1.0]])}, DataError, "covariance must be symmetric"),
        (
            {"covariance": np.array([[1.0, 2.0], [2.0, 1.0]])},
            DataError,
            "positive semi-definite: its smallest eigenvalue is -1",
        ),
        ({"assets": ("A", "A")}, DataError, "assets must be unique names"),
        ({"assets": ()}, DataError, "assets must be unique names"),
        ({"mean_standard_error": np.zeros(1)}, ShapeError, "mean_standard_error must have shape"),
        ({"horizon": 0}, ConfigError, "horizon must be a positive number"),
    ],
)
def test_horizon_moments_are_validated(change, error, message):
    good = {"mean": np.zeros(2), "covariance": np.eye(2), "assets": ("A", "B"), "horizon": 1}
    with pytest.raises(error, match=message):
        HorizonMoments(**{**good, **change})


def test_horizon_moments_are_read_only():
    m = HorizonMoments(mean=np.zeros(1), covariance=np.eye(1), assets=("A",), horizon=1)
    with pytest.raises(ValueError, match="read-only"):
        m.covariance[0, 0] = 2.0
    with pytest.raises(ValueError, match="read-only"):
        m.mean[0] = 2.0


def test_the_root_of_a_regular_covariance_and_none_of_another():
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(40, 6)) * 10.0 ** rng.integers(-3, 1, 6)
    m = HorizonMoments(mean=np.zeros(6), covariance=np.cov(rows.T), assets=tuple("ABCDEF"), horizon=1)
    upper = np.triu(m.root)
    np.testing.assert_allclose(upper.T @ upper, m.covariance, rtol=1e-9, atol=1e-14)
    assert m.rank() == 6
    for singular in (np.cov(rows[:4].T), np.zeros((6, 6)), np.diag([1.0, 1, 1, 1, 1, 0])):
        flat = HorizonMoments(mean=np.zeros(6), covariance=singular, assets=tuple("ABCDEF"), horizon=1)
        assert flat.root is None
        assert flat.rank() == np.linalg.matrix_rank(singular)
