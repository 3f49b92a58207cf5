"""`tsgen backtest`: the configuration, the folder, resuming, and the same numbers as the interface in Python."""

import json
import shutil
from functools import partial

import numpy as np
import pandas as pd
import pytest

import portfolio
from tsgen import load_returns
from tsgen.baselines import StationaryBootstrap
from tsgen.cli import backtest_strategies
from tsgen.cli.backtest_config import (
    STRATEGIES,
    default_backtest_text,
    load_backtest_config,
    parse_backtest_config,
)
from tsgen.cli.backtest_strategies import StoredFit
from tsgen.complete_files import sha256_of
from tsgen.errors import ConfigError, StorageError

SMALL = """
[data]
source = "sample"
[generator]
preset = "fast"
[backtest]
start = 2018-01-01
end = 2018-12-28
strategies = ["equal-weight", "historical-moments", "stationary-bootstrap"]
objectives = ["mean-variance", "mean-cvar"]
rebalance = "quarterly"
horizon = 5
n_scenarios = 60
seed = 3
[portfolio]
max_weight = 0.6
cost_bps = 5.0
"""
MINIMAL = '[data]\nsource = "sample"\n[backtest]\nstart = 2018-01-02\n'


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    from types import SimpleNamespace

    from typer.testing import CliRunner

    from tsgen.cli.application import app

    folder = tmp_path_factory.mktemp("backtest")
    (folder / "small.toml").write_text(SMALL, encoding="utf-8")
    done = CliRunner().invoke(app, ["backtest", str(folder / "small.toml"), "--output", str(folder / "run"), "--json"])
    assert done.exit_code == 0, done.stderr
    return SimpleNamespace(folder=folder / "run", config=folder / "small.toml", content=json.loads(done.stdout))


def test_help_teaches(tsgen):
    text = " ".join(tsgen("backtest", "--help").out.split())
    for part in ("tsgen backtest my.toml", "decimals per period", "fractions of wealth", "YYYY-MM-DD", "--json"):
        assert part in text
    for code in ("0 done", "2 wrong option", "130 interrupted"):
        assert code in text
    assert "\x08" not in text


def test_the_default_can_be_printed_and_read(tsgen):
    got = tsgen("backtest", "--print-default")
    assert got.code == 0
    assert got.out == default_backtest_text()
    default = parse_backtest_config(got.out)
    assert default.data.source == "us_stocks"
    assert default.backtest.lag == 1


def test_the_books_are_those_of_the_interface(finished):
    """The same settings through `portfolio.backtest`: wealth must agree to the bit."""
    panel = load_returns("sample")
    costs, limits = portfolio.LinearCost(0.0005), [portfolio.Bounds(0.0, 0.6)]
    bootstrap = StationaryBootstrap.fit(panel.until("2018-01-01"))
    variance = partial(portfolio.mean_variance, risk_aversion=5.0, constraints=limits, costs=costs)
    policies = {
        "equal-weight": portfolio.EqualWeightPolicy(),
        "historical-moments, mean-variance": portfolio.HistoricalMomentsPolicy(optimise=variance, horizon=5),
        "stationary-bootstrap, mean-variance": portfolio.ScenarioPolicy(
            source=bootstrap, optimise=variance, horizon=5, n_scenarios=60
        ),
    }
    wealth = pd.read_csv(finished.folder / "wealth.csv", index_col="date", parse_dates=True)
    assert list(wealth.columns) == [*policies, "stationary-bootstrap, mean-cvar"]
    for name, policy in policies.items():
        book = portfolio.backtest(
            panel, policy, start="2018-01-01", end="2018-12-28", rebalance="quarterly", costs=costs, seed=3
        )
        np.testing.assert_allclose(wealth[name], book.wealth, rtol=1e-12)
        stored = portfolio.BacktestResult.from_parquet(finished.folder / "books" / name.replace(", ", "-"))
        np.testing.assert_allclose(stored.weights, book.weights, rtol=1e-9, atol=1e-12)


def test_the_folder_is_complete(finished):
    manifest = json.loads((finished.folder / "backtest.json").read_text())
    assert finished.content["manifest"] == manifest
    assert finished.content["folder"] == str(finished.folder)
    assert set(manifest["files"]) == {"performance.csv", "wealth.csv", "comparison.csv", "differences.csv"}
    for name, digest in manifest["files"].items():
        assert sha256_of(finished.folder / name) == digest
    assert manifest["failed_decisions"]["stationary-bootstrap, mean-cvar"] == 0
    table = pd.read_csv(finished.folder / "performance.csv", index_col=["strategy", "measure"])
    value = table.loc[("equal-weight", "Sharpe ratio"), "value"]
    assert finished.content["performance"]["equal-weight"]["Sharpe ratio"]["value"] == pytest.approx(value)
    differences = pd.read_csv(finished.folder / "differences.csv")
    assert "equal-weight" not in set(differences["strategy"])
    comparison = pd.read_csv(finished.folder / "comparison.csv", index_col="strategy")
    assert comparison["included"].any()
    for path in finished.folder.rglob("*.json"):
        assert str(finished.folder.parent) not in path.read_text()


