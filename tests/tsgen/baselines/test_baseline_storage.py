"""Damaged, foreign and incomplete folders are refused with the reason."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from tsgen.baselines import IidGaussian, load_baseline
from tsgen.baselines.baseline_storage import DESCRIPTION, NUMBERS
from tsgen.complete_files import sha256_of
from tsgen.errors import CheckpointError, DataError


@pytest.fixture
def folder(panel, tmp_path):
    IidGaussian.fit(panel).save(tmp_path / "it")
    return tmp_path / "it"


def edit(folder, **changes):
    description = json.loads((folder / DESCRIPTION).read_text())
    (folder / DESCRIPTION).write_text(json.dumps(description | changes))


def test_a_missing_file(folder):
    (folder / NUMBERS).unlink()
    with pytest.raises(CheckpointError, match="is not a baseline folder"):
        load_baseline(folder)


def test_broken_json(folder):
    (folder / DESCRIPTION).write_text("{")
    with pytest.raises(CheckpointError, match="is damaged"):
        load_baseline(folder)


def test_another_schema_version(folder):
    edit(folder, schema_version=99)
    with pytest.raises(CheckpointError, match="has schema version 99, this version reads 1"):
        load_baseline(folder)


def test_a_changed_byte(folder):
    content = bytearray((folder / NUMBERS).read_bytes())
    content[-1] ^= 1
    (folder / NUMBERS).write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="does not match the digest"):
        load_baseline(folder)


def test_not_safetensors(folder):
    (folder / NUMBERS).write_bytes(b"nonsense")
    edit(folder, numbers_sha256=sha256_of(folder / NUMBERS))
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_baseline(folder)


@pytest.mark.parametrize("changes", [{"baseline": "unknown"}, {"record": {}}, {"record": {"assets": 3}}])
def test_a_description_of_something_else(folder, changes):
    edit(folder, **changes)
    with pytest.raises(CheckpointError, match="does not describe a baseline of this version"):
        load_baseline(folder)


def test_numbers_that_are_not_finite(folder):
    save_file({"mean": np.full(3, np.nan), "covariance": np.eye(3)}, folder / NUMBERS)
    edit(folder, numbers_sha256=sha256_of(folder / NUMBERS))
    with pytest.raises(DataError, match="must be finite"):
        load_baseline(folder)


def test_saving_twice_replaces(folder, panel):
    IidGaussian.fit(panel.select(["A"])).save(folder)
    assert load_baseline(folder).assets == ("A",)
