"""Columns and rows: absolute values by hand, limits at their tightest, names and units."""

import numpy as np
import pytest

from portfolio.fast_solvers.form_builder import Affine, FormBuilder
from portfolio.risk_measures import ConditionalValueAtRisk


def _built(builder, objective):
    n = builder.n_assets
    return builder.build(np.zeros((n, n)), objective, scale=2.0, risk_unit=0.5)


@pytest.mark.parametrize("w", [[0.0, 0.1, 0.3], [0.5, 0.5, 0.0], [0.2, 0.2, 0.9]])
def test_absolute_values(w):
    builder = FormBuilder(3)
    builder.limit_weights("Bounds lower", -1, np.arange(3), np.array([0.0, 0.3, -1.0]))
    builder.limit_weights("Bounds upper", 1, np.arange(3), np.array([0.2, 1.0, 1.0]))
    rates, origin = np.array([1.0, 2.0, 3.0]), np.array([0.2, 0.3, 0.25])
    # the sign of the first two is settled by their bounds: one size column only
    total = builder.total_size(rates, origin)
    assert list(total.on_sizes) == [(2, 0.25)]
    form = _built(builder, total)
    x = np.append(np.clip(w, [0.0, 0.3, -1.0], [0.2, 1.0, 1.0]), 0.0)
    x[3] = max(origin[2] - x[2], 0.0)
    constant = total.constant
    # the linear part is scaled
    assert form.linear @ x / 2.0 + constant == pytest.approx(rates @ np.abs(x[:3] - origin), abs=1e-15)
    assert form.upper[3] == pytest.approx(0.25 + 1.0)


def test_the_tightest_limit_holds_and_names_repeat():
    builder = FormBuilder(2)
    for value, positions in ((0.5, [0, 1]), (0.3, [1]), (0.4, [0, 1])):
        builder.limit_weights("Bounds upper", 1, np.array(positions), np.full(len(positions), value))
    builder.limit_weights("nothing", 1, np.zeros(0, dtype=np.intp), np.zeros(0))
    form = _built(builder, Affine(on_weights=np.zeros(2)))
    assert form.upper.tolist() == [0.4, 0.3]
    assert form.lower.tolist() == [-np.inf, -np.inf]
    assert [one.name for one in form.weight_limits] == ["Bounds upper", "Bounds upper (2)", "Bounds upper (3)"]


def test_rows_are_scaled_and_keep_their_unit():
    builder = FormBuilder(2)
    builder.two_sided(Affine(on_weights=np.array([4.0, -2.0]), constant=1.0), None, 3.0, "FactorExposure 'f'")
    form = _built(builder, Affine(on_weights=np.zeros(2)))
    row = form.rows[0]
    assert (row.unit, row.upper, row.lower) == (4.0, 0.5, -np.inf)
    assert row.on_x.tolist() == [1.0, -0.5]
    assert (row.lower_name, row.upper_name) == ("", "FactorExposure 'f' upper 3")


def test_one_column_per_risk():
    builder = FormBuilder(1)
    objective = Affine(on_weights=np.zeros(1))
    for level in (0.9, 0.8, 0.9):
        objective.add(builder.risk(ConditionalValueAtRisk(level)))
    form = _built(builder, objective)
    assert form.measures == (ConditionalValueAtRisk(0.9), ConditionalValueAtRisk(0.8))
    # scale 2 and half a unit of risk
    assert form.linear.tolist() == [0.0, 2.0, 1.0]
    assert list(form.risk_columns) == [1, 2]
    assert form.root is None