def test_a_second_run_resumes_and_writes_the_same(tsgen, finished, tmp_path):
    # moved, and with another number of workers: neither makes other strategies of them
    folder = tmp_path / "moved"
    shutil.copytree(finished.folder, folder)
    config = tmp_path / "c.toml"
    config.write_text(SMALL.replace("seed = 3", "seed = 3\nworkers = 2"), encoding="utf-8")
    before = {p.name: p.read_bytes() for p in folder.glob("*.csv")}
    again = tsgen("backtest", config, "--output", folder)
    assert again.code == 0, again.err
    assert "equal-weight" in again.out
    assert "Sharpe" in again.out
    assert "Known biases of these data" in again.out
    assert {p.name: p.read_bytes() for p in folder.glob("*.csv")} == before
    assert json.loads((folder / "backtest.json").read_text())["run"]["strategies_resumed"] == 4


def test_failed_decisions_are_told(tsgen, tmp_path):
    text = SMALL.replace('"stationary-bootstrap"]', '"ledoit-wolf"]').replace("max_weight = 0.6", "max_weight = 0.1")
    (tmp_path / "c.toml").write_text(text, encoding="utf-8")
    got = tsgen("backtest", tmp_path / "c.toml", "--output", tmp_path / "run")
    # five assets of at most 0.1 cannot make 1: nothing is ever held, which must not spoil the other strategies
    assert got.code == 0, got.err
    assert "Failed decisions, positions held: historical-moments, mean-variance 4, ledoit-wolf, mean-var" in got.out
    assert "Not judged, ledoit-wolf, mean-variance: the returns do not vary" in got.out
    assert sorted(p.name for p in (tmp_path / "run").glob("*.csv")) == ["performance.csv", "wealth.csv"]
    (tmp_path / "c.toml").write_text(text.replace('"equal-weight", ', ""), encoding="utf-8")
    got = tsgen("backtest", tmp_path / "c.toml", "--output", tmp_path / "other", "--json")
    assert json.loads(got.out)["error"]["type"] == "DataError"
    assert "no strategy can be judged" in got.err


def test_generators_are_fitted_once_per_training_date(finished, tmp_path, monkeypatch):
    config = load_backtest_config(finished.config)
    panel = load_returns("sample").until("2018-01-01")
    fit = StoredFit(name="tsgen", generator=config.generator, _folder=tmp_path)
    one = fit(panel)
    monkeypatch.setattr(StoredFit, "_fitted", lambda *_: pytest.fail("fitted again"))
    two = fit(panel)
    np.testing.assert_array_equal(one.sample(5, 3, seed=0).returns, two.sample(5, 3, seed=0).returns)
    assert one.training_cutoff == panel.dates[-1]
    assert repr(fit) == "StoredFit(tsgen)"


def test_retraining_on_a_schedule(tmp_path):
    text = SMALL.replace('["equal-weight", "historical-moments", "stationary-bootstrap"]', '["fhs-ewma"]')
    text = text.replace('objectives = ["mean-variance", "mean-cvar"]', 'retrain = "quarterly"')
    config = parse_backtest_config(text)
    panel = load_returns("sample")
    policies = backtest_strategies.policies(config, panel, tmp_path)
    assert list(policies) == ["fhs-ewma, mean-variance"]
    policy = policies["fhs-ewma, mean-variance"]
    portfolio.backtest(panel, policy, start="2018-01-01", end="2018-12-28", rebalance="quarterly", costs=None)
    names = sorted(path.name[:19] for path in tmp_path.iterdir())
    assert names == ["fhs-ewma-2018-01-01", "fhs-ewma-2018-04-02", "fhs-ewma-2018-07-02", "fhs-ewma-2018-10-01"]


