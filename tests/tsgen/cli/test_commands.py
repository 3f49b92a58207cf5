"""Every command through the command line itself: results, JSON, help, exit codes for bad input."""

import json
import subprocess
import sys

import pytest

from tsgen import ScenarioSet, load_generator, load_returns
from tsgen.cli.weights_file import read_weights

COMMANDS = ("run", "fit", "sample", "steer", "evaluate", "optimise", "backtest", "doctor")


@pytest.fixture
def generator(finished_once):
    return finished_once.folder / "generator"


@pytest.fixture
def scenarios(finished_once):
    return finished_once.folder / "scenarios.parquet"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(tsgen, command):
    got = tsgen(command, "--help")
    assert got.code == 0
    assert f"  tsgen {command}" in got.out, "an example"
    assert "\x08" not in got.out
    assert "--json" in got.out
    for code in ("0 done", "2 wrong option", "130 interrupted"):
        assert code in " ".join(got.out.split())


@pytest.mark.parametrize(
    ("command", "units"),
    [
        ("run", ("decimals per period", "fractions of wealth", "seconds", "MB")),
        ("fit", ("decimals per period", "loss per coordinate", "YYYY-MM-DD")),
        ("sample", ("decimals per period", "21 trading days")),
        ("evaluate", ("windows of 20 periods", "standard error", "daily one-step", "from 0 to 1", "YYYY-MM-DD")),
        ("optimise", ("fractions of wealth", "basis points", "decimals over the horizon")),
        ("doctor", ("dates x assets", "(MB)")),
    ],
)
def test_help_states_units(tsgen, command, units):
    text = " ".join(tsgen(command, "--help").out.split())
    for unit in units:
        assert unit in text


def test_version_and_bare_call(tsgen):
    assert tsgen("--version").out.startswith("tsgen 0")
    assert "doctor" in tsgen().out + tsgen().err


def test_the_default_configuration_can_be_printed(tsgen):
    from tsgen.cli.run_config import parse_run_config

    got = tsgen("run", "--print-default")
    assert got.code == 0
    assert parse_run_config(got.out).data.source == "us_stocks"


def test_fit_then_sample_equals_the_api(tsgen, tmp_path):
    got = tsgen(
        "fit", "sample", "--preset", "fast", "--until", "2018-12-31", "--assets", "SYN_B,SYN_A",
        "--output", tmp_path / "g", "--json",
    )  # fmt: skip
    assert got.code == 0, got.err
    content = json.loads(got.out)
    assert content["assets"] == ["SYN_B", "SYN_A"]
    assert content["training_cutoff"].startswith("2018-12-31")
    drawn = tsgen(
        "sample", tmp_path / "g", "--scenarios", 9, "--horizon", 4, "--seed", 5, "--output", tmp_path / "s.parquet",
        "--history", "sample", "--until", "2020-03-31", "--json",
    )  # fmt: skip
    assert drawn.code == 0, drawn.err
    assert json.loads(drawn.out)["asof"].startswith("2020-03-31")
    history = load_returns("sample").select(["SYN_B", "SYN_A"]).until("2020-03-31")
    expected = load_generator(tmp_path / "g").sample(9, 4, history=history, seed=5)
    assert (ScenarioSet.load(tmp_path / "s.parquet").returns == expected.returns).all()


def test_fit_says_what_missing_prices_cost(tsgen, tmp_path):
    prices = 100.0 * (load_returns("sample").returns.cumsum() / 100.0).add(1.0).iloc[:400, :3]
    prices.iloc[5, 1] = None
    prices.to_csv(tmp_path / "prices.csv")
    common = (
        "fit",
        tmp_path / "prices.csv",
        "--preset",
        "fast",
        "--output",
        tmp_path / "g",
        "--missing",
        "drop_assets",
    )
    said = tsgen(*common)
    assert said.code == 0, said.err
    assert f"Dropped for missing prices (--missing drop_assets): 1 assets ({prices.columns[1]})" in said.out
    assert json.loads(tsgen(*common, "--json").out)["missing"]["dropped_assets"] == [prices.columns[1]]
    whole = tsgen("fit", "sample", "--preset", "fast", "--until", "2018-12-31", "--output", tmp_path / "h")
    assert "Dropped" not in whole.out


