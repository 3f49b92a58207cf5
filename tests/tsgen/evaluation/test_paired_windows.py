"""Pairing of realised and generated windows: alignment of dates, no overlap, refusals."""

import numpy as np
import pandas as pd
import pytest

from tests.support.volatile_windows import right_pairs
from tsgen.errors import ConfigError, DataError, LookAheadError, ShapeError
from tsgen.evaluation import PairedWindows, window_dates, windows_at, windows_of_paths
from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet


def panel_of(values):
    frame = pd.DataFrame(values, index=pd.bdate_range("2020-01-01", periods=len(values)), columns=["A", "B"])
    return ReturnPanel(frame, kind="log")


@pytest.fixture
def panel():
    return panel_of(np.random.default_rng(0).standard_normal((60, 2)) * 0.01)


class LastReturn:
    """Repeats the last return it has seen: shows what it was conditioned on."""

    assets, kind = ("A", "B"), "log"

    def sample(self, n_scenarios, horizon, *, history=None, seed):
        last = np.zeros(2) if history is None else history.values[-1]
        return ScenarioSet(np.tile(last, (n_scenarios, horizon, 1)), assets=self.assets, kind=self.kind)


class Noise:
    assets, kind = ("A", "B"), "log"

    def sample(self, n_scenarios, horizon, *, history=None, seed):
        draws = np.random.default_rng(seed).standard_normal((n_scenarios, horizon, 2))
        return ScenarioSet(draws, assets=self.assets, kind=self.kind)


def test_windows_follow_their_dates(panel):
    dates = window_dates(panel, after="2020-01-14", horizon=5)
    pairs = windows_at(LastReturn(), panel, dates, horizon=5, n_scenarios=3, seed=0)
    for unit, date in enumerate(dates):
        at = panel.dates.get_loc(date)
        np.testing.assert_array_equal(pairs.realised[unit], panel.values[at + 1 : at + 6])
        np.testing.assert_array_equal(pairs.generated[unit, 2, 4], panel.values[at])
    # windows tile the panel: no overlap, no gap
    np.testing.assert_array_equal(np.concatenate(pairs.realised), panel.values[10 : 10 + 5 * len(dates)])
    assert (pairs.members[:, 0] == pairs.realised).all()
    assert pairs.dates is not None
    assert list(pairs.dates) == list(dates)


def test_every_date_has_its_own_noise(panel):
    dates = window_dates(panel, after="2020-01-14", horizon=5)
    pairs = windows_at(Noise(), panel, dates, horizon=5, n_scenarios=3, seed=0)
    fewer = windows_at(Noise(), panel, dates[1:], horizon=5, n_scenarios=3, seed=0)
    np.testing.assert_array_equal(pairs.generated[1:], fewer.generated)
    assert len(np.unique(pairs.generated)) == pairs.generated.size


def test_windows_at_refusals(panel):
    dates = panel.dates[10:26:2]
    with pytest.raises(LookAheadError, match="windows of 5 periods overlap"):
        windows_at(Noise(), panel, dates, horizon=5, n_scenarios=3, seed=0)
    with pytest.raises(DataError, match="needs 5 periods, the panel has 2"):
        windows_at(Noise(), panel, panel.dates[[10, 57]], horizon=5, n_scenarios=3, seed=0)
    with pytest.raises(ConfigError, match="horizon must be a positive integer: got 0"):
        windows_at(Noise(), panel, dates, horizon=0, n_scenarios=3, seed=0)
    with pytest.raises(DataError, match="no window of 100 periods fits after"):
        window_dates(panel, after="2020-01-14", horizon=100)


def test_paths_are_shuffled_once_each():
    rng = np.random.default_rng(0)
    real = ScenarioSet(rng.standard_normal((10, 4, 2)), assets=["A", "B"], kind="log")
    fake = ScenarioSet(rng.standard_normal((35, 4, 2)), assets=["A", "B"], kind="log")
    pairs = windows_of_paths(fake, real, seed=0)
    assert pairs.generated.shape == (10, 3, 4, 2)
    used = pairs.generated.reshape(30, -1)
    assert len(np.unique(used, axis=0)) == 30
    assert set(map(bytes, used)) <= set(map(bytes, fake.returns.reshape(35, -1)))
    again = windows_of_paths(Noise(), real, seed=0, n_scenarios=5)
    assert again.generated.shape == (10, 5, 4, 2)
    assert again.dates is None


