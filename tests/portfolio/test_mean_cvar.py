"""Mean-CVaR and mean-EVaR: enumeration, a linear programme of its own, invariances, budgets."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from portfolio.constraints import Bounds, GroupLimit
from portfolio.costs import LinearCost
from portfolio.mean_cvar import mean_cvar
from portfolio.mean_evar import mean_evar
from portfolio.risk_measures import ConditionalValueAtRisk, EntropicValueAtRisk, evaluate_risk
from portfolio.tail_risk import conditional_value_at_risk
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet


def _scenarios(seed, shape=(40, 2, 4), weighted=True):
    rng = np.random.default_rng(seed)
    r = rng.standard_t(5, shape) * 0.03 + np.linspace(0, 0.006, shape[2])
    names = [f"A{i}" for i in range(shape[2])]
    return ScenarioSet(np.clip(r, -0.5, 0.5), names, "simple", rng.dirichlet(np.ones(shape[0])) if weighted else None)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.3, 0.9), st.floats(0.05, 2.0))
def test_two_assets_by_enumeration(seed, level, aversion):
    # piecewise linear in one weight: the optimum is at an end or where two scenarios have the same loss
    s = _scenarios(seed, (6, 1, 2))
    x, p = s.horizon_returns(), s.weights
    candidates = [0.0, 1.0]
    for i, j in itertools.combinations(range(6), 2):
        a, b = x[i] - x[j]
        if abs(a - b) > 1e-12 and 0 <= -b / (a - b) <= 1:
            candidates.append(-b / (a - b))

    def utility(w):
        gains = x @ [w, 1 - w]
        return p @ gains - aversion * conditional_value_at_risk(-gains, level=level, probabilities=p)

    best = max(map(utility, candidates))
    a = mean_cvar(s, risk_aversion=aversion, level=level)
    assert a.objective == pytest.approx(best, abs=1e-9)
    assert a.diagnostics["risk"] == pytest.approx(evaluate_risk(a.weights, s, ConditionalValueAtRisk(level)), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_same_optimum_as_the_linear_programme_in_highs(seed):
    s, n, level, aversion, rate = _scenarios(seed), 4, 0.85, 0.4, 0.002
    x, p = s.horizon_returns(), s.weights
    held = np.full(n, 0.25)
    k = len(p)
    # variables w, z, u, trade sizes
    cost = np.concatenate([-p @ x, [aversion], aversion * p / (1 - level), np.full(n, rate)])
    eye = np.eye(n)
    rows = [
        np.hstack([-x, -np.ones((k, 1)), -np.eye(k), np.zeros((k, n))]),
        np.hstack([eye, np.zeros((n, 1 + k)), -eye]),
        np.hstack([-eye, np.zeros((n, 1 + k)), -eye]),
        np.concatenate([[1, 1], np.zeros(n - 2 + 1 + k + n)])[None],
    ]
    limits = np.concatenate([np.zeros(k), held, -held, [0.5]])
    total = np.concatenate([np.ones(n), np.zeros(1 + k + n)])[None]
    bounds = [(0, 0.6)] * n + [(None, None)] + [(0, None)] * (k + n)
    lp = linprog(cost, A_ub=np.vstack(rows), b_ub=limits, A_eq=total, b_eq=[1.0], bounds=bounds)
    a = mean_cvar(
        s,
        risk_aversion=aversion,
        level=level,
        constraints=[Bounds(0, 0.6), GroupLimit(["A0", "A1"], upper=0.5)],
        costs=LinearCost(rate),
        previous=held,
    )
    assert a.objective == pytest.approx(-lp.fun, abs=1e-10)
    assert a.status == "optimal"
    assert max(a.diagnostics["residuals"].values()) < 1e-8


@pytest.mark.parametrize("seed", range(3))
def test_evar_same_optimum_as_slsqp(seed):
    s = _scenarios(seed, (30, 1, 3))
    x, p = s.horizon_returns(), s.weights
    level, aversion = 0.8, 0.5

    def loss(v):
        # gains in percent and the logarithm of the temperature: variables of order one
        w, t = v[:3], np.exp(v[3])
        losses = -100 * x @ w
        top = losses.max()
        return -100 * p @ x @ w + aversion * (top + t * (np.log(p @ np.exp((losses - top) / t)) - np.log1p(-level)))

    done = min(
        (
            minimize(
                loss,
                [*start, 0.5],
                bounds=[(0, 1)] * 3 + [(-6, 6)],
                constraints={"type": "eq", "fun": lambda v: v[:3].sum() - 1},
                method="SLSQP",
                options={"ftol": 1e-13, "maxiter": 500},
            )
            for start in ([1 / 3] * 3, [0.1, 0.1, 0.8])
        ),
        key=lambda one: one.fun,
    )
    a = mean_evar(s, risk_aversion=aversion, level=level)
    # SLSQP differentiates numerically: 1e-8 of a function of order one
    assert a.objective == pytest.approx(-done.fun / 100, abs=1e-8)
    assert a.objective >= -done.fun / 100 - 1e-9
    assert a.diagnostics["risk"] == pytest.approx(evaluate_risk(a.weights, s, EntropicValueAtRisk(level)), rel=1e-12)


@pytest.mark.parametrize("function", [mean_cvar, mean_evar])
def test_probabilities_count_like_copies(function):
    s = _scenarios(3, (20, 2, 3), weighted=False)
    copies = np.arange(20) % 3 + 1
    repeated = ScenarioSet(np.repeat(s.returns, copies, axis=0), s.assets, "simple")
    a = function(s.with_probabilities(copies / copies.sum()), risk_aversion=0.4, level=0.8)
    b = function(repeated, risk_aversion=0.4, level=0.8)
    assert a.objective == pytest.approx(b.objective, abs=1e-8)
    # variant that must fail: probabilities ignored
    assert abs(function(s, risk_aversion=0.4, level=0.8).objective - b.objective) > 1e-5


@pytest.mark.parametrize("function", [mean_cvar, mean_evar])
def test_order_of_assets_and_scenarios_does_not_matter(function):
    s = _scenarios(4)
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(s.n_scenarios), rng.permutation(s.n_assets)
    other = ScenarioSet(s.returns[rows][:, :, columns], [s.assets[i] for i in columns], "simple", s.weights[rows])
    held = pd.Series({"A0": 0.1, "A1": 0.2, "A2": 0.3, "A3": 0.4})
    limits = [Bounds(0, {"A0": 0.5, "A1": 0.6, "A2": 0.7, "A3": 0.8})]
    a, b = (
        function(x, risk_aversion=0.3, level=0.9, constraints=limits, costs=LinearCost(0.002), previous=held)
        for x in (s, other)
    )
    assert a.objective == pytest.approx(b.objective, abs=1e-9)
    np.testing.assert_allclose(b.weights[a.weights.index], a.weights, atol=1e-5)


def test_conventions_are_stated_and_differ():
    s = _scenarios(5, (30, 5, 3))
    held, balanced = (mean_cvar(s, risk_aversion=0.3, level=0.8, wealth=w) for w in ("buy_and_hold", "rebalanced"))
    assert (held.diagnostics["wealth"], balanced.diagnostics["wealth"]) == ("buy_and_hold", "rebalanced")
    assert held.objective != pytest.approx(balanced.objective, rel=1e-4)
    expected = s.weights @ s.returns.sum(axis=1) @ balanced.weights.to_numpy()
    assert balanced.diagnostics["expected_return"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("function", [mean_cvar, mean_evar])
def test_refusals(function):
    s = _scenarios(0)
    with pytest.raises(ConfigError, match="risk_aversion must be a positive finite number"):
        function(s, risk_aversion=0)
    with pytest.raises(ConfigError, match="level must lie strictly between 0 and 1"):
        function(s, risk_aversion=1, level=95)
    with pytest.raises(ConfigError, match="not linear in the weights"):
        function(s, risk_aversion=1, wealth="rebalanced_compounded")
    with pytest.raises(ConfigError, match=r"costs must be a cost object such as LinearCost\(0.001\)"):
        function(s, risk_aversion=1, costs=0.001)