def test_optimise_writes_weights_within_the_limits(tsgen, scenarios, tmp_path):
    held = tmp_path / "held.csv"
    held.write_text("asset,weight\n" + "".join(f"SYN_{c},0.2\n" for c in "ABCDE"))
    options = ("--risk-aversion", 5, "--max-weight", 0.4, "--previous", held, "--cost-bps", 10, "--max-turnover", 0.3)
    got = tsgen("optimise", scenarios, *options, "--output", tmp_path / "w.csv", "--json")
    assert got.code == 0, got.err
    content = json.loads(got.out)
    w = read_weights(tmp_path / "w.csv")
    assert content["weights"] == w.to_dict()
    assert w.max() <= 0.4
    assert abs(w.sum() - 1) < 1e-9
    assert (w - 0.2).abs().sum() <= 0.3 + 1e-8  # solver tolerance
    plain = tsgen("optimise", scenarios, "--risk-aversion", 5, "--output", tmp_path / "w.csv")
    assert "expected return" in plain.out


def test_doctor_is_content_here_and_finds_what_is_wrong(tsgen, monkeypatch):
    from tsgen.cli import health_checks

    light = [("python", health_checks._python), ("packages", health_checks._packages), ("disk", health_checks._disk)]
    monkeypatch.setattr(health_checks, "_questions", lambda: light)
    got = tsgen("doctor", "--json")
    assert (got.code, json.loads(got.out)["ok"]) == (0, True)

    def broken():
        raise OSError("read-only")

    monkeypatch.setattr(health_checks, "_questions", lambda: [("temporary files", broken)])
    got = tsgen("doctor", "--json")
    content = json.loads(got.out)
    assert (got.code, content["ok"]) == (1, False)
    assert content["checks"][0]["detail"] == "OSError: read-only"


def test_doctor_sees_another_package_of_our_name(monkeypatch, tmp_path):
    from tsgen.cli import health_checks

    real = health_checks.package_folder
    elsewhere = tmp_path / "portfolio"
    elsewhere.mkdir()
    monkeypatch.setattr(health_checks, "package_folder", lambda n: elsewhere if n == "portfolio" else real(n))
    check = health_checks._packages()
    assert not check.passed
    assert "another package of that name" in check.detail


@pytest.mark.slow
def test_doctor_in_full():
    """Every data set, torch, the solver: as a user calls it."""
    got = subprocess.run(
        [sys.executable, "-m", "tsgen.cli", "doctor", "--json"], capture_output=True, text=True, check=False
    )
    content = json.loads(got.stdout)
    assert got.returncode == 0, content
    assert {"torch", "solver", "data us_stocks", "data fama_french"} <= {c["name"] for c in content["checks"]}


def test_bad_options_of_fit(tsgen, tmp_path):
    out = ("--output", tmp_path / "g")
    cases = {
        ("no_such_set",): (2, "unknown data set"),
        (str(tmp_path / "none.csv"),): (5, "there is no file"),
        ("sample", "--preset", "quick"): (2, "--preset: input should be 'default', 'paper' or 'fast'; got 'quick'"),
        ("sample", "--kind", "logs"): (2, "--kind"),
        ("sample", "--until", "2018"): (2, "--until must be a date written in full"),
        ("sample", "--until", "2018-02-30"): (2, "--until must be a date written in full"),
        ("sample", "--until", "2010-01-01"): (3, "no returns up to 2010-01-01"),
        ("sample", "--until", "2015-03-01", "--preset", "fast"): (3, "dates are needed"),
        ("sample", "--assets", "NOPE"): (3, "unknown asset 'NOPE'"),
        ("sample", "--device", "tpu", "--preset", "fast"): (2, "device 'tpu' is not available"),
        ("sample", "--seed", "-1"): (2, "--seed"),
    }
    for arguments, (code, message) in cases.items():
        got = tsgen("fit", *arguments, *out)
        assert (got.code, message in got.err) == (code, True), (arguments, got.code, got.err)
        assert not (tmp_path / "g").exists()


def _prices(tmp_path, text):
    path = tmp_path / "prices.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("date,A,B\n2020-01-01,1,2\n2020-01-01,1,2\n2020-01-02,1,2\n", "more than once"),
        ("date,A,B\n2020-01-03,1,2\n2020-01-02,2,3\n2020-01-04,1,2\n", "sorted"),
        ("date,A,B\n2020-01-01,1,2\n2020-01-02,,3\n2020-01-03,1,2\n", "first hole is A on 2020-01-02"),
        ("date,A,B\n2020-01-01,1,2\n2020-01-02,inf,3\n2020-01-03,1,2\n", "A"),
        ("date,A,B\n2020-01-01,1,2\n2020-01-02,1,3\n2020-01-03,1,4\n2020-01-04,1,4\n", "constant"),
        ("date,A\n2020-01-01,1\n", "needs two prices"),
        ("date,A\n2020-01-01,1\n2020-01-02,2\n2020-01-03,1\n", "dates are needed"),
    ],
)
def test_bad_prices_are_data_errors(tsgen, tmp_path, rows, message):
    got = tsgen("fit", _prices(tmp_path, rows), "--preset", "fast", "--output", tmp_path / "g", "--json")
    assert got.code == 3, got.err
    assert message in got.err
    assert json.loads(got.out)["error"]["exit_code"] == 3


