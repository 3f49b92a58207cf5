"""Allocation: validation, files, display."""

import errno
import os

import numpy as np
import pandas as pd
import pytest

from portfolio.allocation import Allocation, allocation_of
from portfolio.equal_weight import equal_weight
from tsgen.errors import ConfigError, DataError, StorageError

GOOD = {"weights": pd.Series({"A": 0.75, "B": 0.25}), "status": "optimal", "objective": 0.1}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"weights": pd.Series({"A": np.nan})}, DataError, "weights must be finite for every asset: it is not for A"),
        ({"weights": pd.Series({"A": np.inf})}, DataError, "weights must be finite"),
        ({"weights": pd.Series([0.5, 0.5], index=["A", "A"])}, DataError, "weights must name each asset once"),
        ({"weights": pd.Series(dtype=float)}, DataError, "weights must be a Series with one entry per asset"),
        ({"weights": np.array([1.0])}, DataError, "weights must be a Series with one entry per asset"),
        ({"objective": np.nan}, DataError, "objective must be finite, or None for a benchmark"),
        ({"status": "failed"}, ConfigError, "status must be one of optimal, optimal_inaccurate, benchmark"),
    ],
)
def test_bad_allocations_do_not_exist(change, error, message):
    with pytest.raises(error, match=message):
        Allocation(**{**GOOD, **change})


def test_weights_are_a_copy_and_read_only():
    source = pd.Series({"A": 0.75, "B": 0.25})
    allocation = Allocation(weights=source, status="optimal", objective=0.0)
    source["A"] = 9.0
    assert allocation.weights["A"] == 0.75
    with pytest.raises(ValueError, match="read-only"):
        allocation.weights["A"] = 9.0


def test_an_array_handed_over_is_checked_and_read_only():
    index, rest = pd.Index(["A", "B"], name="asset"), {"status": "optimal", "objective": 0.1, "diagnostics": {}}
    a, b = allocation_of(np.array([0.75, 0.25]), index, **rest), Allocation(**GOOD)
    pd.testing.assert_series_equal(a.weights, b.weights)
    assert (repr(a), a.objective) == (repr(b), b.objective)
    with pytest.raises(ValueError, match="read-only"):
        a.weights["A"] = 9.0
    with pytest.raises(DataError, match="weights must be finite for every asset: it is not for B"):
        allocation_of(np.array([0.75, np.nan]), index, **rest)
    with pytest.raises(DataError, match="objective must be finite"):
        allocation_of(np.array([0.75, 0.25]), index, **{**rest, "objective": np.inf})


def test_csv_round_trip_is_exact(tmp_path):
    weights = pd.Series(np.random.default_rng(0).dirichlet(np.ones(7)), index=[f"A,{i}" for i in range(7)])
    Allocation(weights=weights, status="optimal", objective=0.0).to_csv(tmp_path / "weights.csv")
    back = pd.read_csv(tmp_path / "weights.csv", index_col="asset", dtype=str)["weight"].map(float)
    assert back.tolist() == weights.tolist()
    assert back.index.tolist() == weights.index.tolist()


def test_full_disk_leaves_the_previous_file(tmp_path, monkeypatch):
    path = tmp_path / "weights.csv"
    Allocation(**GOOD).to_csv(path)
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        equal_weight(["A", "B"]).to_csv(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["weights.csv"]


def test_display_escapes_names_and_shows_the_largest():
    names = ["<b>x</b>", *(f"A{i}" for i in range(20))]
    shown = equal_weight(names)._repr_html_()
    assert "<b>x</b>" not in shown.replace("<p><b>", "")
    assert "and 6 smaller weights" in shown
    assert "smaller" not in Allocation(**GOOD)._repr_html_()


def test_equal_weight():
    allocation = equal_weight(["A", "B", "C"])
    assert allocation.weights.to_dict() == {"A": 1 / 3, "B": 1 / 3, "C": 1 / 3}
    assert (allocation.status, allocation.objective) == ("benchmark", None)
    assert equal_weight("SPX").weights.to_dict() == {"SPX": 1.0}
    with pytest.raises(DataError, match="equal weights need at least one asset"):
        equal_weight([])
    with pytest.raises(DataError, match="weights must name each asset once: A repeated"):
        equal_weight(["A", "A"])
