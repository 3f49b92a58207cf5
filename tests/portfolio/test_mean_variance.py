"""Mean-variance: closed forms, optimality, invariances, and every refusal."""

import re
import warnings
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio import convex_solver
from portfolio.constraints import Bounds, Budget, GroupLimit, TurnoverLimit
from portfolio.costs import LinearCost
from portfolio.errors import InaccurateSolutionWarning, InfeasibleError, SolverError, UnboundedError
from portfolio.mean_variance import mean_variance
from portfolio.moments import HorizonMoments
from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.scenario_set import ScenarioSet

FREE = Bounds(-np.inf, np.inf)


def _names(n):
    return tuple(f"A{i}" for i in range(n))


def _moments(rng, n, scale=0.05):
    """Monthly-sized moments: volatility 5 %, mean a tenth of it."""
    sample = rng.normal(size=(4 * n + 4, n)) @ (np.eye(n) + 0.3) * scale
    mean = rng.normal(scale / 10, scale / 10, n)
    return HorizonMoments(mean=mean, covariance=np.cov(sample.T).reshape(n, n), assets=_names(n), horizon=21)


def _utility(w, m, gamma):
    return m.mean @ w - gamma / 2 * w @ m.covariance @ w


def _scenarios(rng, shape=(40, 3, 4)):
    return ScenarioSet(rng.normal(0.002, 0.03, shape), assets=_names(shape[2]), kind="simple")


# --- the optimum is known ---


@pytest.mark.parametrize("n", [1, 2, 5, 30])
@pytest.mark.parametrize("total", [1.0, 0.0, 0.4])
def test_budget_only_is_the_closed_form(n, total):
    m, gamma = _moments(np.random.default_rng(n), n), 4.0
    inverse = np.linalg.inv(m.covariance)
    price = (inverse.sum(0) @ m.mean - gamma * total) / inverse.sum()
    expected = inverse @ (m.mean - price) / gamma
    a = mean_variance(m, risk_aversion=gamma, constraints=[FREE, Budget(total)])
    np.testing.assert_allclose(a.weights, expected, atol=1e-7 * max(1, np.abs(expected).max()))
    assert a.objective == pytest.approx(_utility(expected, m, gamma), rel=1e-9)
    # the multiplier of the budget is the marginal utility of wealth
    assert a.diagnostics["duals"][f"Budget total {total:g}"] == pytest.approx(price, rel=1e-6, abs=1e-9)
    # variant that must fail: gamma without the factor one half
    assert n == 1 or np.abs(inverse @ (m.mean - price) / (2 * gamma) - a.weights).max() > 1e-3


def test_two_assets_with_costs_by_hand():
    # uncorrelated, variance s: without costs w_A - w_B = (mu_A - mu_B) / (gamma s); with cost c per unit traded each
    # way, starting from equal weights, the gap mu_A - mu_B shrinks by 2 c, to no trade at all
    moments = {"covariance": np.diag([0.04, 0.04]), "assets": ("A", "B"), "horizon": 1}
    m = HorizonMoments(mean=np.array([0.03, 0.01]), **moments)
    expected = {0.0: 0.625, 0.005: 0.5625, 0.01: 0.5, 0.5: 0.5}
    for rate, weight in expected.items():
        a = mean_variance(m, risk_aversion=2.0, costs=LinearCost(rate), previous={"A": 0.5, "B": 0.5})
        # at rate 0.01 the kink is just reached: the optimum is flat to first order, its argument exact to the root only
        assert a.weights["A"] == pytest.approx(weight, abs=1e-5 if rate == 0.01 else 1e-8), rate
        assert a.diagnostics["cost"] == pytest.approx(rate * 2 * (weight - 0.5), abs=2e-5 * rate + 1e-12)


def test_multipliers_are_marginal_utilities():
    m = _moments(np.random.default_rng(3), 6)
    step = 1e-4

    def solved(*, cap=0.0, total=0.0, turnover=0.0):
        limits = [Bounds(0, 0.3 + cap), Budget(1.0 + total), TurnoverLimit(0.5 + turnover)]
        a = mean_variance(m, risk_aversion=3.0, constraints=limits, previous=np.full(6, 1 / 6))
        assert a.objective is not None
        return a.objective, a.diagnostics["duals"]

    duals = solved()[1]
    prices = {
        "cap": sum(duals["Bounds upper 0.3"].values()),
        "total": duals["Budget total 1"],
        "turnover": duals["TurnoverLimit 0.5"],
    }
    for limit, price in prices.items():
        difference = (solved(**{limit: step})[0] - solved(**{limit: -step})[0]) / (2 * step)
        # central difference of a piecewise quadratic: curvature cancels; solver error 1e-11 / step
        assert difference == pytest.approx(price, rel=1e-3, abs=2e-7), limit
    assert min(map(abs, prices.values())) > 5e-5, prices


