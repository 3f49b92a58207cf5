"""Prices under the caller's names: who gets the price of a bound that two limits share, sides, units."""

import numpy as np

from portfolio.fast_solvers.direct_form import Multipliers
from portfolio.fast_solvers.form_builder import Affine, FormBuilder
from portfolio.fast_solvers.reported_duals import reported_duals


def test_bounds_of_some_and_of_all_assets():
    builder = FormBuilder(3)
    builder.limit_weights("Bounds upper", 1, np.arange(3), np.array([0.5, 0.4, 0.5]))
    builder.limit_weights("AssetTurnoverLimit buy", 1, np.array([1, 2]), np.array([0.4, 0.3]))
    form = builder.build(np.eye(3), Affine(on_weights=np.zeros(3)), scale=2.0, risk_unit=1.0)
    prices = Multipliers(lower=np.zeros(3), upper=np.array([2.0, 4.0, 6.0]), rows=np.zeros(0), pairs=np.zeros(0))
    assert reported_duals(form, prices, ["A", "B", "C"]) == {
        # B is at the same value in both: the first has its price; C is bound by the second only
        "Bounds upper": {"A": 1.0, "B": 2.0, "C": 0.0},
        "AssetTurnoverLimit buy": {"B": 0.0, "C": 3.0},
    }
    # the caller's multipliers stay as they are
    assert prices.upper.tolist() == [2.0, 4.0, 6.0]


def test_sides_of_rows_and_units():
    builder = FormBuilder(1)
    builder.two_sided(Affine(on_weights=np.full(1, 4.0)), 0.1, 0.2, "FactorExposure 'f'")
    builder.at_most(Affine(on_weights=np.ones(1)), 1.0, "GrossLeverage 1")
    form = builder.build(np.eye(1), Affine(on_weights=np.zeros(1)), scale=1.0, risk_unit=1.0)
    prices = Multipliers(lower=np.zeros(1), upper=np.zeros(1), rows=np.array([-8.0, 3.0]), pairs=np.zeros(0))
    assert reported_duals(form, prices, ["A"], factor=0.5) == {
        "FactorExposure 'f' lower 0.1": 1.0,
        "FactorExposure 'f' upper 0.2": 0.0,
        "GrossLeverage 1": 1.5,
    }
