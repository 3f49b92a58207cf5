"""The interior point and its rounds against the same linear programmes stated to HiGHS."""

import numpy as np
import pytest
from scipy.optimize import linprog

from portfolio.drawdown import ConditionalDrawdownAtRisk, MaximumDrawdown
from portfolio.fast_solvers.form_builder import Affine, FormBuilder
from portfolio.fast_solvers.interior_point import InteriorPoint
from portfolio.fast_solvers.tail_pieces import tail_pieces
from portfolio.fast_solvers.tail_rounds import TOLERANCE, Candidates, solve_by_rounds
from portfolio.outlook import outlook_of
from portfolio.risk_measures import ConditionalValueAtRisk
from tsgen.scenario_set import ScenarioSet


def _outlook(seed, shape):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(shape[0]))
    return outlook_of(ScenarioSet(rng.standard_t(4, shape) * 0.02, [f"A{i}" for i in range(shape[2])], "simple", p))


def _form(n, measure):
    builder = FormBuilder(n)
    builder.limit_weights("Bounds lower 0", -1, np.arange(n), np.zeros(n))
    builder.equality(Affine(on_weights=np.ones(n)), 1.0, "Budget total 1")
    objective = Affine(on_weights=np.zeros(n))
    objective.add(builder.risk(measure))
    return builder.build(np.zeros((n, n)), objective, scale=1.0, risk_unit=1.0)


def _least_cvar(outlook, level):
    """Rockafellar and Uryasev's programme over (w, z, excess)."""
    x, p = outlook.wealth.outcomes, outlook.wealth.probabilities
    s, n = x.shape
    cost = np.concatenate([np.zeros(n), [1.0], p / (1.0 - level)])
    rows = np.concatenate([-x, -np.ones((s, 1)), -np.eye(s)], axis=1)
    total = np.concatenate([np.ones(n), np.zeros(1 + s)])[None]
    bounds = [(0, None)] * n + [(None, None)] + [(0, None)] * s
    return linprog(cost, A_ub=rows, b_ub=np.zeros(s), A_eq=total, b_eq=[1.0], bounds=bounds).fun


def _least_maximum_drawdown(outlook):
    """Every pair of peak and trough of every path is a row."""
    gains = np.concatenate([np.zeros_like(outlook.wealth.gains[:, :1]), outlook.wealth.gains], axis=1)
    t, n = gains.shape[1:]
    pairs = [(i, j) for i in range(t) for j in range(i + 1, t)]
    falls = np.concatenate([gains[:, i] - gains[:, j] for i, j in pairs])
    rows = np.concatenate([falls, -np.ones((len(falls), 1))], axis=1)
    total = np.append(np.ones(n), 0.0)[None]
    bounds = [(0, None)] * (n + 1)
    return linprog(np.eye(n + 1)[n], A_ub=rows, b_ub=np.zeros(len(rows)), A_eq=total, b_eq=[1.0], bounds=bounds).fun


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("near", [True, False])
def test_least_cvar(seed, near):
    outlook, measure = _outlook(seed, (150, 1, 6)), ConditionalValueAtRisk(0.9)
    form = _form(6, measure)
    start = np.random.default_rng(seed).dirichlet(np.ones(6))
    point = solve_by_rounds(form, [tail_pieces(measure, outlook.wealth, 1.0)], start, near=near)
    wanted = _least_cvar(outlook, 0.9)
    assert measure.value(point.x[:6], outlook) == pytest.approx(wanted, rel=1e-7)
    # the law of its prices is a worst case: a minorant that is exact at the answer
    assert point.slope_errors[0] <= 1e-8
    for w in np.random.default_rng(9).normal(0.2, 0.4, (50, 6)):
        assert point.slopes[0] @ w <= measure.value(w, outlook) + 1e-8
    assert point.slopes[0] @ point.x[:6] == pytest.approx(wanted, rel=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_least_maximum_drawdown(seed):
    outlook = _outlook(seed, (20, 6, 4))
    point = solve_by_rounds(
        _form(4, MaximumDrawdown()),
        [tail_pieces(MaximumDrawdown(), outlook.wealth, 1.0)],
        np.full(4, 0.25),
        near=False,
    )
    assert MaximumDrawdown().value(point.x[:4], outlook) == pytest.approx(_least_maximum_drawdown(outlook), rel=1e-7)


def test_pieces_that_are_left_out_are_missed_and_then_found():
    outlook, measure = _outlook(1, (60, 8, 4)), ConditionalDrawdownAtRisk(0.8)
    tail = tail_pieces(measure, outlook.wealth, 1.0)
    one = Candidates(tail)
    one.recentre(np.eye(4)[0], 1.0)
    few = len(one.pieces)
    point = InteriorPoint(_form(4, measure), [one.start()], np.full(4, 0.25)).run(TOLERANCE)
    w, risk = point.x[:4], point.x[4]
    # a lower bound of the risk, and less than it
    assert one.shortfall(w, point.quantiles[0], risk) > 1e-4
    assert measure.value(w, outlook) > risk + 1e-5
    one.extend(w, point.quantiles[0], None)
    assert len(one.pieces) > few
    more = InteriorPoint(_form(4, measure), [one.start()], np.full(4, 0.25)).run(TOLERANCE)
    assert risk + 1e-5 < more.x[4] <= solve_by_rounds(_form(4, measure), [tail], w, near=True).x[4] + 1e-9


def test_a_law_outside_of_the_envelope_has_an_error():
    outlook, measure = _outlook(2, (50, 1, 3)), ConditionalValueAtRisk(0.8)
    one = Candidates(tail_pieces(measure, outlook.wealth, 1.0))
    one.recentre(np.full(3, 1 / 3), 3.0)
    solver = InteriorPoint(_form(3, measure), [one.start()], np.full(3, 1 / 3))
    point, block = solver.run(TOLERANCE), solver.tails[0]
    assert block.slope_error(point.laws[0]) <= 1e-8
    largest = np.abs(block.pieces.rows).max()
    assert block.slope_error(0.9 * point.laws[0]) == pytest.approx(0.1 * largest, rel=1e-6)
    assert block.slope_error(1.1 * point.laws[0]) > 0.1 * largest
