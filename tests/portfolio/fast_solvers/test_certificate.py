"""The certificate's gap against true optima, and multipliers that prove nothing."""

import numpy as np
import pytest

from portfolio.fast_solvers.certificate import GAP_LIMIT, certify
from portfolio.fast_solvers.direct_form import Multipliers
from portfolio.fast_solvers.form_builder import Affine, FormBuilder
from portfolio.fast_solvers.quadratic_engine import solve_quadratic
from portfolio.risk_measures import ConditionalValueAtRisk


def _form(seed, n=6):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n + 3))
    builder = FormBuilder(n)
    builder.limit_weights("Bounds lower 0", -1, np.arange(n), np.zeros(n))
    builder.limit_weights("Bounds upper 0.6", 1, np.arange(n), np.full(n, 0.6))
    builder.equality(Affine(on_weights=np.ones(n)), 1.0, "Budget total 1")
    builder.two_sided(Affine(on_weights=rng.normal(1.0, 0.3, n)), 0.9, 1.1, "FactorExposure 'f'")
    linear = Affine(on_weights=rng.normal(size=n))
    return builder.build(root @ root.T / n, linear, scale=1.0, risk_unit=1.0), rng


def _value(form, x):
    return 0.5 * x @ form.quadratic @ x + form.linear @ x


@pytest.mark.parametrize("seed", range(10))
def test_the_gap_bounds_the_distance_whatever_the_multipliers(seed):
    form, rng = _form(seed)
    best, exact, _ = solve_quadratic(form)
    assert certify(form, best, exact, [], []).gap <= GAP_LIMIT
    lowest = _value(form, best)
    for _ in range(20):
        # any feasible point, and prices of any sign
        x = rng.dirichlet(np.ones(6))
        level = form.matrix @ x
        if (x > 0.6).any() or (level < form.row_lower - 1e-12).any() or (level > form.row_upper + 1e-12).any():
            continue
        noise = rng.normal(0.0, 1.0, (2, 6))
        prices = Multipliers(
            lower=exact.lower + noise[0],
            upper=exact.upper + noise[1],
            rows=exact.rows + rng.normal(size=2),
            pairs=np.zeros(0),
        )
        certificate = certify(form, x, prices, [], [])
        assert certificate.feasible
        assert certificate.gap >= _value(form, x) - lowest - 1e-9


def test_a_price_of_the_wrong_sign_proves_nothing():
    # min x^2 / 2 - x over [0, 1]: the optimum is 1. At x = 0 a negative price of the lower bound would make the
    # gradient zero
    builder = FormBuilder(1)
    builder.limit_weights("Bounds lower 0", -1, np.arange(1), np.zeros(1))
    builder.limit_weights("Bounds upper 1", 1, np.arange(1), np.ones(1))
    form = builder.build(np.eye(1), Affine(on_weights=-np.ones(1)), scale=1.0, risk_unit=1.0)
    wrong = Multipliers(lower=-np.ones(1), upper=np.zeros(1), rows=np.zeros(0), pairs=np.zeros(0))
    assert certify(form, np.zeros(1), wrong, [], []).gap >= 0.5
    right = Multipliers(lower=np.zeros(1), upper=np.zeros(1), rows=np.zeros(0), pairs=np.zeros(0))
    assert certify(form, np.ones(1), right, [], []).gap == 0.0


def test_an_infeasible_answer_is_seen():
    form, _ = _form(0)
    best, exact, _ = solve_quadratic(form)
    for off in (1e-6 * np.eye(6)[0], -1e-6 * np.eye(6)[0]):
        assert not certify(form, best + off, exact, [], []).feasible


def test_minorants_of_a_risk():
    # min 0.5 rho(w) - w over [0, 1], rho(w) = max(-w, 2 w): w = 0 is optimal under the law with slope 2
    builder = FormBuilder(1)
    builder.limit_weights("Bounds lower 0", -1, np.arange(1), np.zeros(1))
    builder.limit_weights("Bounds upper 1", 1, np.arange(1), np.ones(1))
    objective = Affine(on_weights=-np.ones(1))
    objective.add(builder.risk(ConditionalValueAtRisk(0.5)), 0.5)
    form = builder.build(np.zeros((1, 1)), objective, scale=1.0, risk_unit=1.0)
    none = Multipliers(lower=np.zeros(2), upper=np.zeros(2), rows=np.zeros(0), pairs=np.zeros(0))
    x = np.array([0.3, 0.0])
    assert certify(form, x, none, [0.6], [np.full(1, 2.0)]).gap == pytest.approx(0.0, abs=1e-15)
    # a slope that misses the risk at the answer, and one that is only known up to an error
    assert certify(form, x, none, [0.6], [np.full(1, 1.0)]).gap >= 0.5 * 0.3
    assert certify(form, x, none, [0.6], [np.full(1, 2.0)], [0.1]).gap == pytest.approx(0.5 * 0.1 * 0.3)
    # a price of risk below zero
    builder = FormBuilder(1)
    objective = Affine(on_weights=np.zeros(1))
    objective.add(builder.risk(ConditionalValueAtRisk(0.5)), -1.0)
    form = builder.build(np.zeros((1, 1)), objective, scale=1.0, risk_unit=1.0)
    assert certify(form, np.zeros(2), none, [0.0], [np.zeros(1)]).gap == np.inf
