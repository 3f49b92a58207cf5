"""Weights in CSV: exact round trip, every mistake named."""

import numpy as np
import pandas as pd
import pytest

from tsgen.cli.weights_file import read_weight_table, read_weights, write_weights
from tsgen.errors import ConfigError, DataError, StorageError


def test_round_trip_is_exact(tmp_path):
    w = np.random.default_rng(0).dirichlet(np.ones(7))
    table = pd.DataFrame({"a": w, "b": 1 - w}, index=["NA", "x,y", 'q"', "1", "é", " s", "Z"])
    write_weights(table, tmp_path / "w.csv")
    back = read_weight_table(tmp_path / "w.csv")
    assert back.index.tolist() == table.index.tolist()
    assert (back.to_numpy() == table.to_numpy()).all()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("asset,weight\nA,0.5\nB,\n", DataError, "weight of B in column weight must be a finite number: got ''"),
        ("asset,weight\nA,nan\n", DataError, "weight of A"),
        ("asset,weight\nA,inf\n", DataError, "weight of A"),
        ("asset,weight\nA,half\n", DataError, "got 'half'"),
        ("asset,weight\nA,0.5\nA,0.5\n", DataError, "names A more than once"),
        ("name,weight\nA,0.5\n", DataError, "must have a column asset"),
        ("asset\nA\n", DataError, "at least one of weights"),
        ("asset,weight\n", DataError, "must have a column asset"),
        ("", StorageError, "cannot read the weights"),
    ],
)
def test_bad_files_are_explained(tmp_path, text, error, message):
    path = tmp_path / "w.csv"
    path.write_text(text)
    with pytest.raises(error, match=message):
        read_weight_table(path)


def test_columns_have_to_be_named_if_there_are_several(tmp_path):
    path = tmp_path / "w.csv"
    path.write_text("asset,a,b\nA,0.25,1\n")
    with pytest.raises(ConfigError, match=r"several columns of weights \(a, b\)"):
        read_weights(path)
    with pytest.raises(ConfigError, match="no column 'c'"):
        read_weights(path, column="c")
    assert read_weights(path, column="a")["A"] == 0.25
    with pytest.raises(StorageError, match="cannot read the weights"):
        read_weights(tmp_path / "none.csv")
