"""`tsgen steer` through the command line: equal to the API, resumable, teaching when the task is wrong."""

import json

import pytest

from tsgen import ScenarioSet, load_generator
from tsgen.cli.steer_config import constraint_of, load_steer_config, parse_steer_config
from tsgen.errors import ConfigError
from tsgen.steering import (
    BarrierHit,
    DrawdownBeyond,
    EventProbability,
    ExpectedShortfall,
    MaxDrawdown,
    RealisedVolatility,
    RiskConstraint,
    SteeringConfig,
    TerminalLoss,
    TerminalReturn,
    load_steered,
    steer,
)

SETTINGS = {"n_steps": 4, "n_paths": 400, "n_iterations": 2, "n_certificate_paths": 400, "block_size": 400}
TASK = """
generator = "{generator}"
horizon = 3
seed = 1
[[constraints]]
functional = "terminal_return"
relation = "=="
level = {level}
[settings]
{settings}
[scenarios]
n = 50
seed = 4
"""


@pytest.fixture
def task(finished_once, tmp_path):
    def write(level=-0.01, **more):
        generator = (finished_once.folder / "generator").as_posix()
        lines = "\n".join(f"{k} = {v}" for k, v in {**SETTINGS, **more}.items())
        path = tmp_path / "task.toml"
        path.write_text(TASK.format(generator=generator, level=level, settings=lines), encoding="utf-8")
        return path

    return write


def test_the_command_equals_the_api(tsgen, task, finished_once, tmp_path):
    folder = tmp_path / "out"
    (folder / "..progress.incomplete-0").mkdir(parents=True)  # as a killed call leaves it
    (folder / ".certificate.json.incomplete-0").touch()
    got = tsgen("steer", task(), "--output", folder, "--json", "--debug")
    content = json.loads(got.out)
    generator = load_generator(finished_once.folder / "generator")
    weights = dict.fromkeys(generator.assets, 1.0 / len(generator.assets))
    constraint = RiskConstraint(TerminalReturn(weights), "==", -0.01)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *a, **k: None)
        expected = steer(generator, constraint, horizon=3, seed=1, config=SteeringConfig(**SETTINGS))
    assert content["certificate"] == json.loads(expected.certificate.to_json())
    assert json.loads((folder / "certificate.json").read_text()) == content["certificate"]
    assert got.code == (1 if expected.certificate.verdict == "failed" else 0)
    scenarios = ScenarioSet.load(folder / "scenarios.parquet")
    assert (scenarios.returns == expected.sample(50, seed=4).returns).all()
    assert (load_steered(folder / "steered", generator).sample(5, seed=4).returns == scenarios.returns[:5]).all()
    assert sorted(p.name for p in folder.iterdir() if p.name != ".lock") == [
        "certificate.json", "scenarios.parquet", "steered",
    ]  # fmt: skip


def test_the_certificate_grows_on_stderr(tsgen, task, tmp_path):
    got = tsgen("steer", task(), "--output", tmp_path / "out")
    assert "steering: 2/2" in got.err
    assert "ESS" in got.err
    assert "verdict:" in got.out


def test_an_unreachable_level_is_a_usage_error(tsgen, task, tmp_path):
    got = tsgen("steer", task(level=5.0), "--output", tmp_path / "out")
    assert got.code == 2
    assert "cannot be reached" in got.err


def test_the_example_is_valid_and_help_teaches(tsgen):
    text = tsgen("steer", "--print-default")
    assert text.code == 0
    assert parse_steer_config(text.out).constraints[0].functional == "terminal_return"
    help_text = " ".join(tsgen("steer", "--help").out.split())
    for word in ("decimals per period", "nats", "tsgen steer stress.toml", "--json"):
        assert word in help_text


def test_without_or_with_a_missing_configuration(tsgen, tmp_path):
    assert tsgen("steer").code == 2
    got = tsgen("steer", tmp_path / "none.toml")
    assert got.code == 5
    assert "cannot read the configuration" in got.err


def one(text):
    return parse_steer_config(f'generator = "g"\nhorizon = 3\n[[constraints]]\nrelation = "=="\nlevel = 0.2\n{text}')


@pytest.mark.parametrize(
    ("text", "functional"),
    [
        ('functional = "terminal_return"', TerminalReturn({"A": 0.5, "B": 0.5})),
        ('functional = "terminal_return"\nweights = "B"', TerminalReturn("B")),
        ('functional = "realised_volatility"\nweights = {A = 1.0}', RealisedVolatility({"A": 1.0})),
        ('functional = "max_drawdown"\nweights = "A"', MaxDrawdown("A")),
        ('functional = "expected_shortfall"\nweights = "A"\nconfidence = 0.9', ExpectedShortfall("A", 0.9)),
        (
            'functional = "event_probability"\nweights = "A"\nevent = "terminal_loss"\nloss = 0.1',
            EventProbability(TerminalLoss(of="A", loss=0.1)),
        ),
        (
            'functional = "event_probability"\nweights = "A"\nevent = "barrier_hit"\nbarrier = -0.1',
            EventProbability(BarrierHit(of="A", barrier=-0.1)),
        ),
        (
            'functional = "event_probability"\nweights = "A"\nevent = "drawdown_beyond"\ndepth = 0.1',
            EventProbability(DrawdownBeyond(of="A", depth=0.1)),
        ),
    ],
)
def test_every_functional_can_be_written(text, functional):
    assert constraint_of(one(text).constraints[0], ("A", "B")).functional == functional


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("horizon = 3", "'generator' is required"),
        ('generator = "g"\nhorizon = 3\nsede = 1', "unknown key 'sede'. Did you mean 'seed'"),
        (
            'generator = "g"\nhorizon = 3\n[settings]\nn_step = 1',
            r"unknown key 'n_step' in \[settings\]. Did you mean 'n_steps'",
        ),
        (
            'generator = "g"\nhorizon = 3\n[history]\nsource = "us_stocks"\nuntl = 2013-12-31',
            r"unknown key 'untl' in \[history\]. Did you mean 'until'",
        ),
        (
            'generator = "g"\nhorizon = 3\n[[constraints]]\nfunctional = "max_drawdown"\nrelation = "=="\nlevl = 0.1',
            r"unknown key 'levl' in \[constraints\]. Did you mean 'level'",
        ),
        ('generator = "g"\nhorizon = "3"', "'horizon': input should be a valid integer"),
        ("generator =", "is not valid TOML"),
    ],
)
def test_wrong_configurations_are_explained(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_steer_config(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('functional = "event_probability"', "needs an event"),
        (
            'functional = "event_probability"\nevent = "barrier_hit"\nloss = 0.1',
            "reads barrier, event: got event, loss",
        ),
        ('functional = "terminal_return"\nconfidence = 0.9', "reads no further keys: got confidence"),
    ],
)
def test_keys_must_belong_together(text, message):
    with pytest.raises(ConfigError, match=message):
        constraint_of(one(text).constraints[0], ("A",))


def test_relative_files_start_at_the_folder_of_the_configuration(tmp_path):
    task = tmp_path / "task.toml"
    task.write_text('generator = "g"\nhorizon = 3\n[history]\nsource = "prices.csv"\n')
    config = load_steer_config(task)
    assert config.generator == str(tmp_path / "g")
    assert config.history.source == str(tmp_path / "prices.csv")
    task.write_text('generator = "g"\nhorizon = 3\n[history]\nsource = "us_stocks"\n')
    assert load_steer_config(task).history.source == "us_stocks"
