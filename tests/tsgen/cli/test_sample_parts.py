"""`tsgen sample --parts`: the folder holds what the file would hold."""

import json

import numpy as np

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


def test_names_that_do_not_fit_are_explained(tsgen, finished, tmp_path):
    common = ("sample", finished.folder / "generator", "--scenarios", 3, "--horizon", 2)
    file = tsgen(*common, "--output", tmp_path / "folder")
    assert file.code == 2
    assert "--output must end in .parquet: got 'folder'. For a folder of parts add --parts." in file.err
    folder = tsgen(*common, "--output", tmp_path / "s.parquet", "--parts")
    assert folder.code == 2
    assert "--output is a folder with --parts: got the file name 's.parquet'" in folder.err
    assert not (tmp_path / "folder").exists()
