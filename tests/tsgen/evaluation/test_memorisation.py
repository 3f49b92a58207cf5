"""Memorisation: copies at any offset are caught, honest generators are not accused."""

import numpy as np
import pytest

from tests.support.volatile_windows import draw, levels, paired
from tsgen.errors import ConfigError, DataError, LookAheadError, ShapeError
from tsgen.evaluation import memorisation, results_by_name


@pytest.fixture(scope="module")
def market():
    rng = np.random.default_rng(0)
    windows = draw(levels(130, rng=rng), 9, 10, 2, rng=rng)
    # the realised windows in a row are the history: 100 train, 30 are unseen
    return windows[:100, 0].reshape(-1, 2), windows[100:]


def with_generated(market, generated):
    return paired(market[1][:, 0], generated)


def replayed(history, n_units, n_members, horizon, rng):
    starts = rng.integers(0, len(history) - horizon, (n_units, n_members))
    return np.stack([[history[s : s + horizon] for s in row] for row in starts])


def test_honest_generator_passes(market):
    results = memorisation(with_generated(market, market[1][:, 1:]), market[0], seed=0)
    assert "above floor" not in {r.verdict for r in results}
    assert results_by_name(results)["exact copies"].value == 0.0


@pytest.mark.parametrize("noise", [0.0, 1e-7, 0.2])
def test_replayed_history_is_caught(market, noise):
    rng = np.random.default_rng(1)
    copies = replayed(market[0], 30, 8, 10, rng)
    copies = copies * (1 + noise * rng.standard_normal(copies.shape))
    results = results_by_name(memorisation(with_generated(market, copies), market[0], seed=0))
    assert results["nearest-neighbour ratio"].verdict == "above floor"
    assert results["nearest-neighbour distance"].verdict == "above floor"
    # a copy that went through float32 is a copy; one with 20 % noise is only near
    assert results["exact copies"].value == pytest.approx(1.0 if noise < 0.1 else 0.0)


def test_float32_round_trip_does_not_hide_a_copy(market):
    copies = replayed(market[0], 30, 8, 10, np.random.default_rng(1)).astype(np.float32).astype(np.float64)
    results = results_by_name(memorisation(with_generated(market, copies), market[0], seed=0))
    assert results["exact copies"].value == 1.0
    assert results["exact copies"].verdict == "above floor"


def test_one_copy_in_four_is_caught(market):
    generated = market[1][:, 1:].copy()
    generated[:, ::4] = replayed(market[0], 30, 2, 10, np.random.default_rng(2))
    results = results_by_name(memorisation(with_generated(market, generated), market[0], seed=0))
    assert results["exact copies"].value == pytest.approx(0.25)
    # all pseudo-real worlds hold copies, the realised one none
    assert results["exact copies"].verdict == "above floor"


def test_training_paths_and_block_length(market):
    paths = market[0].reshape(100, 10, 2)
    copies = np.broadcast_to(paths[np.arange(240) % 100].reshape(30, 8, 10, 2), (30, 8, 10, 2))
    result = memorisation(with_generated(market, copies), paths, seed=0, length=10)[0]
    assert result.value == 1.0


def test_refusals(market):
    pairs = with_generated(market, market[1][:, 1:])
    with pytest.raises(ShapeError, match=r"with 2 assets: got shape \(1000, 1\)"):
        memorisation(pairs, market[0][:, :1], seed=0)
    with pytest.raises(ShapeError, match="training data must have axes"):
        memorisation(pairs, market[0][:, 0], seed=0)
    hole = market[0].copy()
    hole[3, 0] = np.nan
    with pytest.raises(DataError, match="training data must be finite"):
        memorisation(pairs, hole, seed=0)
    with pytest.raises(DataError, match="at least 20 training blocks of 5 periods"):
        memorisation(pairs, market[0][:20], seed=0)
    constant = market[0].copy()
    constant[:, 1] = 0.0
    with pytest.raises(DataError, match="constant in the training data"):
        memorisation(pairs, constant, seed=0)
    with pytest.raises(ConfigError, match="length must be an integer between 1 and the window of 10 periods: got 11"):
        memorisation(pairs, market[0], seed=0, length=11)
    everything = np.concatenate([market[0], market[1][:, 0].reshape(-1, 2)])
    with pytest.raises(LookAheadError, match="100 % of the realised blocks are in the training data"):
        memorisation(pairs, everything, seed=0)
