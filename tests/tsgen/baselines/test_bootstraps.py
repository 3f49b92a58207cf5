"""Block laws, the cross-section kept together, automatic lengths, and replay."""

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import CircularBlockBootstrap, MovingBlockBootstrap, optimal_block_length
from arch.bootstrap import StationaryBootstrap as ArchStationaryBootstrap
from scipy import stats

from tsgen import ReturnPanel
from tsgen.baselines import BlockBootstrap, Regurgitation, StationaryBootstrap
from tsgen.baselines.stationary_bootstrap import automatic_block_length
from tsgen.errors import ConfigError

N_DATES = 200


@pytest.fixture(scope="module")
def numbered():
    """Returns that name their own row: A = row / 1000, B = -A."""
    rows = np.arange(N_DATES) / 1000.0
    dates = pd.bdate_range("2020-01-01", periods=N_DATES)
    return ReturnPanel(pd.DataFrame({"A": rows, "B": -rows}, index=dates), kind="log")


def drawn_rows(baseline, n, horizon, seed=0):
    returns = baseline.sample(n, horizon, seed=seed).returns
    # whole rows: the two assets of a day always come from the same day
    assert (returns[:, :, 0] == -returns[:, :, 1]).all()
    return np.rint(returns[:, :, 0] * 1000.0).astype(int)


def continuations(rows):
    return (rows[:, 1:] - rows[:, :-1]) % N_DATES == 1


def test_stationary_blocks_have_geometric_lengths(numbered):
    """A block goes on with probability 1 - 1/5, plus the chance 1/(5 N) that the fresh start is the next row."""
    rows = drawn_rows(StationaryBootstrap.fit(numbered, mean_block=5.0), 4000, 21)
    going_on = continuations(rows)
    p = 0.8 + 0.2 / N_DATES
    assert abs(going_on.mean() - p) < 5.0 * np.sqrt(p * (1 - p) / going_on.size)
    # length of the first block: geometric, P(L = k) = (1 - p) p^(k-1)
    first = np.where(going_on.all(axis=1), 21, (~going_on).argmax(axis=1) + 1)
    observed = np.array([(first == k).sum() for k in range(1, 21)] + [(first == 21).sum()])
    expected = 4000 * np.array([(1 - p) * p ** (k - 1) for k in range(1, 21)] + [p**20])
    assert stats.chisquare(observed, expected).pvalue > 1e-4
    wrong = 4000 * np.array([0.25 * 0.75 ** (k - 1) for k in range(1, 21)] + [0.75**20])
    assert stats.chisquare(observed, wrong).pvalue < 1e-4


def test_every_date_is_equally_likely_in_every_period(numbered):
    for baseline in (StationaryBootstrap.fit(numbered, mean_block=5.0), BlockBootstrap.fit(numbered, block_length=7)):
        rows = drawn_rows(baseline, 8000, 9, seed=3)
        for t in (0, 8):
            assert stats.chisquare(np.bincount(rows[:, t], minlength=N_DATES)).pvalue > 1e-4


def _rows_of_arch(scheme, length, n, horizon):
    """First ``horizon`` rows of ``n`` resamples by `arch`."""
    resampled = scheme(length, np.arange(N_DATES), seed=5).bootstrap(n)
    return np.stack([rows[:horizon] for (rows,), _ in resampled])


def _smallest_p(ours, theirs):
    """Two-sample tests of rows in the first and the last period, and of how many steps inside a block a path makes."""
    statistics = (lambda r: r[:, 0], lambda r: r[:, -1], lambda r: continuations(r).sum(axis=1))
    return min(float(np.asarray(stats.ks_2samp(f(ours), f(theirs), method="asymp"))[1]) for f in statistics)


@pytest.mark.parametrize(
    ("fit", "scheme"),
    [
        (lambda p, n: StationaryBootstrap.fit(p, mean_block=n), ArchStationaryBootstrap),
        (lambda p, n: BlockBootstrap.fit(p, block_length=n), CircularBlockBootstrap),
        (lambda p, n: BlockBootstrap.fit(p, block_length=n, circular=False), MovingBlockBootstrap),
    ],
    ids=["stationary", "circular", "moving"],
)
def test_resamples_agree_with_those_of_arch(numbered, fit, scheme):
    theirs = _rows_of_arch(scheme, 6, 2000, 15)
    # three statistics, three cases: a false alarm of the fixed seeds had probability below 1e-3
    assert _smallest_p(drawn_rows(fit(numbered, 6), 2000, 15, seed=1), theirs) > 1e-4
    assert _smallest_p(drawn_rows(fit(numbered, 4), 2000, 15, seed=1), theirs) < 1e-4


