"""Adaptedness: honest generators pass to the bit; each kind of leak is rejected."""

import numpy as np
import pandas as pd
import pytest

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation import future_of_history, future_of_training, horizon_prefix, perturb_after
from tsgen.marketdata import ReturnPanel
from tsgen.random_streams import dated_seed
from tsgen.scenario_set import ScenarioSet

SIZE = {"horizon": 6, "n_scenarios": 4, "seed": 0}


@pytest.fixture
def panel():
    values = np.random.default_rng(0).standard_normal((80, 2)) * 0.01
    frame = pd.DataFrame(values, index=pd.bdate_range("2020-01-01", periods=80), columns=["A", "B"])
    return ReturnPanel(frame, kind="log")


class Honest:
    """Noise period by period, scaled by the volatility of the history."""

    assets, kind = ("A", "B"), "log"

    def __init__(self, deviation=0.01):
        self.deviation = deviation

    def draws(self, n, horizon, seed):
        return np.random.default_rng(seed).standard_normal((horizon, n, 2)).swapaxes(0, 1)

    def sample(self, n_scenarios, horizon, *, history=None, seed):
        scale = self.deviation if history is None else history.values[-20:].std(axis=0)
        return ScenarioSet(scale * self.draws(n_scenarios, horizon, seed), assets=self.assets, kind=self.kind)


class Demeaned(Honest):
    def draws(self, n, horizon, seed):
        raw = super().draws(n, horizon, seed)
        return raw - raw.mean(axis=1, keepdims=True)


class PeekingPass(Honest):
    """One pass over the panel that scales by the volatility of all of it."""

    peeks = True

    def sample_at(self, panel, dates, n_scenarios, horizon, *, seed):
        for date in dates:
            history = panel if self.peeks else panel.until(date)
            yield self.sample(n_scenarios, horizon, history=history, seed=dated_seed(seed, date.isoformat())).returns


class HonestPass(PeekingPass):
    peeks = False


def test_horizon_prefix():
    assert horizon_prefix(Honest(), **SIZE).verdict == "pass"
    rejected = horizon_prefix(Demeaned(), **SIZE)
    assert rejected.verdict == "reject"
    assert rejected.value > 0
    with pytest.raises(ConfigError, match=r"horizon must be at least 2 .* got 1"):
        horizon_prefix(Honest(), horizon=1, n_scenarios=4, seed=0)


def test_one_bit_is_a_change():
    class SignOfZero(Honest):
        def draws(self, n, horizon, seed):
            return np.full((n, horizon, 2), -0.0 if horizon > 3 else 0.0)

    assert horizon_prefix(SignOfZero(), **SIZE).verdict == "reject"


def test_future_of_history(panel):
    date = panel.dates[40]
    for generator in (Honest(), HonestPass()):
        assert future_of_history(generator, panel, date, **SIZE).verdict == "pass"
    assert future_of_history(PeekingPass(), panel, date, **SIZE).verdict == "reject"
    with pytest.raises(DataError, match="at least two dates must follow"):
        future_of_history(Honest(), panel, panel.dates[-2], **SIZE)


def test_future_of_training(panel):
    date = panel.dates[40]

    def honest(data, cutoff):
        return Honest(data.until(cutoff).values.std())

    def leaky(data, cutoff):
        class Scaled(Honest):
            def sample(self, n_scenarios, horizon, *, history=None, seed):
                draws = data.values.std() * self.draws(n_scenarios, horizon, seed)
                return ScenarioSet(draws, assets=self.assets, kind=self.kind)

        return Scaled()

    assert future_of_training(honest, panel, date, **SIZE).verdict == "pass"
    assert future_of_training(leaky, panel, date, **SIZE).verdict == "reject"


def test_perturbation_changes_every_future_value_and_no_other(panel):
    date = panel.dates[40]
    for kind in ("log", "simple"):
        changed = perturb_after(panel.to_kind(kind), date, seed=0)
        np.testing.assert_array_equal(changed.values[:41], panel.to_kind(kind).values[:41])
        assert (changed.values[41:] != panel.to_kind(kind).values[41:]).all()
        assert changed.values.min() > -0.9


def test_changing_shapes_are_refused():
    class Restless(Honest):
        def draws(self, n, horizon, seed):
            return super().draws(n + horizon, horizon, seed)

    with pytest.raises(ShapeError, match="horizon prefix: the generator returned shapes"):
        horizon_prefix(Restless(), **SIZE)
