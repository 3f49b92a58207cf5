"""Mean-variance: the same optimum as skfolio and as scipy's SLSQP, on random instances."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from skfolio import RiskMeasure
from skfolio.optimization import MeanRisk, ObjectiveFunction

from portfolio.constraints import Bounds, Budget, GroupLimit, TurnoverLimit
from portfolio.costs import LinearCost
from portfolio.mean_variance import mean_variance
from portfolio.moments import HorizonMoments

GAMMA = 4.0


def _sample(seed, n):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(120, n)) @ (np.eye(n) + 0.2) * 0.04 + rng.normal(0.005, 0.005, n)
    frame = pd.DataFrame(rows, columns=[f"A{i}" for i in range(n)])
    m = HorizonMoments(mean=rows.mean(0), covariance=np.cov(rows.T), assets=tuple(frame.columns), horizon=21)
    return frame, m, rng


def _utility(w, m, rates, held):
    return m.mean @ w - GAMMA / 2 * w @ m.covariance @ w - rates @ np.abs(w - held)


@pytest.mark.parametrize("seed", range(6))
def test_same_optimum_as_skfolio(seed):
    n = 7 + 3 * seed
    frame, m, rng = _sample(seed, n)
    cap, held, rate = max(0.35, 2.4 / n), rng.dirichlet(np.ones(n)), 0.002 * (seed % 2)
    a = mean_variance(
        m,
        risk_aversion=GAMMA,
        constraints=[Bounds(0, cap), GroupLimit(["A0", "A1", "A2"], lower=0.3, upper=0.5)],
        costs=LinearCost(rate),
        previous=held,
    )

    def skfolio_weights(risk_aversion):
        model = MeanRisk(
            objective_function=ObjectiveFunction.MAXIMIZE_UTILITY,
            risk_measure=RiskMeasure.VARIANCE,
            risk_aversion=risk_aversion,
            min_weights=0.0,
            max_weights=cap,
            transaction_costs=rate,
            previous_weights=held,
            linear_constraints=["A0 + A1 + A2 <= 0.5", "A0 + A1 + A2 >= 0.3"],
            solver="CLARABEL",
            solver_params={"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11},
        )
        return np.asarray(model.fit(frame).weights_)

    rates = np.full(n, rate)
    # skfolio's utility is mean - lambda * variance, so lambda is half of ours
    theirs = _utility(skfolio_weights(GAMMA / 2), m, rates, held)
    assert a.objective == pytest.approx(theirs, rel=1e-6)
    # variant that must fail: the same number in the other convention
    assert a.objective > _utility(skfolio_weights(GAMMA), m, rates, held) * (1 + 1e-5)


def _slsqp(m, *, cap, rates, held, turnover, group):
    """The same problem in buys and sells, smooth, by sequential quadratic programming."""
    n = len(held)
    member = np.isin(np.arange(n), group).astype(float)

    def weights(x):
        return held + x[:n] - x[n:]

    def loss(x):
        w = weights(x)
        return -(m.mean @ w - GAMMA / 2 * w @ m.covariance @ w - rates @ (x[:n] + x[n:]))

    def slope(x):
        g = -(m.mean - GAMMA * m.covariance @ weights(x))
        return np.concatenate([g + rates, -g + rates])

    linear = [
        {"type": "eq", "fun": lambda x: weights(x).sum() - 0.9},
        {"type": "ineq", "fun": lambda x: cap - weights(x)},
        {"type": "ineq", "fun": lambda x: weights(x) + 0.1},
        {"type": "ineq", "fun": lambda x: 0.5 - member @ weights(x)},
        {"type": "ineq", "fun": lambda x: turnover - x.sum()},
    ]
    # a start that pulls the held weights towards 0.9 / n, so that it is close to feasible
    target = np.full(n, 0.9 / n)
    start = np.concatenate([np.maximum(target - held, 0), np.maximum(held - target, 0)])
    done = minimize(
        lambda x: 100 * loss(x),
        start,
        jac=lambda x: 100 * slope(x),
        bounds=[(0, None)] * (2 * n),
        constraints=linear,
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert done.success, done.message
    return -done.fun / 100


@pytest.mark.parametrize("seed", range(20))
def test_same_optimum_as_slsqp_with_every_constraint(seed):
    n = 3 + seed % 6
    _, m, rng = _sample(100 + seed, n)
    held, rates = rng.dirichlet(np.ones(n)), rng.uniform(0, 0.004, n)
    cap, turnover, group = max(0.6, held.max()), float(rng.uniform(0.4, 1.2)), [0, 1]
    a = mean_variance(
        m,
        risk_aversion=GAMMA,
        constraints=[
            Bounds(-0.1, cap),
            Budget(0.9),
            GroupLimit(["A0", "A1"], upper=0.5),
            TurnoverLimit(turnover),
        ],
        costs=LinearCost(dict(zip(m.assets, rates, strict=True))),
        previous=held,
    )
    other = _slsqp(m, cap=cap, rates=rates, held=held, turnover=turnover, group=group)
    # relative 1e-6 of the larger of the utility and its parts, which partly cancel
    size = max(abs(other), float(np.abs(m.mean).max()) / 10)
    assert abs(a.objective - other) < 1e-6 * size