def test_the_first_purchase_is_no_limited_turnover(tmp_path):
    text = SMALL.replace("cost_bps = 5.0", "cost_bps = 0.0\nmax_turnover = 0.05")
    config = parse_backtest_config(text)
    assert backtest_strategies.trading_costs(config.portfolio) is None
    panel = load_returns("sample")
    policy = backtest_strategies.policies(config, panel, tmp_path)["historical-moments, mean-variance"]
    result = portfolio.backtest(panel, policy, start="2018-01-01", end="2018-12-28", rebalance="quarterly", costs=None)
    assert (result.decisions["status"] == "optimal").all()
    turnover = result.decisions["turnover"].to_numpy()
    assert turnover[0] == pytest.approx(1.0, abs=1e-6)
    # decided on the weights of the decision, executed a day later after one more day of drift
    assert (turnover[1:] < 0.09).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[data", "not valid TOML"),
        (MINIMAL + "lagg = 2", r"unknown key 'lagg' in \[backtest\]. Did you mean 'lag'"),
        (MINIMAL + "[generator.head]\nwith = 3", r"unknown key 'with' in \[generator.head\]"),
        (MINIMAL + "[portfolo]\nx = 1", "unknown key 'portfolo'. Did you mean 'portfolio'"),
        ('[data]\nsource = "sample"\n[backtest]\nlag = 1', r"'start' in \[backtest\] is required"),
        ('[data]\nsource = "sample"', "'backtest' is required"),
        (MINIMAL + 'strategies = ["fhs-gar"]', "unknown strategy 'fhs-gar'. Did you mean fhs-garch"),
        (MINIMAL + "strategies = []", "must name at least one"),
        (MINIMAL + 'strategies = ["var", "var"]', "each once"),
        (MINIMAL + 'objectives = ["mean-cvar", "mean-cvar"]', "'objectives' in .backtest. name one twice"),
        (MINIMAL + 'objectives = ["luck"]', "'mean-variance' or 'mean-cvar'"),
        (MINIMAL + "objectives = []", "at least 1 item"),
        (MINIMAL + 'retrain = "daily"', "'never'"),
        (MINIMAL + "[portfolio]\ncvar_level = 1.0", "less than 1"),
        (MINIMAL + "[portfolio]\ncost_bps = nan", "cost_bps"),
        (MINIMAL.replace("2018-01-02", '"2018-1-2"'), "start"),
    ],
)
def test_configurations_that_are_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_backtest_config(text)


def test_all_strategies_are_known_to_the_reader():
    names = ", ".join(f'"{name}"' for name in STRATEGIES)
    assert parse_backtest_config(MINIMAL + f"strategies = [{names}]").backtest.strategies == STRATEGIES


def test_files_and_spans(tsgen, tmp_path, config):
    with pytest.raises(StorageError, match="cannot read the configuration"):
        load_backtest_config(tmp_path / "none.toml")
    config.write_text(SMALL.replace('"sample"', '"prices.csv"'), encoding="utf-8")
    assert load_backtest_config(config).data.source == str(tmp_path / "prices.csv")
    assert load_backtest_config(config).facts()["data"]["source"] == "prices.csv"
    missing = tsgen("backtest")
    assert missing.code == 2
    assert "--print-default" in missing.err
    for change in (("2018-01-01", "2014-01-01"), ("2018-12-28", "2018-01-01"), ("2018-01-01", "2030-01-01")):
        config.write_text(SMALL.replace(*change), encoding="utf-8")
        got = tsgen("backtest", config, "--output", tmp_path / "run")
        assert got.code == 2
        assert "needs dates before start to learn from and at least two after it" in got.err
    config.write_text(SMALL + "\nlag = 0", encoding="utf-8")
    assert tsgen("backtest", config).code == 2
    config.write_text(SMALL.replace("seed = 3", "seed = 3\nlag = 0"), encoding="utf-8")
    refused = tsgen("backtest", config, "--output", tmp_path / "run")
    assert refused.code != 0
    assert "trades at the close that the decision has just seen" in refused.err


def test_an_interrupted_run_says_how_to_go_on(tsgen, config, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("tsgen.cli.backtest_run._tables", stop)
    got = tsgen("backtest", config, "--output", tmp_path / "run")
    assert got.code == 130
    assert "run the same command again to go on" in got.err
    monkeypatch.undo()
    done = tsgen("backtest", config, "--output", tmp_path / "run", "--json")
    assert done.code == 0
    assert json.loads(done.out)["manifest"]["run"]["strategies_resumed"] == 4


def test_one_strategy_needs_no_comparison(tsgen, tmp_path):
    text = SMALL.replace('["equal-weight", "historical-moments", "stationary-bootstrap"]', '["equal-weight"]')
    (tmp_path / "c.toml").write_text(text, encoding="utf-8")
    got = tsgen("backtest", tmp_path / "c.toml", "--output", tmp_path / "run")
    assert got.code == 0
    assert sorted(p.name for p in (tmp_path / "run").glob("*.csv")) == ["performance.csv", "wealth.csv"]
