"""Scenarios as of many dates: noise belongs to the date, histories end at it, bad generators are refused."""

import numpy as np
import pandas as pd
import pytest

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.dated_scenarios import scenarios_at
from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet


def make_panel(n=40, assets=("A", "B"), kind="log", seed=0):
    values = np.random.default_rng(seed).normal(0.0, 0.01, (n, len(assets)))
    return ReturnPanel(
        pd.DataFrame(values, index=pd.bdate_range("2024-01-01", periods=n), columns=list(assets)), kind=kind
    )


class Noise:
    assets, kind = ("A", "B"), "log"

    def __init__(self):
        self.ends = []

    def sample(self, n_scenarios, horizon, *, history=None, seed):
        self.ends.append(history.dates[-1])
        draws = np.random.default_rng(seed).normal(history.values[-1], 0.01, (n_scenarios, horizon, 2))
        return ScenarioSet(draws, assets=self.assets, kind=self.kind)


class OnePass(Noise):
    def __init__(self, broken=None):
        super().__init__()
        self.broken = broken

    def sample_at(self, panel, dates, n_scenarios, horizon, *, seed):
        for i, _ in enumerate(dates):
            if self.broken == "stops" and i == 1:
                return
            shape = (n_scenarios, horizon + (self.broken == "shape"), 2)
            yield np.full(shape, np.nan if self.broken == "nan" else float(i))


def test_each_date_sees_its_own_history_only():
    panel, generator = make_panel(), Noise()
    dates = panel.dates[10:15]
    list(scenarios_at(generator, panel, dates, 3, 2, seed=0))
    assert generator.ends == list(dates)


def test_forecast_of_a_date_does_not_depend_on_the_other_dates():
    panel = make_panel()
    many = list(scenarios_at(Noise(), panel, panel.dates[10:15], 3, 2, seed=0))
    one = next(iter(scenarios_at(Noise(), panel, panel.dates[[12]], 3, 2, seed=0)))
    np.testing.assert_array_equal(many[2], one)
    other_seed = next(iter(scenarios_at(Noise(), panel, panel.dates[[12]], 3, 2, seed=1)))
    assert (other_seed != one).all()
    assert (many[1] - panel.values[11] != many[2] - panel.values[12]).all()  # independent noise


def test_the_single_pass_of_a_generator_is_used():
    panel = make_panel()
    made = list(scenarios_at(OnePass(), panel, panel.dates[:3], 4, 2, seed=0))
    assert [float(paths[0, 0, 0]) for paths in made] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("broken", "error", "message"),
    [
        ("shape", ShapeError, "asked for 4 scenarios of 2 periods"),
        ("nan", DataError, "16 values that are not finite as of 2024-01-01"),
        ("stops", ShapeError, "stopped after 1 of 3 as-of dates"),
    ],
)
def test_broken_generators_are_refused(broken, error, message):
    panel = make_panel()
    with pytest.raises(error, match=message):
        list(scenarios_at(OnePass(broken), panel, panel.dates[:3], 4, 2, seed=0))


def test_wrong_requests_are_refused():
    panel = make_panel()
    with pytest.raises(ConfigError, match="n_scenarios must be a positive integer"):
        scenarios_at(Noise(), panel, panel.dates[:3], 0, 2, seed=0)
    with pytest.raises(ConfigError, match="horizon must be a positive integer"):
        scenarios_at(Noise(), panel, panel.dates[:3], 2, True, seed=0)
    with pytest.raises(ConfigError, match="seed must be"):
        scenarios_at(Noise(), panel, panel.dates[:3], 2, 2, seed=-1)
    with pytest.raises(DataError, match="at least one as-of date"):
        scenarios_at(Noise(), panel, [], 2, 2, seed=0)
    with pytest.raises(DataError, match="strictly increasing"):
        scenarios_at(Noise(), panel, panel.dates[[3, 2]], 2, 2, seed=0)
    with pytest.raises(DataError, match="1 are not, the first is 1999-01-01"):
        scenarios_at(Noise(), panel, [pd.Timestamp("1999-01-01")], 2, 2, seed=0)
    with pytest.raises(DataError, match="assets of the generator in their order"):
        scenarios_at(Noise(), make_panel(assets=("B", "A")), panel.dates[:3], 2, 2, seed=0)
    with pytest.raises(DataError, match="panel has simple returns, the generator makes log"):
        scenarios_at(Noise(), make_panel(kind="simple"), panel.dates[:3], 2, 2, seed=0)
