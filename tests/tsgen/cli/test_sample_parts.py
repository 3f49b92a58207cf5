"""`tsgen sample --parts`: the folder holds what the file would hold."""

import json

import numpy as np
import pytest

from tsgen.errors import StorageError
from tsgen.scenario_parts import ScenarioParts
from tsgen.scenario_set import ScenarioSet


def test_parts_hold_the_scenarios_of_the_file(tsgen, finished, tmp_path):
    common = ("sample", finished.folder / "generator", "--scenarios", 30, "--horizon", 4, "--seed", 2, "--json")
    done = tsgen(*common, "--output", tmp_path / "parts", "--parts")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["n_scenarios"], told["n_parts"], told["folder"]) == (30, 1, str(tmp_path / "parts"))
    assert tsgen(*common, "--output", tmp_path / "s.parquet").code == 0
    whole = ScenarioSet.load(tmp_path / "s.parquet")
    assert np.array_equal(ScenarioParts.open(tmp_path / "parts").load().returns, whole.returns)
    again = tsgen(*common, "--output", tmp_path / "parts", "--parts")
    assert json.loads(again.out) == told
    weights = [
        json.loads(tsgen("optimise", tmp_path / s, "--risk-aversion", 5, "--output", tmp_path / "w.csv", "--json").out)
        for s in ("parts", "s.parquet")
    ]
    assert weights[0]["weights"] == weights[1]["weights"]
    with pytest.raises(StorageError, match=r"is a folder, expected one Parquet file.*ScenarioParts.open"):
        ScenarioSet.load(tmp_path / "parts")


def test_names_that_do_not_fit_are_explained(tsgen, finished, tmp_path):
    common = ("sample", finished.folder / "generator", "--scenarios", 3, "--horizon", 2)
    file = tsgen(*common, "--output", tmp_path / "folder")
    assert file.code == 2
    assert "--output must end in .parquet: got 'folder'. For a folder of parts add --parts." in file.err
    folder = tsgen(*common, "--output", tmp_path / "s.parquet", "--parts")
    assert folder.code == 2
    assert "--output is a folder with --parts: got the file name 's.parquet'" in folder.err
    assert not (tmp_path / "folder").exists()
