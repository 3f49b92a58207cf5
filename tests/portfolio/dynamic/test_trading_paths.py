"""Which return follows which signal: by numbers that say their own date."""

import numpy as np
import pandas as pd
import pytest

from portfolio.dynamic.signal_rules import ColumnSignals, CustomSignals, ExponentialAverages
from portfolio.dynamic.trading_paths import Sampling, trading_paths
from tsgen.errors import ConfigError, DataError, LookAheadError, ShapeError
from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet

FEW = Sampling(10, 4, 0)


def dated(n_periods=10, n_paths=2):
    """Return of period t is t percent, on every path and asset."""
    rows = 0.01 * np.arange(n_periods)[None, :, None] * np.ones((n_paths, 1, 2))
    return ScenarioSet(rows, assets=["A", "B"], kind="simple", asof="2020-01-31")


@pytest.mark.parametrize(("extra", "lag", "ahead"), [(0, 0, 1), (0, 1, 2), (1, 0, 0), (1, 1, 1)])
def test_given_signals(extra, lag, ahead):
    signals = 0.01 * np.arange(10 + extra)[None, :, None] * np.ones((2, 1, 1))
    paths = trading_paths(dated(), signals, lag=lag, sampling=FEW)
    assert paths.n_decisions == 10 - ahead
    gaps = 100 * (paths.returns[:, :, 0] - paths.signals[:, :, 0])
    np.testing.assert_allclose(gaps, ahead, atol=1e-12)
    assert paths.cutoff == pd.Timestamp("2020-01-31")


@pytest.mark.parametrize("lag", [0, 1])
def test_rules(lag):
    rule = CustomSignals(function=lambda x: x[:, :, :1], memory=3)
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 10, 2))
    s = ScenarioSet(noise, assets=["A", "B"], kind="simple")
    paths = trading_paths(s, rule, lag=lag, sampling=FEW)
    # the first signal is that of period 2, its return one or two periods later
    np.testing.assert_array_equal(paths.signals[:, 0, 0], noise[:, 2, 0])
    np.testing.assert_array_equal(paths.returns[:, 0], noise[:, 3 + lag])
    assert paths.cutoff is None


def test_columns_are_not_traded():
    noise = np.random.default_rng(0).normal(0, 0.01, (3, 12, 3))
    s = ScenarioSet(noise, assets=["A", "VIX", "B"], kind="simple")
    paths = trading_paths(s, ColumnSignals(columns=("VIX",)), lag=0, sampling=FEW)
    assert (paths.assets, paths.columns) == (("A", "B"), ("A", "VIX", "B"))
    np.testing.assert_array_equal(paths.returns[:, 0], noise[:, 1][:, [0, 2]])
    with pytest.raises(DataError, match="no asset is left to trade"):
        trading_paths(s, ColumnSignals(columns=("A", "B", "VIX")), lag=0, sampling=FEW)


def test_a_history_is_cut_into_paths():
    days = pd.bdate_range("2024-01-01", periods=30)
    rows = np.random.default_rng(0).normal(0, 0.01, (30, 2))
    panel = ReturnPanel(pd.DataFrame(rows, index=days, columns=["A", "B"]), kind="log")
    paths = trading_paths(panel, ExponentialAverages(half_lives=(1.0,)), lag=1, sampling=Sampling(1, 5, 0))
    # memory 5: signals from row 4; the last decision is two rows before the end: 24 decisions, 4 paths of 5
    assert paths.returns.shape == (4, 5, 2)
    np.testing.assert_allclose(paths.returns[-1, -1], np.expm1(rows[-1]), rtol=1e-12)
    np.testing.assert_allclose(paths.returns[1, 0], paths.returns[0, -1] * 0 + np.expm1(rows[15]), rtol=1e-12)
    assert paths.cutoff == days[-1]
    with pytest.raises(DataError, match="too few for two paths of 20"):
        trading_paths(panel, ExponentialAverages(half_lives=(1.0,)), lag=1, sampling=Sampling(1, 20, 0))


class _Source:
    training_cutoff = pd.Timestamp("2021-06-30")

    def sample(self, n_scenarios, horizon, *, seed):
        rows = np.random.default_rng(seed).normal(0, 0.01, (n_scenarios, horizon, 1))
        return ScenarioSet(rows, assets=["A"], kind="log")


def test_a_generator_is_asked_for_long_enough_paths():
    rule = ExponentialAverages(half_lives=(2.0,))
    paths = trading_paths(_Source(), rule, lag=0, sampling=Sampling(6, 20, 3))
    assert paths.signals.shape == (6, 20, 1)
    assert paths.cutoff == pd.Timestamp("2021-06-30")


def test_refusals():
    s = dated()
    with pytest.raises(ConfigError, match="lag must be 0"):
        trading_paths(s, np.zeros((2, 10, 1)), lag=2, sampling=FEW)
    with pytest.raises(ShapeError, match="one entry per period"):
        trading_paths(s, np.zeros((2, 8, 1)), lag=0, sampling=FEW)
    with pytest.raises(ShapeError, match="signals must have shape"):
        trading_paths(s, np.zeros((3, 10, 1)), lag=0, sampling=FEW)
    for bad in ("momentum", np.tanh, pd.DataFrame({"A": [1.0]})):
        with pytest.raises(ConfigError, match="signals must be a rule such as"):
            trading_paths(s, bad, lag=0, sampling=FEW)
    with pytest.raises(ConfigError, match="signals must be a rule such as"):
        trading_paths(_Source(), np.zeros((2, 10, 1)), lag=0, sampling=FEW)
    with pytest.raises(ConfigError, match="the source must be a ScenarioSet, a ReturnPanel or a generator"):
        trading_paths(3, ExponentialAverages(half_lives=(1.0,)), lag=0, sampling=FEW)
    with pytest.raises(DataError, match="two decisions with a return after each"):
        trading_paths(dated(2), np.zeros((2, 2, 1)), lag=1, sampling=FEW)
    noise = ScenarioSet(np.random.default_rng(0).normal(size=(2, 20, 1)) * 0.01, assets=["A"], kind="simple")
    with pytest.raises(LookAheadError, match="sees the future"):
        trading_paths(noise, CustomSignals(function=lambda x: x[:, ::-1], memory=1), lag=0, sampling=FEW)
    with pytest.raises(ConfigError, match="horizon must be an integer of at least 2"):
        trading_paths(s, np.zeros((2, 10, 1)), lag=0, sampling=Sampling(10, 1, 0))