def test_fixed_blocks_are_whole(numbered):
    rows = drawn_rows(BlockBootstrap.fit(numbered, block_length=4), 500, 11)
    going_on = continuations(rows)
    inside = np.arange(1, 11) % 4 != 0
    assert going_on[:, inside].all()
    assert going_on[:, ~inside].mean() < 0.05


def test_moving_blocks_never_wrap(numbered):
    moving = drawn_rows(BlockBootstrap.fit(numbered, block_length=50, circular=False), 3000, 50)
    assert (np.diff(moving, axis=1) == 1).all()
    assert moving[:, 0].max() == N_DATES - 50
    circular = drawn_rows(BlockBootstrap.fit(numbered, block_length=50), 3000, 50)
    assert not (np.diff(circular, axis=1) == 1).all()


def test_block_length_one_is_the_independent_bootstrap(numbered):
    rows = drawn_rows(BlockBootstrap.fit(numbered, block_length=1), 4000, 5)
    assert abs(np.corrcoef(rows[:, 0], rows[:, 1])[0, 1]) < 5.0 / np.sqrt(4000)


def test_automatic_length_is_the_median_over_assets_for_absolute_returns(panel):
    expected = np.median(optimal_block_length(np.abs(panel.values))["stationary"])
    baseline = StationaryBootstrap.fit(panel)
    assert baseline.mean_block == pytest.approx(max(1.0, expected), rel=1e-12)
    assert "chosen automatically" in baseline.notes[0]
    fixed = BlockBootstrap.fit(panel)
    assert fixed.block_length == np.ceil(max(1.0, np.median(optimal_block_length(np.abs(panel.values))["circular"])))


def test_absolute_returns_that_never_change_give_blocks_of_one():
    coin = np.where(np.arange(40) % 2, 0.01, -0.01)
    panel = ReturnPanel(pd.DataFrame({"A": coin}, index=pd.bdate_range("2020-01-01", periods=40)), kind="log")
    assert automatic_block_length(panel, "stationary") == 1.0


def test_block_lengths_out_of_range(numbered):
    for length in (0.5, 200, float("nan"), "five", True):
        with pytest.raises(ConfigError, match="mean_block must be a number of periods from 1"):
            StationaryBootstrap.fit(numbered, mean_block=length)
    with pytest.raises(ConfigError, match="block_length must be a number of periods from 1"):
        BlockBootstrap.fit(numbered, block_length=0)
    with pytest.raises(ConfigError, match=r"whole number of periods: got 2\.5"):
        BlockBootstrap.fit(numbered, block_length=2.5)


def test_regurgitation_replays_unbroken_windows(numbered, paths):
    rows = drawn_rows(Regurgitation.fit(numbered, max_horizon=30), 2000, 10)
    assert (np.diff(rows, axis=1) == 1).all()
    assert set(rows[:, 0]) <= set(range(N_DATES - 30 + 1))
    assert Regurgitation.fit(numbered).max_horizon == 100
    copies = Regurgitation.fit(paths).sample(50, 24, seed=0).returns
    assert all((paths.returns == copy).all(axis=(1, 2)).any() for copy in copies)


def test_regurgitation_continues_paths_after_a_history(paths):
    baseline = Regurgitation.fit(paths)
    index = pd.bdate_range("2020-01-01", periods=4)
    history = ReturnPanel(pd.DataFrame(paths.returns[0, :4], columns=["A", "B"], index=index), kind="log")
    tails = baseline.sample(20, 20, history=history, seed=0).returns
    assert all((paths.returns[:, 4:] == tail).all(axis=(1, 2)).any() for tail in tails)
    with pytest.raises(ConfigError, match=r"replays windows of 24 periods: asked for 4 \+ 21"):
        baseline.sample(2, 21, history=history, seed=0)


def test_regurgitation_limits(numbered):
    with pytest.raises(ConfigError, match="max_horizon must not exceed the 200 periods"):
        Regurgitation.fit(numbered, max_horizon=201)
    with pytest.raises(ConfigError, match="max_horizon must be a positive integer"):
        Regurgitation.fit(numbered, max_horizon=0)
    with pytest.raises(ConfigError, match=r"asked for 0 \+ 31"):
        Regurgitation.fit(numbered, max_horizon=30).sample(1, 31, seed=0)
