"""Frontiers: closed form, monotone, efficient in both measures, and drawn."""

import numpy as np
import pytest

from portfolio.constraints import Bounds
from portfolio.drawdown import MaximumDrawdownCVaR
from portfolio.errors import InfeasibleError
from portfolio.frontier import efficient_frontier
from portfolio.moments import HorizonMoments
from portfolio.risk_measures import ConditionalValueAtRisk, Volatility, evaluate_risk
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet

A = ("A", "B", "C")


@pytest.fixture(scope="module")
def scenarios():
    rng = np.random.default_rng(6)
    return ScenarioSet(
        rng.normal([0.004, 0.002, 0.0], [0.05, 0.03, 0.02], (30, 4, 3)), A, "simple", rng.dirichlet(np.full(30, 3.0))
    )


def test_two_assets_are_the_hyperbola():
    m = HorizonMoments(
        mean=np.array([0.0, 0.1]), covariance=np.array([[0.04, 0.01], [0.01, 0.09]]), assets=("A", "B"), horizon=1
    )
    f = efficient_frontier(m, n_points=5)
    w = f.points["expected_return"].to_numpy() / 0.1
    np.testing.assert_allclose(f.points["risk"] ** 2, 0.04 * (1 - w) ** 2 + 0.02 * w * (1 - w) + 0.09 * w**2, rtol=1e-6)
    # least variance: w = (0.04 - 0.01) / (0.04 + 0.09 - 0.02); highest return: w = 1; evenly spaced between
    np.testing.assert_allclose(w, np.linspace(3 / 11, 1, 5), atol=1e-4)


@pytest.mark.parametrize("against", [None, MaximumDrawdownCVaR(0.8)], ids=repr)
def test_every_point_trades_one_measure_for_the_other(scenarios, against):
    f = efficient_frontier(scenarios, risk=ConditionalValueAtRisk(0.8), against=against, n_points=5)
    risk, other = f.points["risk"].to_numpy(), f.points.iloc[:, 1].to_numpy()
    assert (np.diff(risk) > -1e-8).all()
    assert (np.diff(other) * (1 if against is None else -1) > 0).all()
    for row in range(5):
        weights = f.weights.loc[row]
        assert risk[row] == pytest.approx(evaluate_risk(weights, scenarios, ConditionalValueAtRisk(0.8)), rel=1e-12)
        if against is not None:
            assert other[row] == pytest.approx(evaluate_risk(weights, scenarios, against), rel=1e-12)
    # no portfolio of a sample dominates a point
    for w in np.random.default_rng(0).dirichlet(np.ones(3), 40):
        x = evaluate_risk(w, scenarios, ConditionalValueAtRisk(0.8))
        y = (
            -(scenarios.weights @ scenarios.horizon_returns() @ w)
            if against is None
            else evaluate_risk(w, scenarios, against)
        )
        signed = -other if against is None else other
        assert not ((x < risk - 1e-6) & (y < signed - 1e-6)).any()
    assert all(a.status == "optimal" for a in f.allocations)


@pytest.mark.parametrize("risk", [Volatility(), ConditionalValueAtRisk(0.8), MaximumDrawdownCVaR(0.8)], ids=repr)
def test_both_engines_draw_the_same_frontier(scenarios, risk):
    direct, specified = (efficient_frontier(scenarios, risk=risk, n_points=4, engine=e) for e in ("direct", "cvxpy"))
    assert {a.diagnostics["engine"] for a in direct.allocations} == {"direct"}
    assert {a.diagnostics["engine"] for a in specified.allocations} == {"cvxpy"}
    # the ends of the grid are optima, equal up to 1e-7
    np.testing.assert_allclose(direct.points["risk"], specified.points["risk"], rtol=1e-6)
    with pytest.raises(ConfigError, match="engine must be one of"):
        efficient_frontier(scenarios, engine="fast")  # pyright: ignore[reportArgumentType]


def test_plot_carries_the_numbers(scenarios):
    f = efficient_frontier(scenarios, n_points=3)
    figure = f.plot()
    trace = figure.data[0]
    np.testing.assert_array_equal(trace.x, f.points["risk"])
    np.testing.assert_array_equal(trace.y, f.points["expected_return"])
    assert figure.layout.xaxis.title.text == "Volatility()"
    assert figure.layout.yaxis.title.text == "expected return"
    assert all(any(asset in text for asset in A) for text in trace.text)
    other = efficient_frontier(scenarios, against=ConditionalValueAtRisk(0.8), n_points=2).plot()
    assert other.layout.yaxis.title.text == "ConditionalValueAtRisk(level=0.8)"


def test_refusals(scenarios):
    with pytest.raises(InfeasibleError) as caught:
        efficient_frontier(scenarios, constraints=[Bounds(0, 0.2)])
    assert set(caught.value.conflict) == {"Bounds upper 0.2", "Budget total 1 (default)"}
    for n in (1, 2.0, True):
        with pytest.raises(ConfigError, match="n_points must be an integer of at least 2"):
            efficient_frontier(scenarios, n_points=n)  # pyright: ignore[reportArgumentType]
    for other in ("cvar", Volatility()):
        with pytest.raises(ConfigError, match="against must be another risk measure"):
            efficient_frontier(scenarios, against=other)  # pyright: ignore[reportArgumentType]
