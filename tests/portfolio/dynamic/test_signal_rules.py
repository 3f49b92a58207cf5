"""Signals: by hand, causal, and what is not causal is found."""

import numpy as np
import pytest

from portfolio.dynamic.signal_rules import ColumnSignals, CustomSignals, ExponentialAverages, check_causal
from tsgen.errors import ConfigError, DataError, LookAheadError, ShapeError

NAMES = ("A", "B")


def returns(n_paths=2, n_periods=40, seed=0):
    return np.random.default_rng(seed).normal(0, 0.01, (n_paths, n_periods, 2))


def test_averages_by_hand():
    rule = ExponentialAverages(half_lives=(1.0, 4.0), memory_in_half_lives=3)
    assert rule.memory == 12
    x = returns()
    signals = rule.compute(x, NAMES)
    weights = 0.5 ** (np.arange(12) / 4.0)
    weights /= weights.sum()
    for t in (11, 30):
        expected = sum(weights[j] * x[:, t - j] for j in range(12))
        np.testing.assert_allclose(signals[:, t, 2:], expected, rtol=1e-12)
    check_causal(rule, x, NAMES, rng=np.random.default_rng(0))


def test_columns():
    rule = ColumnSignals(columns=("B",))
    x = returns()
    np.testing.assert_array_equal(rule.compute(x, NAMES)[:, :, 0], x[:, :, 1])
    assert rule.untraded == ("B",)
    with pytest.raises(DataError, match="signal columns B are not in the data"):
        rule.compute(x, ("A", "C"))
    for bad in ((), ("A", "A")):
        with pytest.raises(ConfigError, match="at least one column, each once"):
            ColumnSignals(columns=bad)


@pytest.mark.parametrize(
    "peek",
    [
        lambda x: x - x.mean(axis=1, keepdims=True),
        lambda x: np.roll(x, -1, axis=1),
        lambda x: x / x.std(axis=1, keepdims=True),
        lambda x: np.cumsum(x[:, ::-1], axis=1)[:, ::-1],
    ],
)
def test_looking_ahead_is_found(peek):
    rule = CustomSignals(function=peek, memory=5)
    with pytest.raises(LookAheadError, match="it sees the future"):
        check_causal(rule, returns(), NAMES, rng=np.random.default_rng(0))


def test_a_memory_that_is_too_short_is_found():
    rule = CustomSignals(function=lambda x: np.cumsum(x, axis=1), memory=5)
    with pytest.raises(DataError, match="depend on more than the last 5 periods"):
        check_causal(rule, returns(), NAMES, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: x[:, :, 0], ShapeError, "axes"),
        (lambda x: x[:, 1:], ShapeError, "scenarios and times of the returns"),
        (lambda x: x * np.nan, DataError, "must be finite once their memory is filled"),
    ],
)
def test_unusable_signals(function, error, message):
    with pytest.raises(error, match=message):
        check_causal(CustomSignals(function=function, memory=2), returns(), NAMES, rng=np.random.default_rng(0))


def test_unusable_rules():
    with pytest.raises(ConfigError, match="half_lives must be positive"):
        ExponentialAverages(half_lives=())
    with pytest.raises(ConfigError, match="half_lives must be positive"):
        ExponentialAverages(half_lives=(5.0, -1.0))
    with pytest.raises(ConfigError, match="function must be callable"):
        CustomSignals(function=3, memory=1)
    with pytest.raises(ConfigError, match="memory must be a positive integer"):
        CustomSignals(function=np.tanh, memory=0)
    with pytest.raises(DataError, match="signals need 50 periods of returns and one more: got 40"):
        check_causal(ExponentialAverages(half_lives=(10.0,)), returns(), NAMES, rng=np.random.default_rng(0))