def test_bad_options_of_sample(tsgen, generator, tmp_path):
    def call(*arguments, scenarios=5, horizon=3, name="s.parquet"):
        return tsgen(
            "sample", generator, "--scenarios", scenarios, "--horizon", horizon, "--output", tmp_path / name, *arguments
        )

    assert call(horizon=0).code == 2
    assert call(scenarios=0).code == 2
    cases = [
        (call("--until", "2019-01-01"), 2, "give --history DATA too"),
        (call(name="s.csv"), 2, "--output must end in .parquet"),
        (call("--history", "us_index"), 3, "unknown asset"),
        (call("--history", "sample", "--missing", "fill"), 2, "missing must be one of"),
    ]
    for got, code, message in cases:
        assert (got.code, message in got.err) == (code, True), got.err
    assert list(tmp_path.glob("s.*")) == []


def test_damaged_generators_are_refused(tsgen, finished, tmp_path):
    folder = finished.folder / "generator"

    def call():
        return tsgen("sample", folder, "--scenarios", 5, "--horizon", 3, "--output", tmp_path / "s.parquet")

    weights = folder / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    got = call()
    assert (got.code, "truncated or changed" in got.err) == (5, True)
    weights.write_bytes(whole)
    (folder / "generator.json").write_text("{")
    assert call().code == 5
    (folder / "generator.json").unlink()
    got = call()
    assert (got.code, "is not a generator folder" in got.err) == (5, True)
    assert not (tmp_path / "s.parquet").exists()


def test_bad_input_of_optimise(tsgen, scenarios, tmp_path):
    held = tmp_path / "held.csv"
    held.write_text("asset,weight\nSYN_A,nan\n")
    other = tmp_path / "other.csv"
    other.write_text("asset,weight\nOTHER,1\n")
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(scenarios.read_bytes()[:500])

    def call(*arguments, source=scenarios, gamma=5):
        return tsgen("optimise", source, "--risk-aversion", gamma, "--output", tmp_path / "w.csv", *arguments)

    cases = [
        (call("--previous", held), 3, "weight of SYN_A"),
        (call("--previous", other), 3, "unknown OTHER"),
        (call("--previous", tmp_path / "none.csv"), 5, "cannot read the weights"),
        (call("--max-turnover", 0.5), 2, "give --previous CSV too"),
        (call("--max-weight", 0.1), 4, "Bounds upper 0.1"),
        (call("--min-weight", 0.5, "--max-weight", 0.1), 2, "lower must not exceed upper"),
        (call("--max-weight", "nan"), 3, "upper bounds"),
        (call(gamma=0), 2, "risk_aversion must be a positive finite number"),
        (call(gamma="nan"), 2, "risk_aversion must be a positive finite number"),
        (call(source=torn), 5, "not a complete scenario file"),
        (call(source=tmp_path / "none.parquet"), 5, "not a complete scenario file"),
    ]
    for got, code, message in cases:
        assert (got.code, message in got.err) == (code, True), (message, got.code, got.err)
        assert "Traceback" not in got.err
    assert not (tmp_path / "w.csv").exists()


def test_a_full_disk_loses_nothing(tsgen, generator, tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    target = tmp_path / "s.parquet"
    options = ("--scenarios", 5, "--horizon", 3, "--output", target)
    assert tsgen("sample", generator, *options).code == 0
    before = target.read_bytes()

    def full(_table, path, **_):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    got = tsgen("sample", generator, *options, "--seed", 1)
    assert (got.code, "No space left on device" in got.err) == (5, True)
    assert target.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["s.parquet"]


def test_the_installed_program_keeps_stdout_for_the_result(scenarios, tmp_path):
    command = [
        sys.executable,
        "-m",
        "tsgen.cli",
        "optimise",
        str(scenarios),
        "--risk-aversion",
        "5",
        "--json",
        "--output",
    ]
    good = subprocess.run([*command, str(tmp_path / "w.csv")], capture_output=True, text=True, check=False)
    assert good.returncode == 0
    assert set(json.loads(good.stdout)) == {"file", "weights", "status", "objective", "diagnostics"}
    (tmp_path / "w.csv").unlink()
    bad = subprocess.run([*command, "/dev/null/w.csv"], capture_output=True, text=True, check=False)
    assert bad.returncode == 5
    assert json.loads(bad.stdout)["error"]["exit_code"] == 5
    assert len(bad.stderr.strip().splitlines()) == 1