def test_zero_risk_assets_go_to_the_best_bounds():
    m = HorizonMoments(mean=np.array([0.3, 0.2, 0.1]), covariance=np.zeros((3, 3)), assets=_names(3), horizon=1)
    a = mean_variance(m, risk_aversion=1.0, constraints=[Bounds(0, 0.6)])
    np.testing.assert_allclose(a.weights, [0.6, 0.4, 0.0], atol=1e-8)
    assert a.diagnostics["covariance_rank"] == 0


def test_all_moments_zero_still_meets_the_budget():
    m = HorizonMoments(mean=np.zeros(3), covariance=np.zeros((3, 3)), assets=_names(3), horizon=1)
    assert mean_variance(m, risk_aversion=1.0).weights.sum() == pytest.approx(1, abs=1e-8)


def test_fewer_scenarios_than_assets():
    s = _scenarios(np.random.default_rng(4), (5, 2, 20))
    a = mean_variance(s, risk_aversion=5.0)
    assert a.status == "optimal"
    assert a.diagnostics["covariance_rank"] == 4
    assert a.weights.sum() == pytest.approx(1, abs=1e-8)
    assert max(a.diagnostics["residuals"].values()) < 1e-8


def test_limits_that_leave_one_point_only():
    m = _moments(np.random.default_rng(5), 20)
    a = mean_variance(m, risk_aversion=5.0, constraints=[Bounds(0, 0.05)])
    np.testing.assert_allclose(a.weights, 0.05, atol=1e-7)


def test_zero_turnover_keeps_the_previous_weights():
    held = np.random.default_rng(6).dirichlet(np.ones(8))
    m = _moments(np.random.default_rng(6), 8)
    a = mean_variance(m, risk_aversion=5.0, constraints=[TurnoverLimit(0.0)], previous=held)
    np.testing.assert_allclose(a.weights, held, atol=1e-7)


@pytest.mark.parametrize("seed", range(12))
def test_optimality_conditions_hold(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 25))
    m = _moments(rng, n, scale=10 ** rng.uniform(-3, 0))
    a = mean_variance(
        m,
        risk_aversion=10 ** rng.uniform(-2, 2),
        constraints=[Bounds(0, max(0.5, 2 / n)), GroupLimit(m.assets[:1], upper=0.3), TurnoverLimit(1.5)],
        costs=LinearCost(10 ** rng.uniform(-4, -2)),
        previous=rng.dirichlet(np.ones(n)),
    )
    assert a.status == "optimal"
    # the solver works to 1e-11, relative to a gradient of order one
    assert max(a.diagnostics["residuals"].values()) < 1e-9
    assert a.diagnostics["turnover"] < 1.5 + 1e-8
    assert a.weights["A0"] < 0.3 + 1e-8