def test_windows_of_paths_refusals():
    rng = np.random.default_rng(0)

    def paths(n, horizon=4, **fields):
        return ScenarioSet(rng.standard_normal((n, horizon, 1)), **({"assets": ["A"], "kind": "log"} | fields))

    with pytest.raises(DataError, match="same assets and units"):
        windows_of_paths(paths(20, assets=["B"]), paths(10), seed=0)
    with pytest.raises(DataError, match="same assets and units"):
        windows_of_paths(paths(20, kind="simple"), paths(10), seed=0)
    with pytest.raises(ShapeError, match="equally long: got 5 and 4"):
        windows_of_paths(paths(20, horizon=5), paths(10), seed=0)
    weights = np.arange(1, 21) / 210
    with pytest.raises(DataError, match="generated paths must have equal probabilities"):
        windows_of_paths(paths(20, probabilities=weights), paths(10), seed=0)
    with pytest.raises(DataError, match="at least as many generated as real paths are needed: got 9 for 10"):
        windows_of_paths(paths(9), paths(10), seed=0)
    with pytest.raises(DataError, match=r"at least 8 units .* got 1"):
        windows_of_paths(paths(9), paths(1), seed=0)
    with pytest.raises(ConfigError, match="n_scenarios must be a positive integer: got 0"):
        windows_of_paths(Noise(), paths(10), seed=0, n_scenarios=0)


def build(realised=None, generated=None, assets=("A", "B"), kind="log", dates=None):
    rng = np.random.default_rng(1)
    return PairedWindows(
        realised=rng.standard_normal((9, 4, 2)) if realised is None else realised,
        generated=rng.standard_normal((9, 3, 4, 2)) if generated is None else generated,
        assets=assets,
        kind=kind,
        dates=dates,
    )


def test_container_refusals():
    rng = np.random.default_rng(1)
    good, many = rng.standard_normal((9, 4, 2)), rng.standard_normal((9, 3, 4, 2))
    hole, still = good.copy(), many.copy()
    hole[0, 0, 0] = np.nan
    still[..., 1] = 0.5
    with pytest.raises(ShapeError, match=r"realised windows must have axes \(unit, time, asset\)"):
        build(realised=good[0])
    with pytest.raises(ShapeError, match="generated windows must have axes"):
        build(generated=many[:, :0])
    with pytest.raises(DataError, match="realised windows must be finite: 1 values are not"):
        build(realised=hole)
    with pytest.raises(DataError, match="generated windows are constant for B"):
        build(generated=still)
    with pytest.raises(ShapeError, match=r"expected \(9, M, 4, 2\), got \(9, 3, 3, 2\)"):
        build(generated=many[:, :, 1:])
    with pytest.raises(DataError, match="assets must be 2 different names"):
        build(assets=("A", "A"))
    with pytest.raises(DataError, match="at least 8 units"):
        build(realised=good[:7], generated=many[:7])
    with pytest.raises(ShapeError, match="dates must name every unit: expected 9, got 2"):
        build(dates=pd.bdate_range("2020-01-01", periods=2))
    with pytest.raises(ConfigError, match="kind must be"):
        build(kind="percent")


def test_copied_and_read_only():
    source = np.random.default_rng(1).standard_normal((9, 4, 2))
    pairs = build(realised=source)
    source[:] = 7.0
    assert pairs.realised.max() < 7.0
    with pytest.raises(ValueError, match="read-only"):
        pairs.realised[0] = 0.0


def test_require():
    with pytest.raises(DataError, match=r"spread needs at least 3: got 2|needs at least 3: got 2"):
        build().require(metric="spread", n_assets=3)
    with pytest.raises(DataError, match="spread needs windows of at least 5 periods: got 4"):
        build().require(metric="spread", horizon=5)


def test_scaled_members_forget_the_level_of_the_date():
    pairs = right_pairs(20, 8, 5, 2, seed=0)
    level = np.exp(np.random.default_rng(0).standard_normal(20))
    stormy = PairedWindows(
        realised=pairs.realised * level[:, None, None],
        generated=pairs.generated * level[:, None, None, None],
        assets=pairs.assets,
        kind="log",
        dates=pairs.dates,
    )
    np.testing.assert_allclose(stormy.scaled_members, pairs.scaled_members, rtol=1e-12)
    undated = PairedWindows(realised=stormy.realised, generated=stormy.generated, assets=pairs.assets, kind="log")
    assert not np.allclose(undated.scaled_members, pairs.scaled_members)
    dead_realised, dead_generated = pairs.realised.copy(), pairs.generated.copy()
    dead_realised[3, :, 0] = dead_generated[3, :, :, 0] = 0.0
    dead = PairedWindows(
        realised=dead_realised, generated=dead_generated, assets=pairs.assets, kind="log", dates=pairs.dates
    )
    with pytest.raises(DataError, match="stands still in all windows of a date"):
        _ = dead.scaled_members
