"""Scenarios on disk: the same as in memory, for any number of workers, and after any interruption."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from tsgen.errors import ConfigError, DataError, StorageError
from tsgen.generator import GeneratorConfig, fit_generator
from tsgen.marketdata import ReturnPanel
from tsgen.sampling import partitioned_sampling
from tsgen.sampling.partitioned_sampling import model_digest, scenarios_per_part
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.scenario_parts import MANIFEST, PartsHeader, ScenarioParts, write_part
from tsgen.scenario_set import ScenarioSet

SMALL = SamplerConfig(n_steps=4, block_size=8)
HEADER = PartsHeader(("A", "B"), "log", None, 20, 3, 8, {"seed": 1})


@pytest.fixture(scope="module")
def generator():
    rng = np.random.default_rng(0)
    values = 0.01 * rng.standard_t(5, (300, 2))
    dates = pd.bdate_range("2020-01-01", periods=300)
    panel = ReturnPanel(pd.DataFrame(values, index=dates, columns=["A", "B"]), kind="log")
    config = replace(GeneratorConfig.preset("fast"), sampler=SMALL)
    return fit_generator(panel, config, seed=0)


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of two blocks of 8 paths x 3 periods x 2 assets x 4 bytes."""
    monkeypatch.setattr(partitioned_sampling, "_PART_BYTES", 2 * 8 * 3 * 2 * 4)


def digests(folder):
    return {p["file"]: p["sha256"] for p in json.loads((folder / MANIFEST).read_text())["parts"]}


def test_parts_hold_the_scenarios_of_sample(generator, small_parts, tmp_path):
    parts = generator.sample_to_parquet(tmp_path / "s", 37, 3, seed=5)
    whole = generator.sample(37, 3, seed=5)
    assert len(parts) == 3  # 16 + 16 + 5
    assert np.array_equal(parts.load().returns, whole.returns)
    assert [p.n_scenarios for p in parts] == [16, 16, 5]
    assert np.array_equal(parts.part(1).returns, whole.returns[16:32])
    assert parts.part(2).provenance["first_scenario"] == 32
    assert parts.asof == whole.asof == generator.training_cutoff
    assert (parts.n_scenarios, parts.horizon, parts.assets) == (37, 3, ("A", "B"))
    assert "37 scenarios x 3 periods x 2 assets, log returns, 3 parts" in repr(parts)


def test_any_program_reads_the_folder(generator, small_parts, tmp_path):
    generator.sample_to_parquet(tmp_path / "s", 37, 3, seed=5)
    frame = pd.concat(pq.read_table(p).to_pandas() for p in sorted((tmp_path / "s").glob("*.parquet")))
    assert frame["scenario"].tolist() == np.repeat(np.arange(37), 3).tolist()
    assert frame["period"].tolist() == [1, 2, 3] * 37
    whole = generator.sample(37, 3, seed=5).returns
    assert np.array_equal(frame[["return.A", "return.B"]].to_numpy(np.float64).reshape(37, 3, 2), whole)
    assert isinstance(ScenarioSet.load(tmp_path / "s" / "part-000001.parquet"), ScenarioSet)


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_workers(generator, small_parts, tmp_path):
    generator.sample_to_parquet(tmp_path / "one", 60, 3, seed=5)
    generator.sample_to_parquet(tmp_path / "two", 60, 3, seed=5, n_workers=2)
    generator.sample_to_parquet(tmp_path / "other", 60, 3, seed=6)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert set(digests(tmp_path / "one").values()).isdisjoint(digests(tmp_path / "other").values())


class _Stop(Exception):
    pass


def test_an_interrupted_call_is_finished_by_the_same_call(generator, small_parts, tmp_path):
    folder, seen = tmp_path / "s", []

    def stop_after_two(event):
        seen.append(event)
        if event.done == 2:
            raise _Stop

    with pytest.raises(_Stop):
        generator.sample_to_parquet(folder, 60, 3, seed=5, progress=stop_after_two)
    with pytest.raises(StorageError, match=r"is incomplete: 2 of 4 parts are written. Run the same"):
        ScenarioParts.open(folder)
    before = {p.name: p.stat().st_mtime_ns for p in folder.glob("*.parquet")}
    (folder / ".part-000002.parquet.incomplete-12345678").write_bytes(b"half")
    events = []
    parts = generator.sample_to_parquet(folder, 60, 3, seed=5, progress=events.append)
    assert [e.done for e in events] == [3, 4]  # only what was missing
    assert all((folder / name).stat().st_mtime_ns == stamp for name, stamp in before.items())
    assert np.array_equal(parts.load().returns, generator.sample(60, 3, seed=5).returns)
    assert {p.name for p in folder.iterdir()} == {MANIFEST, *(f"part-{n:06d}.parquet" for n in range(4))}