# --- properties ---


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12), st.floats(0.1, 50))
def test_budget_and_bounds_hold_and_no_other_portfolio_is_better(seed, n, gamma):
    rng = np.random.default_rng(seed)
    m, cap = _moments(rng, n), max(0.4, 1.5 / n)
    a = mean_variance(m, risk_aversion=gamma, constraints=[Bounds(0, cap)])
    w, best = a.weights.to_numpy(), a.objective
    assert best is not None
    assert abs(w.sum() - 1) < 1e-7
    assert w.min() >= 0
    assert w.max() <= cap
    others = rng.dirichlet(np.ones(n), 50)
    others = others[others.max(1) <= cap]
    assert all(_utility(other, m, gamma) <= best + 1e-9 for other in others)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_unit_of_return_does_not_matter(seed, unit):
    m = _moments(np.random.default_rng(seed), 6)
    other = HorizonMoments(mean=unit * m.mean, covariance=unit**2 * m.covariance, assets=m.assets, horizon=21)
    costs, held = LinearCost(0.002), np.full(6, 1 / 6)
    a = mean_variance(m, risk_aversion=3.0, costs=costs, previous=held)
    b = mean_variance(other, risk_aversion=3.0 / unit, costs=LinearCost(0.002 * unit), previous=held)
    assert a.objective is not None
    assert b.objective == pytest.approx(unit * a.objective, rel=1e-7, abs=1e-10 * unit)
    # objective accuracy 1e-11 over curvature gamma * smallest eigenvalue, about 1e-3: weights to 1e-4 at worst
    np.testing.assert_allclose(a.weights, b.weights, atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_order_of_assets_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    m, held = _moments(rng, 6), pd.Series(rng.dirichlet(np.ones(6)), index=_names(6))
    order = rng.permutation(6)
    other = HorizonMoments(
        mean=m.mean[order],
        covariance=m.covariance[np.ix_(order, order)],
        assets=tuple(m.assets[i] for i in order),
        horizon=21,
    )
    limits = [GroupLimit(["A1", "A4"], upper=0.5), Bounds(0, {name: 0.3 + 0.1 * i for i, name in enumerate(_names(6))})]
    a, b = (
        mean_variance(x, risk_aversion=3.0, constraints=limits, costs=LinearCost(0.001), previous=held)
        for x in (m, other)
    )
    assert b.objective == pytest.approx(a.objective, abs=1e-10)
    np.testing.assert_allclose(b.weights[a.weights.index], a.weights, atol=1e-5)


def test_probabilities_count_like_copies():
    s = _scenarios(np.random.default_rng(7))
    copies = np.ones(40, dtype=int)
    copies[:10] = 2
    repeated = ScenarioSet(np.repeat(s.returns, copies, axis=0), assets=s.assets, kind="simple")
    a = mean_variance(s.with_probabilities(copies / copies.sum()), risk_aversion=5.0)
    b = mean_variance(repeated, risk_aversion=5.0)
    assert a.objective == pytest.approx(b.objective, abs=1e-9)
    np.testing.assert_allclose(a.weights, b.weights, atol=1e-9)
    # variant that must fail: probabilities ignored
    assert np.abs(mean_variance(s, risk_aversion=5.0).weights - b.weights).max() > 1e-3


def test_repeatable_to_the_bit():
    m = _moments(np.random.default_rng(8), 10)
    a, b = (mean_variance(m, risk_aversion=3.0) for _ in range(2))
    assert a.weights.tolist() == b.weights.tolist()
    assert a.diagnostics == b.diagnostics


# --- what is reported ---


def test_diagnostics_state_the_conventions():
    m = _moments(np.random.default_rng(9), 3)
    a = mean_variance(m, risk_aversion=3.0, costs=LinearCost(0.01))
    d = a.diagnostics
    assert d["constraints"] == ["Bounds(lower=0.0, upper=1.0) (default)", "Budget(total=1.0) (default)"]
    assert d["previous"] == "cash"
    # from cash every position is bought: turnover 1, cost 1 %
    assert d["turnover"] == pytest.approx(1.0, abs=1e-8)
    assert d["cost"] == pytest.approx(0.01, abs=1e-10)
    w = a.weights.to_numpy()
    assert d["volatility"] == pytest.approx(np.sqrt(w @ m.covariance @ w), rel=1e-12)
    assert a.objective == pytest.approx(d["expected_return"] - 1.5 * d["volatility"] ** 2 - d["cost"], rel=1e-12)
    assert mean_variance(m, risk_aversion=3.0, previous=np.zeros(3)).diagnostics["previous"] == "given"


def test_previous_is_matched_by_name():
    m = _moments(np.random.default_rng(10), 3)
    held = pd.Series({"A2": 0.7, "A0": 0.1, "A1": 0.2})
    a = mean_variance(m, risk_aversion=3.0, constraints=[TurnoverLimit(0.0)], previous=held)
    np.testing.assert_allclose(a.weights[held.index], held, atol=1e-7)


def test_tiny_violations_are_projected_and_larger_ones_stay(monkeypatch):
    m = _moments(np.random.default_rng(11), 3)
    true_solve = convex_solver.solve

    def moved(shift):
        def solve(*args, **kwargs):
            solution = true_solve(*args, **kwargs)
            solution.weights[0] = -shift
            return solution

        return solve

    for shift, seen, recorded in ((5e-9, 0.0, 5e-9), (1e-6, -1e-6, 0.0)):
        # by module object: the dotted name is the function of the same name
        monkeypatch.setattr(import_module("portfolio.engines"), "solve", moved(shift))
        a = mean_variance(m, risk_aversion=3.0, engine="cvxpy")
        assert a.weights["A0"] == seen
        assert a.diagnostics["projected"] == pytest.approx(recorded, abs=1e-12)


# --- refusals ---


@pytest.mark.parametrize(
    ("previous", "error", "message"),
    [
        ([np.nan, 0.5, 0.5], DataError, "previous must be finite for every asset: it is not for A0"),
        ([0.5, 0.5], ShapeError, r"previous must have one entry per asset: expected shape \(3,\), got \(2,\)"),
        ({"A0": 1.0, "B": 0.0, "A2": 0.0}, DataError, "previous must name exactly .* missing A1; unknown B"),
        (0.5, ShapeError, "previous must have one entry per asset"),
    ],
)
def test_bad_previous_weights(previous, error, message):
    m = _moments(np.random.default_rng(0), 3)
    with pytest.raises(error, match=message):
        mean_variance(m, risk_aversion=3.0, previous=previous)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, "3", None, True])
