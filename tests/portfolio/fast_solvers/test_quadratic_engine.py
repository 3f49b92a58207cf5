"""PIQP on forms whose answer is known by hand, and the start for tail risks."""

import numpy as np
import pytest

from portfolio.errors import SolverError
from portfolio.fast_solvers.form_builder import Affine, FormBuilder
from portfolio.fast_solvers.quadratic_engine import solve_quadratic
from portfolio.fast_solvers.quadratic_start import quadratic_start
from portfolio.risk_measures import ConditionalValueAtRisk


def test_every_kind_of_multiplier():
    # min 1/2 |w - t|^2 with w1 <= 0.2, w2 >= 0.1, w3 + w4 = 1, w5 + w6 <= 0.5 and a cost 0.3 |w7 - 0.5|
    t = np.array([1.0, -1.0, 0.0, 0.0, 1.0, 1.0, 0.4])
    builder = FormBuilder(7)
    builder.limit_weights("Bounds upper 0.2", 1, np.array([0]), np.array([0.2]))
    builder.limit_weights("Bounds lower 0.1", -1, np.array([1]), np.array([0.1]))
    builder.equality(Affine(on_weights=np.array([0.0, 0, 1, 1, 0, 0, 0])), 1.0, "pair")
    builder.at_most(Affine(on_weights=np.array([0.0, 0, 0, 0, 1, 1, 0])), 0.5, "sum")
    objective = builder.total_size(np.array([0.0, 0, 0, 0, 0, 0, 0.3]), np.array([0.0, 0, 0, 0, 0, 0, 0.5]))
    objective.add(Affine(on_weights=-t))
    form = builder.build(np.eye(7), objective, scale=1.0, risk_unit=1.0)
    x, prices, steps = solve_quadratic(form)
    # the last stays at 0.5: leaving it gains 0.1 per unit and costs 0.3
    np.testing.assert_allclose(x[:7], [0.2, 0.1, 0.5, 0.5, 0.25, 0.25, 0.5], atol=1e-8)
    assert prices.upper[0] == pytest.approx(0.8, abs=1e-7)
    assert prices.lower[1] == pytest.approx(1.1, abs=1e-7)
    assert prices.rows == pytest.approx([-0.5, 0.75], abs=1e-7)
    # slope of the weight at 0.5 is 0.1 + 0.3 (its column on |w - o|) less the price of the pair
    assert prices.pairs[0] == pytest.approx(0.4, abs=1e-7)
    assert 0 < steps < 40


def test_no_answer_is_an_error():
    builder = FormBuilder(1)
    builder.equality(Affine(on_weights=np.ones(1)), 1.0, "one")
    builder.equality(Affine(on_weights=np.ones(1)), 2.0, "two")
    form = builder.build(np.eye(1), Affine(on_weights=np.zeros(1)), scale=1.0, risk_unit=1.0)
    with pytest.raises(SolverError, match="PIQP gave no answer") as caught:
        solve_quadratic(form)
    assert caught.value.solver == "PIQP"


def test_start_of_a_tail_risk():
    builder = FormBuilder(2)
    builder.equality(Affine(on_weights=np.ones(2)), 1.0, "Budget total 1")
    builder.at_most(builder.risk(ConditionalValueAtRisk()), 0.1, "RiskBudget")
    form = builder.build(np.zeros((2, 2)), builder.risk(ConditionalValueAtRisk()), scale=1.0, risk_unit=1.0)
    # the limit on the risk is left out
    np.testing.assert_allclose(quadratic_start(form, np.diag([1.0, 4.0]), [1.0]), [0.8, 0.2], atol=1e-7)
    # nothing feasible: equal weights
    builder.equality(Affine(on_weights=np.ones(2)), 2.0, "Budget total 2")
    crossed = builder.build(np.zeros((2, 2)), builder.risk(ConditionalValueAtRisk()), scale=1.0, risk_unit=1.0)
    assert quadratic_start(crossed, np.diag([1.0, 4.0]), [1.0]).tolist() == [0.5, 0.5]
