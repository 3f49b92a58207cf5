"""The run: complete, reproducible, and the same to the byte however often it was stopped."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from portfolio import Allocation, Bounds, LinearCost, historical_moments, mean_variance
from tsgen import ScenarioSet, load_generator, load_returns
from tsgen.cli import pipeline, pipeline_stages, stage_ledger
from tsgen.cli.folder_lock import folder_lock
from tsgen.cli.weights_file import read_weight_table
from tsgen.complete_files import sha256_of
from tsgen.errors import StorageError
from tsgen.marketdata import ReturnPanel

STAGES = ("fit", "sample", "optimise", "report")


def test_the_run_folder_is_complete_and_consistent(finished_once):
    assert finished_once.done.code == 0, finished_once.done.err
    folder = finished_once.folder
    content = json.loads(finished_once.done.out)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert content == {"folder": str(folder), "manifest": manifest}
    for path, facts in manifest["files"].items():
        assert sha256_of(folder / path) == facts["sha256"]
        assert (folder / path).stat().st_size == facts["bytes"]
    assert {"generator/weights.safetensors", "scenarios.parquet", "weights.csv", "report.html"} <= set(
        manifest["files"]
    )
    assert set(manifest["run"]["seconds"]) == {"load", "total", *STAGES}
    assert manifest["run"]["peak_memory_mb"] > 100  # torch alone takes more
    assert manifest["run"]["resumed_stages"] == []
    assert manifest["seeds"] == {"generator": 0, "scenarios": 3}
    assert manifest["data"]["train"]["fingerprint"] == load_returns("sample").until("2018-12-31").fingerprint()


def test_nothing_in_the_run_folder_tells_on_the_machine(finished_once):
    for name in ("manifest.json", "report.html", ".stages/run.json"):
        text = (finished_once.folder / name).read_text()
        assert str(finished_once.folder.parent) not in text
        assert str(Path.cwd()) not in text


def test_scenarios_and_weights_are_those_of_the_api(finished_once):
    folder = finished_once.folder
    train = load_returns("sample").until("2018-12-31")
    scenarios = ScenarioSet.load(folder / "scenarios.parquet")
    again = load_generator(folder / "generator").sample(60, 5, history=train, seed=3)
    assert scenarios.asof == train.dates[-1]
    # conditions at the end of training, whether remembered or read off the history (float64 filters)
    np.testing.assert_allclose(scenarios.returns, again.returns, rtol=0, atol=1e-6)
    rules = {"risk_aversion": 5.0, "constraints": [Bounds(0, 0.6)], "costs": LinearCost(0.0005)}
    weights = read_weight_table(folder / "weights.csv")
    own = mean_variance(scenarios, **rules).weights
    past = mean_variance(historical_moments(train, horizon=5), **rules).weights
    assert weights["tsgen_scenarios"].tolist() == own.tolist()
    assert weights["historical_moments"].tolist() == past.tolist()
    assert weights["equal_weight"].tolist() == [0.2] * 5
    assert weights["tsgen_scenarios"].tolist() != weights["historical_moments"].tolist()


def test_the_report_warns_of_known_biases_and_shows_what_happened(finished_once):
    text = (finished_once.folder / "report.html").read_text(encoding="utf-8")
    assert "Known biases of these data: Synthetic" in text
    assert "what happened" in text
    assert "historical moments" in text


def test_a_finished_run_is_not_repeated(tsgen, finished, results, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a finished stage was done again")

    for name in STAGES:
        monkeypatch.setattr(pipeline, f"{name}_stage", never)
    before = results(finished.folder)
    got = tsgen("run", finished.config, "--output", finished.folder)
    assert got.code == 0, got.err
    assert results(finished.folder) == before
    assert "kept from before: fit, sample, optimise, report" in got.out
    assert f"Report: {finished.folder / 'report.html'}" in got.out


@pytest.mark.parametrize("stage", STAGES)
def test_an_interrupted_run_resumes_to_the_same_bytes(tsgen, finished, results, small, monkeypatch, stage):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    folder = finished.folder
    later = STAGES[STAGES.index(stage) :]
    outputs = dict(zip(STAGES, ("generator", "scenarios.parquet", "weights.csv", "report.html"), strict=True))
    if stage == "fit":
        shutil.rmtree(folder / "generator")
    for name in later:  # the state before this stage
        (folder / ".stages" / f"{name}.json").unlink()
        if name != "fit":
            (folder / outputs[name]).unlink()
    (folder / "manifest.json").unlink()
    monkeypatch.setattr(pipeline, f"{stage}_stage", interrupt)
    got = tsgen("run", small, "--output", folder)
    assert got.code == 130
    assert "run the same command again to resume" in got.err
    assert not (folder / "manifest.json").exists()
    monkeypatch.undo()
    leftover = folder / ".scenarios.parquet.incomplete-0000"  # as kill -9 leaves it
    leftover.write_bytes(b"half")
    again = tsgen("run", small, "--output", folder, "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["manifest"]["run"]["resumed_stages"] == list(STAGES[: STAGES.index(stage)])
    assert results(folder) == results(finished.original)


def test_a_stage_whose_output_was_changed_is_done_again(tsgen, finished, results):
    path = finished.folder / "weights.csv"
    path.write_text(path.read_text().replace("0.2", "0.3"))
    (finished.folder / ".stages" / "report.json").write_text("{ damaged")
    got = tsgen("run", finished.config, "--output", finished.folder, "--json")
    assert json.loads(got.out)["manifest"]["run"]["resumed_stages"] == ["fit", "sample"]
    assert results(finished.folder) == results(finished.original)


def test_another_configuration_is_refused_and_force_keeps_what_did_not_change(tsgen, finished, small, results):
    small.write_text(small.read_text().replace("max_weight = 0.6", "max_weight = 0.5"))
    before = results(finished.folder)
    got = tsgen("run", small, "--output", finished.folder)
    assert got.code == 2
    assert "config.portfolio.max_weight was 0.6 and is now 0.5" in got.err
    assert results(finished.folder) == before
    forced = tsgen("run", small, "--output", finished.folder, "--force", "--json")
    assert forced.code == 0, forced.err
    assert json.loads(forced.out)["manifest"]["run"]["resumed_stages"] == ["fit", "sample"]
    assert read_weight_table(finished.folder / "weights.csv")["tsgen_scenarios"].max() <= 0.5


def test_the_number_of_workers_is_not_part_of_the_identity(tsgen, finished, small):
    small.write_text(small.read_text().replace("seed = 3", "seed = 3\nworkers = 2"))
    got = tsgen("run", small, "--output", finished.folder, "--json")
    assert json.loads(got.out)["manifest"]["run"]["resumed_stages"] == list(STAGES)


def test_foreign_files_are_not_overwritten(tsgen, small, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "weights.csv").write_text("precious")
    got = tsgen("run", small, "--output", folder)
    assert (got.code, "already has weights.csv" in got.err) == (2, True)
    assert (folder / "weights.csv").read_text() == "precious"


def test_an_infeasible_portfolio_ends_with_four_and_keeps_the_work(tsgen, finished, small):
    small.write_text(small.read_text().replace("max_weight = 0.6", "max_weight = 0.1"))
    got = tsgen("run", small, "--output", finished.folder, "--force")
    assert (got.code, "Bounds upper 0.1" in got.err) == (4, True)
    assert not (finished.folder / "manifest.json").exists()
    assert (finished.folder / ".stages" / "sample.json").exists()


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (("horizon = 5", "horzon = 5"), 2, "Did you mean 'horizon'"),
        (("horizon = 5", "horizon = 0"), 2, "greater than or equal to 1"),
        (('preset = "fast"', 'preset = "fast"\n[generator.sampler]\nn_steps = 1'), 2, "n_steps must be"),
        (('source = "sample"', 'source = "none.csv"'), 5, "there is no file"),
        (('source = "sample"', 'source = "sample"\nassets = ["NOPE"]'), 3, "unknown asset"),
        (("max_weight = 0.6", 'previous = "held.csv"'), 5, "cannot read the weights"),
    ],
)
def test_bad_configurations_stop_before_any_work(tsgen, small, tmp_path, change, code, message):
    small.write_text(small.read_text().replace(*change))
    got = tsgen("run", small, "--output", tmp_path / "out")
    assert (got.code, message in got.err) == (code, True), got.err
    assert not (tmp_path / "out").exists()


def test_unwritable_places(tsgen, small, tmp_path):
    (tmp_path / "file").write_text("x")
    assert tsgen("run", small, "--output", tmp_path / "file").code == 5
    assert tsgen("run", small, "--output", "/dev/null/run").code == 5
    assert tsgen("run", tmp_path / "none.toml").code == 5


def test_a_full_disk_in_a_stage_loses_nothing(tsgen, finished, small, results, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    (finished.folder / ".stages" / "optimise.json").unlink()
    monkeypatch.setattr("pandas.DataFrame.to_csv", full)
    got = tsgen("run", small, "--output", finished.folder)
    assert (got.code, "No space left on device" in got.err) == (5, True)
    monkeypatch.undo()
    assert results(finished.folder) == results(finished.original)
    assert tsgen("run", small, "--output", finished.folder).code == 0
    assert results(finished.folder) == results(finished.original)


def test_without_a_later_span_nothing_is_said_about_it(tsgen, finished, small):
    small.write_text(small.read_text().replace("train_until = 2018-12-31\n", "").replace("n = 60", "n = 40"))
    got = tsgen("run", small, "--output", finished.folder, "--force", "--json")
    manifest = json.loads(got.out)["manifest"]
    assert manifest["data"]["test"] is None
    assert set(manifest["results"]["realised"].values()) == {None}


def test_a_folder_belongs_to_one_process(tmp_path):
    # a second descriptor conflicts like a second process: flock belongs to the open file
    with (
        folder_lock(tmp_path / "run"),
        pytest.raises(StorageError, match="another process is working in"),
        folder_lock(tmp_path / "run"),
    ):
        pass
    with folder_lock(tmp_path / "run"):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write into"), folder_lock(tmp_path / "file" / "run"):
        pass


def test_the_key_of_a_stage_depends_on_inputs_and_program(tmp_path, monkeypatch):
    ledger = stage_ledger.StageLedger(tmp_path)
    ledger.open({"a": 1}, outputs=["out"], force=False)
    calls = []

    def work():
        calls.append(1)
        (tmp_path / "out").write_text("x")
        return {"n": len(calls)}

    def stage(inputs):
        return ledger.stage("s", inputs, ["out"], work, clock=lambda: 0.0)

    assert [stage({"x": 1}).resumed, stage({"x": 1}).resumed, stage({"x": 2}).resumed] == [False, True, False]
    monkeypatch.setattr(stage_ledger, "program_versions", lambda: {"torch": "another"})
    assert not stage({"x": 2}).resumed
    (tmp_path / "out").unlink()
    assert not stage({"x": 2}).resumed


def test_a_bankrupt_policy_costs_a_line_not_the_report():
    """Three times short of an asset that gains half: wealth 1 - 1.5 is gone."""
    days = pd.bdate_range("2020-01-01", periods=30)
    gains = np.where(np.arange(30) == 10, 0.5, 0.001 * (np.arange(30) % 3))
    later = ReturnPanel(pd.DataFrame({"A": gains}, index=days), kind="simple")
    short = Allocation(weights=pd.Series({"A": -3.0}), status="benchmark", objective=None)
    realised, remarks = pipeline_stages._realised(later, short, "short")
    assert realised is None
    assert len(remarks) == 1
    assert remarks[0].startswith("No realised performance of the policy short: the portfolio's wealth is not positive")
    assert pipeline_stages._realised(None, short, "short") == (None, [])


def test_irregular_dates_are_not_annualised():
    days = pd.DatetimeIndex(pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(40) * 11, unit="D"))
    later = ReturnPanel(pd.DataFrame({"A": np.sin(np.arange(40.0)) / 50}, index=days), kind="simple")
    weights = Allocation(weights=pd.Series({"A": 1.0}), status="benchmark", objective=None)
    realised, remarks = pipeline_stages._realised(later, weights, "one")
    assert realised is None
    assert "irregular" in remarks[0]


def _kill_when(path, command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while process.poll() is None and not path.exists() and time.monotonic() < end:
        time.sleep(0.001)
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()
    return process.returncode


@pytest.mark.slow
@pytest.mark.parametrize("at", [".stages/run.json", "generator", "weights.csv", "report.html"])
def test_a_killed_run_resumes_to_the_same_bytes(finished_once, results, tmp_path, at):
    """Kill -9 as soon as a file appears; then run the same command again in a fresh process."""
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "tsgen.cli", "run", str(finished_once.config), "--output", str(folder)]
    assert _kill_when(folder / at, command) == -signal.SIGKILL
    assert not (folder / "manifest.json").exists()
    subprocess.run(command, check=True, capture_output=True)
    assert results(folder) == results(finished_once.folder)
    hidden = {p.name for p in folder.iterdir() if p.name.startswith(".")}
    assert hidden == {".stages", ".lock"}


@pytest.mark.slow
def test_two_workers_give_the_same_files(finished_once, tmp_path, tsgen):
    text = finished_once.config.read_text().replace("seed = 3", "seed = 3\nworkers = 2")
    (tmp_path / "two.toml").write_text(text)
    got = tsgen("run", tmp_path / "two.toml", "--output", tmp_path / "run")
    assert got.code == 0, got.err
    for name in ("scenarios.parquet", "weights.csv", "report.html"):
        assert (tmp_path / "run" / name).read_bytes() == (finished_once.folder / name).read_bytes()