def test_bad_risk_aversion(value):
    with pytest.raises(ConfigError, match="risk_aversion must be a positive finite number"):
        mean_variance(_moments(np.random.default_rng(0), 2), risk_aversion=value)


def test_bad_scenarios_and_costs():
    with pytest.raises(ConfigError, match="must be a ScenarioSet or HorizonMoments: got ndarray"):
        mean_variance(np.zeros((3, 2)), risk_aversion=1.0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match=r"costs must be a cost object such as LinearCost\(0.001\)"):
        mean_variance(_moments(np.random.default_rng(0), 2), risk_aversion=1.0, costs=0.001)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="costs must be a cost object"):
        mean_variance(_moments(np.random.default_rng(0), 2), risk_aversion=1.0, costs=LinearCost)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("constraints", "conflict"),
    [
        ([Bounds(0, 0.2)], ("Bounds upper 0.2", "Budget total 1 (default)")),
        ([Bounds(0.3, 1)], ("Bounds lower 0.3", "Budget total 1 (default)")),
        ([Budget(-0.5)], ("Budget total -0.5", "Bounds lower 0 (default)")),
        ([Budget(1), Budget(1.1), Bounds(0, 0.5)], ("Budget total 1", "Budget total 1.1")),
        (
            [GroupLimit(["A0", "A1"], lower=0.9, name="tech"), Bounds(0, 0.4), TurnoverLimit(2)],
            ("GroupLimit 'tech' lower 0.9", "Bounds upper 0.4 of A0, A1"),
        ),
        (
            [GroupLimit(["A0", "A1"], upper=0.1, name="x"), GroupLimit(["A1", "A2"], lower=1.2, name="y")],
            ("GroupLimit 'y' lower 1.2", "Bounds lower 0 of A0, A3 (default)", "Budget total 1 (default)"),
        ),
        ([TurnoverLimit(0.1), Bounds(0, 0.5)], ("TurnoverLimit 0.1", "Bounds upper 0.5 of A3")),
        (
            [Bounds({"A0": 0.7, "A1": 0.6, "A2": 0, "A3": 0}, 1.0)],
            ("Bounds lower of A0, A1, A2, A3", "Budget total 1 (default)"),
        ),
    ],
)
def test_infeasible_names_exactly_the_conflicting_set(constraints, conflict):
    m = _moments(np.random.default_rng(0), 4)
    held = {"A0": 0.0, "A1": 0.0, "A2": 0.0, "A3": 1.0}
    # a limit all of whose rows matter is named as a whole
    conflict = tuple(name.replace(" of A0, A1, A2, A3", "") for name in conflict)
    with pytest.raises(InfeasibleError, match=r"no weights satisfy all constraints\. These contradict") as caught:
        mean_variance(m, risk_aversion=3.0, constraints=constraints, previous=held)
    assert set(caught.value.conflict) == set(conflict)
    assert all(re.escape(name) in re.escape(str(caught.value)) for name in conflict)


def test_infeasible_and_unbounded_at_once_is_infeasible():
    m = HorizonMoments(mean=np.array([1.0, 0.0]), covariance=np.zeros((2, 2)), assets=("A", "B"), horizon=1)
    with pytest.raises(InfeasibleError) as caught:
        mean_variance(m, risk_aversion=1.0, constraints=[FREE, Budget(1), Budget(2)])
    assert caught.value.conflict == ("Budget total 1", "Budget total 2")


def test_contradiction_too_small_to_locate(monkeypatch):
    monkeypatch.setattr(convex_solver, "_attempt", lambda problem, tolerance: "infeasible")
    monkeypatch.setattr(convex_solver, "_conflicting", lambda model, limits: False)
    with pytest.raises(InfeasibleError, match="miss each other by less than 1e-07") as caught:
        mean_variance(_moments(np.random.default_rng(0), 2), risk_aversion=1.0, engine="cvxpy")
    assert caught.value.conflict == ()
    assert caught.value.constraints == ("Bounds lower 0", "Bounds upper 1", "Budget total 1")


