"""Inputs that cannot be used are refused with the reason."""

import numpy as np
import pytest

from portfolio.costs import LinearCost, QuadraticCost
from portfolio.dynamic.checked_arrays import checked_discount, cost_matrix, finite_array, positive_definite
from tsgen.errors import ConfigError, DataError, ShapeError


def test_arrays_are_owned_and_read_only():
    given = np.eye(2)
    kept = finite_array(given, (2, 2), "x")
    given[0, 0] = 7.0
    assert kept[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = 2.0


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([[1.0, 2.0]], ShapeError, r"x must have shape \(2, 2\): got \(1, 2\)"),
        ([[1.0, np.nan], [0.0, 1.0]], DataError, "x must be finite: 1 values are not"),
        ("abc", DataError, "x must be an array of numbers: got str"),
    ],
)
def test_unusable_arrays(value, error, message):
    with pytest.raises(error, match=message):
        finite_array(value, (2, 2), "x")


def test_positive_definite():
    assert positive_definite([[2.0, 1.0], [1.0, 2.0]], 2, "x").tolist() == [[2.0, 1.0], [1.0, 2.0]]
    with pytest.raises(DataError, match="x must be symmetric"):
        positive_definite([[1.0, 0.5], [0.0, 1.0]], 2, "x")
    with pytest.raises(DataError, match="x must be positive definite: its smallest eigenvalue is -1"):
        positive_definite([[1.0, 2.0], [2.0, 1.0]], 2, "x")
    with pytest.raises(ShapeError, match="x must be square"):
        positive_definite(np.ones((2, 3)), None, "x")


def test_costs():
    # rate_i * trade^2 = 1/2 * (2 rate_i) * trade^2
    rates = QuadraticCost({"A": 0.01, "B": 0.03})
    np.testing.assert_array_equal(cost_matrix(rates, 2, ("B", "A")), np.diag([0.06, 0.02]))
    with pytest.raises(ConfigError, match="need the names of the assets"):
        cost_matrix(rates, 2)
    for given in (LinearCost(0.001), 10.0):
        with pytest.raises(ConfigError, match="needs quadratic costs"):
            cost_matrix(given, 2)
    with pytest.raises(DataError, match="the cost matrix must be positive definite"):
        cost_matrix(QuadraticCost(0.0), 2)


def test_discount_is_the_factor_and_not_the_rate():
    assert checked_discount(1.0) == 1.0
    with pytest.raises(ConfigError, match=r"at least 0.5 and at most 1: got 0.02. A discount rate of 2 %"):
        checked_discount(0.02)
    with pytest.raises(ConfigError, match="below 1: got 1"):
        checked_discount(1.0, below_one=True)
