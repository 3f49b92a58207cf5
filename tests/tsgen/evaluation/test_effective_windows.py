"""Effective numbers against the closed form of an autoregression."""

import numpy as np
import pytest

from tests.support.volatile_windows import right_pairs
from tsgen.errors import DataError
from tsgen.evaluation import effective_number, effective_windows
from tsgen.marketdata.known_processes import Arma


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_autoregression(phi):
    paths = Arma(phi=[phi], theta=[]).sample(60, 2000, rng=np.random.default_rng(0))[..., 0]
    numbers = np.array([effective_number(path).number for path in paths])
    expected = 2000 * (1 - phi) / (1 + phi)
    # the truncated estimate and the cap at n bias it by some per cent; 60 paths leave less than that
    assert numbers.mean() == pytest.approx(expected, rel=0.12)


def test_standard_error_covers_the_spread():
    paths = Arma(phi=[0.5], theta=[]).sample(100, 1000, rng=np.random.default_rng(1))[..., 0]
    results = [effective_number(path) for path in paths]
    spread = np.std([r.number for r in results])
    assert np.mean([r.standard_error for r in results]) == pytest.approx(spread, rel=0.5)


def test_windows_of_a_persistent_market():
    results = {r.metric: r for r in effective_windows(right_pairs(200, 2, 10, 2, seed=0))}
    # the level of volatility lasts for several windows, the sign of returns does not
    assert results["realised volatility"].value < 0.7 * 200
    assert results["terminal return"].value > 0.7 * 200
    assert {r.verdict for r in results.values()} == {"report"}


def test_refusals():
    with pytest.raises(DataError, match=r"one series of at least 8 values: got shape \(3,\)"):
        effective_number([1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="the series must be finite"):
        effective_number([1.0, np.nan] * 5)
    with pytest.raises(DataError, match="does not move"):
        effective_number(np.ones(10))
    with pytest.raises(DataError, match="an effective number of windows needs windows of at least 2"):
        effective_windows(right_pairs(10, 2, 1, 1, seed=0))