def test_unbounded_names_the_missing_bounds():
    # A and B are the same asset but for their mean: long A, short B earns without risk
    m = HorizonMoments(
        mean=np.array([0.02, 0.01, 0.0]),
        covariance=np.array([[0.04, 0.04, 0.0], [0.04, 0.04, 0.0], [0.0, 0.0, 0.09]]),
        assets=("A", "B", "C"),
        horizon=1,
    )
    with pytest.raises(UnboundedError, match="Missing: lower bound of B; upper bound of A") as caught:
        mean_variance(m, risk_aversion=2.0, constraints=[FREE])
    assert caught.value.missing == ("lower bound of B", "upper bound of A")
    # any of the limits it asks for mends it
    for mended in ([Bounds(-np.inf, 1)], [Bounds(-1, np.inf)], [FREE, TurnoverLimit(3)]):
        assert mean_variance(m, risk_aversion=2.0, constraints=mended, previous=np.zeros(3)).status == "optimal"


def test_unbounded_without_a_located_direction(monkeypatch):
    monkeypatch.setattr(convex_solver, "_attempt", lambda problem, tolerance: "unbounded")
    with pytest.raises(UnboundedError, match="Missing: finite Bounds or a TurnoverLimit") as caught:
        mean_variance(_moments(np.random.default_rng(0), 2), risk_aversion=1.0, engine="cvxpy")
    assert caught.value.missing == ()


def test_inaccurate_is_flagged_and_warned(monkeypatch):
    solve_once = convex_solver._attempt
    tried = []

    def inaccurate(problem, tolerance):
        tried.append(tolerance)
        solve_once(problem, tolerance)
        return "optimal_inaccurate"

    monkeypatch.setattr(convex_solver, "_attempt", inaccurate)
    m = _moments(np.random.default_rng(0), 3)
    with pytest.warns(InaccurateSolutionWarning, match=r"reduced accuracy only .*silence it with") as caught:
        a = mean_variance(m, risk_aversion=3.0, engine="cvxpy")
    assert caught[0].filename == __file__
    assert a.status == "optimal_inaccurate"
    assert tried == list(convex_solver.TOLERANCES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=InaccurateSolutionWarning)
        mean_variance(m, risk_aversion=3.0, engine="cvxpy")


def test_looser_tolerance_is_recorded(monkeypatch):
    solve_once = convex_solver._attempt

    def strict(problem, tolerance):
        status = solve_once(problem, tolerance)
        return status if tolerance > 1e-9 else "optimal_inaccurate"

    monkeypatch.setattr(convex_solver, "_attempt", strict)
    a = mean_variance(_moments(np.random.default_rng(0), 3), risk_aversion=3.0, engine="cvxpy")
    assert (a.status, a.diagnostics["tolerance"]) == ("optimal", 1e-8)


def test_a_wrong_answer_called_optimal_is_flagged(monkeypatch):
    solve_once = convex_solver._attempt

    def liar(problem, tolerance):
        status = solve_once(problem, tolerance)
        for variable in problem.variables():
            variable.value = variable.value + 1e-3 * np.arange(variable.size)
        return status

    monkeypatch.setattr(convex_solver, "_attempt", liar)
    with pytest.warns(InaccurateSolutionWarning, match="largest optimality residual"):
        a = mean_variance(_moments(np.random.default_rng(0), 3), risk_aversion=3.0, engine="cvxpy")
    assert a.status == "optimal_inaccurate"
    assert a.diagnostics["residuals"]["feasibility"] > 1e-4


def test_crash_of_the_solver(monkeypatch):
    import cvxpy as cp

    def crash(*args, **kwargs):
        raise cp.SolverError("boom")

    monkeypatch.setattr(cp.Problem, "solve", crash)
    with pytest.raises(SolverError, match=r"CLARABEL gave no answer \(status solver_error\)") as caught:
        mean_variance(_moments(np.random.default_rng(0), 3), risk_aversion=3.0, engine="cvxpy")
    assert (caught.value.status, caught.value.solver) == ("solver_error", "CLARABEL")


def test_stop_before_an_answer_on_contradictory_limits_names_them(monkeypatch):
    solve_once = convex_solver._attempt

    def stopped(problem, tolerance):
        status = solve_once(problem, tolerance)
        return "user_limit" if status == "infeasible" else status

    monkeypatch.setattr(convex_solver, "_attempt", stopped)
    with pytest.raises(InfeasibleError) as caught:
        mean_variance(
            _moments(np.random.default_rng(0), 3), risk_aversion=3.0, engine="cvxpy", constraints=[Bounds(0, 0.2)]
        )
    assert caught.value.conflict == ("Bounds upper 0.2", "Budget total 1 (default)")
