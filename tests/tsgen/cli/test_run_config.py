"""The configuration: unknown keys by name, strict types, nothing silently converted."""

import dataclasses
from datetime import date

import pytest

from tsgen.cli.generator_settings import generator_config
from tsgen.cli.run_config import (
    HeadSection,
    SamplerSection,
    TrainingSection,
    default_config_text,
    load_run_config,
    parse_run_config,
)
from tsgen.errors import ConfigError, StorageError
from tsgen.generator import GeneratorConfig
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.training.head_selection import HeadConfig
from tsgen.training.training_config import TrainingConfig

DATA = '[data]\nsource = "sample"\n'


def test_the_embedded_default_is_the_main_job():
    config = load_run_config(None)
    assert (config.data.source, config.data.kind, config.data.train_until) == ("us_stocks", "log", date(2013, 12, 31))
    assert (config.scenarios.n, config.scenarios.horizon, config.scenarios.seed) == (2000, 21, 0)
    assert generator_config(config.generator) == GeneratorConfig.preset("default")
    assert config.portfolio.min_weight == 0.0


def test_every_commented_option_of_the_default_is_a_real_one():
    """Uncommenting the scalar options must give a valid configuration."""
    lines = []
    for line in default_config_text().splitlines():
        option = line.removeprefix("# ")
        lines.append(option if line.startswith("# ") and " = " in option and "`" not in option.split("#")[0] else line)
    text = (
        "\n".join(lines)
        .replace('name = "tech"\n', "")
        .replace('members = ["AAPL", "AMD", "MSFT"]\n', "")
        .replace("upper = 0.3\n", "")
    )
    config = parse_run_config(text)
    assert config.portfolio.previous == "weights.csv"
    assert config.generator.device == "cuda"


@pytest.mark.parametrize(
    ("section", "settings"),
    [(HeadSection, HeadConfig), (TrainingSection, TrainingConfig), (SamplerSection, SamplerConfig)],
)
def test_overrides_name_exactly_the_settings_they_override(section, settings):
    assert set(section.model_fields) == {f.name for f in dataclasses.fields(settings)}


def test_overrides_change_only_what_they_name():
    text = (
        DATA
        + '[generator]\npreset = "fast"\n[generator.head]\ncontexts = ["none"]\n[generator.training]\nmax_steps = 7\n'
    )
    got, base = generator_config(parse_run_config(text).generator), GeneratorConfig.preset("fast")
    assert got.head == dataclasses.replace(base.head, contexts=("none",))
    assert got.training == dataclasses.replace(base.training, max_steps=7)
    assert got.sampler == base.sampler


def test_a_setting_out_of_range_is_refused_by_its_owner():
    section = parse_run_config(DATA + "[generator.sampler]\nn_steps = 0\n").generator
    with pytest.raises(ConfigError, match="n_steps must be an integer of at least 2"):
        generator_config(section)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DATA + "[scenarios]\nhorzon = 5", r"unknown key 'horzon' in \[scenarios\]\. Did you mean 'horizon'\?"),
        (DATA + "[generator.head]\nwidht = 5", r"unknown key 'widht' in \[generator.head\]\. Did you mean 'width'\?"),
        (DATA + "[senarios]\nn = 5", r"unknown key 'senarios'\. Did you mean 'scenarios'\?"),
        (DATA + '[[portfolio.groups]]\nmembers = ["A"]\nuper = 1.0', r"unknown key 'uper' in \[portfolio.groups\]"),
        (DATA + "[scenarios]\nn = 2000.0", r"'n' in \[scenarios\]: input should be a valid integer; got 2000.0"),
        (DATA + "[scenarios]\nhorizon = 0", "greater than or equal to 1; got 0"),
        (DATA + "[scenarios]\nn = true", "valid integer; got True"),
        (DATA + '[scenarios]\nseed = "1"', "valid integer; got '1'"),
        (DATA + "[scenarios]\nseed = -1", "greater than or equal to 0"),
        (DATA + "[portfolio]\nrisk_aversion = nan", "finite number"),
        (DATA + "[portfolio]\ncost_bps = -1.0", "greater than or equal to 0"),
        ("[data]\nsource = 5", "valid string"),
        ('[data]\nsource = "sample"\nkind = "logs"', "'log' or 'simple'"),
        ('[data]\nsource = "sample"\ntrain_until = "2013"', "got '2013'"),
        ('[data]\nsource = "sample"\ntrain_until = "2013-13-01"', "expected a date such as 2013-12-31"),
        ('[data]\nsource = "sample"\ntrain_until = 2013-12-31T10:00:00', "without time of day"),
        ("[scenarios]\nn = 5", "'data' is required"),
        ("[data\n", "is not valid TOML"),
    ],
)
def test_bad_configurations_are_explained(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_run_config(text)


def test_several_mistakes_are_reported_at_once():
    with pytest.raises(ConfigError, match=r"(?s)nn.*hh"):
        parse_run_config(DATA + "[scenarios]\nnn = 5\nhh = 1")


def test_dates_may_be_quoted():
    assert parse_run_config('[data]\nsource = "sample"\ntrain_until = "2013-12-31"').data.train_until == date(
        2013, 12, 31
    )


def test_a_missing_file_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="cannot read the configuration"):
        load_run_config(tmp_path / "none.toml")


def test_paths_in_a_file_start_at_its_folder_and_do_not_show_it(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('[data]\nsource = "prices.csv"\n[portfolio]\nprevious = "held.csv"')
    config = load_run_config(path)
    assert config.data.source == str(tmp_path / "prices.csv")
    assert config.portfolio.previous == str(tmp_path / "held.csv")
    assert str(tmp_path) not in str(config.facts())
    assert config.facts()["data"]["source"] == "prices.csv"