def test_a_damaged_part_is_noticed_and_rewritten(generator, small_parts, tmp_path):
    folder = tmp_path / "s"
    parts = generator.sample_to_parquet(folder, 37, 3, seed=5)
    whole = digests(folder)
    damaged = bytearray((folder / "part-000001.parquet").read_bytes())
    damaged[60] ^= 1
    (folder / "part-000001.parquet").write_bytes(bytes(damaged))
    (folder / "part-000002.parquet").unlink()
    with pytest.raises(StorageError, match=r"does not match its digest in manifest\.json"):
        parts.part(1)
    with pytest.raises(StorageError, match=r"is missing\. Run the same sample_to_parquet call"):
        parts.part(2)
    assert np.array_equal(generator.sample_to_parquet(folder, 37, 3, seed=5).load().returns[:16], parts.part(0).returns)
    assert digests(folder) == whole
    with pytest.raises(DataError, match=r"there is no part 3: .* has parts 0 to 2"):
        parts.part(3)


def test_another_request_never_mixes_in(generator, small_parts, tmp_path):
    folder = tmp_path / "s"
    generator.sample_to_parquet(folder, 37, 3, seed=5)
    with pytest.raises(StorageError, match="scenarios of another request: seed 5 there, 6 asked"):
        generator.sample_to_parquet(folder, 37, 3, seed=6)
    with pytest.raises(StorageError, match="another request: n_scenarios 37 there, 38 asked"):
        generator.sample_to_parquet(folder, 38, 3, seed=5)
    other = replace(generator, head=type(generator.head)(generator.head.shape, generator.head.anchor))
    changed = next(b for b in other.head.buffers() if b.numel())
    changed.add_(0.01)
    with pytest.raises(StorageError, match="another request: model_sha256"):
        other.sample_to_parquet(folder, 37, 3, seed=5)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(StorageError, match=r"holds files of something else \(notes.txt\)"):
        generator.sample_to_parquet(tmp_path / "mine", 37, 3, seed=5)
    with pytest.raises(StorageError, match="is a file, expected a folder"):
        generator.sample_to_parquet(tmp_path / "mine" / "notes.txt", 37, 3, seed=5)


def test_the_digest_of_a_model_covers_its_residual_map_and_its_state(generator):
    from tsgen.whitening.residual_map import ResidualMap

    sampler = generator._sampler(SMALL)
    knots = torch.tensor([[-1.0, 0.0, 1.0]] * 3)
    mapped = replace(sampler, residual_map=ResidualMap(knots, knots, torch.zeros(2)))
    moved = replace(generator.origin, window=generator.origin.window + 1.0)
    found = {
        model_digest(sampler, generator.origin),
        model_digest(mapped, generator.origin),
        model_digest(sampler, moved),
    }
    assert len(found) == 3


def test_arguments_are_checked_before_anything_is_written(generator, tmp_path):
    with pytest.raises(ConfigError, match="n_scenarios must be a positive integer: got 0"):
        generator.sample_to_parquet(tmp_path / "s", 0, 3, seed=5)
    assert not (tmp_path / "s").exists()


def test_parts_are_whole_blocks_and_a_function_of_the_request():
    assert scenarios_per_part(512, 21, 20) == 512 * 39  # 39 blocks of 840 KiB are just below 32 MiB
    assert scenarios_per_part(512, 5000, 500) == 512  # one block is the least


def test_a_part_is_written_whole_or_not_at_all(tmp_path):
    tmp_path.joinpath("s").mkdir()
    block = np.ones((8, 3, 2), np.float32)
    with pytest.raises(DataError, match="part 2 needs 4 scenarios, its blocks hold 3"):
        write_part(tmp_path / "s", HEADER, 2, [block[:3]])
    block[5, 1, 0] = np.inf
    with pytest.raises(DataError, match="scenario 13 has returns that are not finite"):
        write_part(tmp_path / "s", HEADER, 1, [block])
    assert list((tmp_path / "s").iterdir()) == []
    assert write_part(tmp_path / "s", HEADER, 2, [np.zeros((8, 3, 2), np.float32)]).n_scenarios == 4  # the rest is cut


def test_a_damaged_manifest_is_explained(tmp_path):
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(StorageError, match=r"manifest.json cannot be read \(KeyError"):
        ScenarioParts.open(tmp_path)
    (tmp_path / MANIFEST).write_text('{"schema_version": 99}')
    with pytest.raises(StorageError, match="schema version 99, this version reads 1"):
        ScenarioParts.open(tmp_path)


_CHILD = """
import sys, time
from tsgen.generator import load_generator
from tsgen.sampling import partitioned_sampling
partitioned_sampling._PART_BYTES = 2 * 8 * 3 * 2 * 4
load_generator(sys.argv[1]).sample_to_parquet(sys.argv[2], 160, 3, seed=5, progress=lambda e: time.sleep(0.2))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_process_leaves_a_folder_that_resumes(generator, small_parts, tmp_path):
    generator.save(tmp_path / "generator")
    folder = tmp_path / "s"
    command = [sys.executable, "-c", _CHILD, str(tmp_path / "generator"), str(folder)]
    child = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 120
    while len(list(folder.glob("part-*.parquet"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    child.kill()
    child.wait()
    written = len(list(folder.glob("part-*.parquet")))
    assert 3 <= written < 10
    parts = generator.sample_to_parquet(folder, 160, 3, seed=5)
    assert np.array_equal(parts.load().returns, generator.sample(160, 3, seed=5).returns)
