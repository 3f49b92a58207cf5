"""One number per asset: matching by name, and the messages when it is not possible."""

import numpy as np
import pandas as pd
import pytest

from portfolio.asset_vector import AssetValues, asset_vector, owned_values
from tsgen.errors import DataError, ShapeError

ASSETS = ["A", "B", "C"]


def test_series_and_mapping_are_matched_by_name_arrays_by_position():
    series = pd.Series({"C": 3.0, "A": 1.0, "B": 2.0})
    given: list[AssetValues] = [series, {"B": 2.0, "A": 1.0, "C": 3.0}, [1.0, 2.0, 3.0], np.array([1, 2, 3])]
    for values in given:
        vector = asset_vector(values, ASSETS, what="previous")
        assert vector.dtype == np.float64
        assert vector.tolist() == [1.0, 2.0, 3.0]


def test_scalars_only_where_allowed():
    assert asset_vector(0.5, ASSETS, what="upper", scalar=True).tolist() == [0.5, 0.5, 0.5]
    with pytest.raises(ShapeError, match=r"previous must have one entry per asset: expected shape \(3,\), got \(\)"):
        asset_vector(0.5, ASSETS, what="previous")


def test_result_is_a_copy():
    values = np.ones(3)
    asset_vector(values, ASSETS, what="previous")[0] = 9.0
    assert values[0] == 1.0


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ([1.0, 2.0], ShapeError, r"expected shape \(3,\), got \(2,\)"),
        ([[1.0, 2.0, 3.0]], ShapeError, r"got \(1, 3\)"),
        ({"A": 1.0, "B": 1.0}, DataError, "missing C; unknown none"),
        ({"A": 1.0, "B": 1.0, "C": 1.0, "X": 0.0}, DataError, "missing none; unknown X"),
        (pd.Series([1.0, 2.0, 3.0, 4.0], index=["A", "A", "B", "C"]), DataError, "name each asset once: A repeated"),
        ({"A": 1.0, "B": np.nan, "C": 1.0}, DataError, "finite for every asset: it is not for B"),
        ([1.0, np.inf, 1.0], DataError, "finite for every asset: it is not for B"),
        (["x", "y", "z"], DataError, "must be numbers"),
    ],
)
def test_bad_values_are_refused(values, error, message):
    with pytest.raises(error, match=message):
        asset_vector(values, ASSETS, what="previous")


def test_infinity_on_request_but_never_nan():
    assert asset_vector([np.inf, -np.inf, 0.0], ASSETS, what="upper", infinite=True)[0] == np.inf
    with pytest.raises(DataError, match="a number for every asset: it is not for B"):
        asset_vector([0.0, np.nan, 0.0], ASSETS, what="upper", infinite=True)


def test_long_lists_are_cut():
    names = [f"N{i}" for i in range(12)]
    with pytest.raises(DataError, match="missing N0, N1, N2, N3, N4 and 7 more"):
        asset_vector({}, names, what="previous")


def test_owned_values_do_not_follow_the_caller():
    given = {"A": 1.0}
    owned = owned_values(given, what="upper")
    given["A"] = 2.0
    assert owned == {"A": 1.0}


@pytest.mark.parametrize("value", ["0.1", None, True, np.nan, [0.1]])
def test_owned_values_refuses_what_is_not_a_number(value):
    with pytest.raises(DataError, match="upper must be a number, or a mapping"):
        owned_values(value, what="upper")
