"""Folds, parallel parts, and runs that are interrupted."""

from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest

from portfolio.backtest import (
    BacktestSettings,
    EqualWeightPolicy,
    FixedWeightsPolicy,
    Fold,
    HistoricalMomentsPolicy,
    Listing,
    ScenarioPolicy,
    TrainedPerFold,
    backtest,
    walk_forward,
    walk_forward_folds,
)
from portfolio.costs import LinearCost
from portfolio.mean_variance import mean_variance
from tsgen.baselines import BlockBootstrap
from tsgen.errors import ConfigError, DataError, LookAheadError

SETTINGS = BacktestSettings(rebalance=5, costs=LinearCost(0.001), seed=3)
optimise = partial(mean_variance, risk_aversion=5.0)
_POWER: list[pd.Timestamp] = []


@pytest.fixture
def folds(panel):
    return walk_forward_folds(panel.dates, train=30, test=20, purge=2)


def strategies():
    bootstrap = partial(BlockBootstrap.fit, block_length=3)
    return {
        "equal": EqualWeightPolicy(),
        "history": HistoricalMomentsPolicy(optimise=optimise, horizon=5),
        "bootstrap": ScenarioPolicy(fit=bootstrap, optimise=optimise, horizon=5, n_scenarios=50, retrain=10),
        "first asset": TrainedPerFold(
            fit=lambda panel: FixedWeightsPolicy(weights=(panel.returns.mean() > 0).astype(float) / 3)
        ),
    }


def test_folds_cover_the_test_span_once_and_keep_their_distance(panel):
    dates = panel.dates
    for purge, embargo, expanding in [(0, 0, True), (3, 0, False), (2, 4, True)]:
        folds = walk_forward_folds(dates, train=30, test=15, purge=purge, embargo=embargo, expanding=expanding)
        covered = []
        for fold in folds:
            row = {name: dates.get_loc(getattr(fold, name)) for name in ("train_start", "train_end", "test_start")}
            assert row["test_start"] - row["train_end"] - 1 == purge
            assert row["train_start"] == 0 or not expanding
            if not expanding:
                assert row["train_end"] - row["train_start"] == 29
            covered.append(np.arange(row["test_start"] + 1, dates.get_loc(fold.test_end) + 1))
        together = np.concatenate(covered)
        assert len(np.unique(together)) == len(together)
        gaps = np.diff(together)
        assert sorted(set(gaps)) == ([1] if embargo == 0 else [1, embargo + 1])
        if embargo == 0:
            assert together[-1] == len(dates) - 1


def test_fold_refusals(panel):
    for name in ("train", "test", "purge", "embargo"):
        with pytest.raises(ConfigError, match=f"{name} must be a (positive|non-negative) integer"):
            walk_forward_folds(panel.dates, **({"train": 5, "test": 5} | {name: -1}))
    with pytest.raises(DataError, match="too few dates for one fold: 80, but 79 to train on"):
        walk_forward_folds(panel.dates, train=79, test=5)
    a, b, c, d = panel.dates[:4]
    with pytest.raises(ConfigError, match="train_start <= train_end < test_start < test_end"):
        Fold(train_start=a, train_end=c, test_start=b, test_end=d)


def test_a_part_is_a_backtest_of_its_fold(panel, folds):
    result = walk_forward(panel, {"equal": EqualWeightPolicy()}, folds=folds, settings=SETTINGS)
    for fold, part in zip(folds, result.parts["equal"], strict=True):
        alone = backtest(
            panel, EqualWeightPolicy(), start=fold.test_start, end=fold.test_end, rebalance=5,
            costs=LinearCost(0.001), seed=3,
        )  # fmt: skip
        pd.testing.assert_frame_equal(part.ledger, alone.ledger, check_exact=True)
    assert result.returns.index.equals(panel.dates[33:])
    assert result.decisions.index.names == ["strategy", "fold", "date"]


def assert_same(a, b):
    pd.testing.assert_frame_equal(a.returns, b.returns, check_exact=True)
    pd.testing.assert_frame_equal(a.decisions, b.decisions, check_exact=True)
    for name in a.parts:
        for x, y in zip(a.parts[name], b.parts[name], strict=True):
            pd.testing.assert_frame_equal(x.weights, y.weights, check_exact=True, check_freq=False)
            pd.testing.assert_frame_equal(x.targets, y.targets, check_exact=True)


def random_weights(past, *, seed):
    return pd.Series(np.random.default_rng(seed).uniform(0, 0.5, len(past.assets)), index=list(past.assets))


def test_workers_do_not_change_results(panel, folds):
    # another backend behind the same calls, as a cluster would be; threads need no time to start
    drawn = {"equal": EqualWeightPolicy(), "random": random_weights}
    one = walk_forward(panel, drawn, folds=folds, settings=SETTINGS, n_workers=1)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert_same(one, walk_forward(panel, drawn, folds=folds, settings=SETTINGS))
    other = walk_forward(panel, drawn, folds=folds, settings=BacktestSettings(rebalance=5, costs=None, seed=4))
    assert not other.returns["random"].equals(one.returns["random"])


@pytest.mark.slow
def test_worker_processes_do_not_change_results(panel, folds):
    one = walk_forward(panel, strategies(), folds=folds, settings=SETTINGS, n_workers=1)
    two = walk_forward(panel, strategies(), folds=folds, settings=SETTINGS, n_workers=2)
    assert_same(one, two)


def test_an_interrupted_run_resumes_to_the_same_result(panel, folds, tmp_path):
    folds = folds[:2]
    stop = folds[1].test_start

    def history(past, previous):
        # the global switch is no part of the strategy, as a loss of power is not
        if _POWER and past.date > _POWER[0]:
            raise KeyboardInterrupt
        return HistoricalMomentsPolicy(optimise=optimise, horizon=5).decide(past, previous=previous)

    run = strategies() | {"history": history}
    whole = walk_forward(panel, run, folds=folds, settings=SETTINGS)
    _POWER.append(stop)
    with pytest.raises(KeyboardInterrupt):
        walk_forward(panel, run, folds=folds, settings=SETTINGS, n_workers=1, folder=tmp_path)
    _POWER.clear()
    n_done = len(list(tmp_path.iterdir()))
    assert 0 < n_done < 4 * len(folds)
    assert all((part / "facts.json").exists() for part in tmp_path.iterdir())
    resumed = walk_forward(panel, run, folds=folds, settings=SETTINGS, folder=tmp_path)
    assert resumed.n_resumed == n_done
    assert_same(whole, resumed)
    again = walk_forward(panel, run, folds=folds, settings=SETTINGS, folder=tmp_path)
    assert again.n_resumed == 4 * len(folds)
    assert_same(whole, again)


def test_other_data_settings_or_strategies_are_not_resumed(panel, panel_of, folds, tmp_path):
    folds = folds[:1]

    def run(data=panel, settings=SETTINGS, weights=None, use=folds):
        policy = FixedWeightsPolicy(weights=weights or {"A0": 0.5, "A1": 0.5, "A2": 0.0})
        return walk_forward(data, {"fixed": policy}, folds=use, settings=settings, folder=tmp_path).n_resumed

    assert run() == 0
    assert run() == len(folds)
    assert run(data=panel_of(seed=1)) == 0
    assert run(weights={"A0": 0.4, "A1": 0.5, "A2": 0.0}) == 0
    for change in ({"costs": LinearCost(0.002)}, {"lag": 2}, {"seed": 4}, {"rebalance": 6}):
        settings = BacktestSettings(**({"rebalance": 5, "costs": LinearCost(0.001), "seed": 3} | change))
        assert run(settings=settings) == 0
    listing = Listing.from_dates(panel, last={"A2": panel.dates[60]})
    assert run(settings=BacktestSettings(rebalance=5, costs=LinearCost(0.001), seed=3, listing=listing)) == 0
    assert run(use=walk_forward_folds(panel.dates, train=30, test=20, purge=1)[:1]) == 0


def test_a_damaged_part_is_computed_again(panel, folds, tmp_path):
    run = partial(walk_forward, panel, {"equal": EqualWeightPolicy()}, folds=folds, settings=SETTINGS, folder=tmp_path)
    whole = run()
    damaged = sorted(tmp_path.iterdir())[0]
    (damaged / "ledger.parquet").write_bytes(b"half")
    again = run()
    assert again.n_resumed == len(folds) - 1
    assert_same(whole, again)
    assert run().n_resumed == len(folds)


def test_training_per_fold_sees_its_training_span_only(panel):
    seen = []

    def fit(known):
        seen.append((known.dates[0], known.dates[-1]))
        return EqualWeightPolicy()

    folds = walk_forward_folds(panel.dates, train=30, test=20, purge=2, expanding=False)
    walk_forward(panel, {"a": TrainedPerFold(fit=fit)}, folds=folds, settings=SETTINGS)
    assert seen == [(fold.train_start, fold.train_end) for fold in folds]


def test_knowledge_from_the_purged_dates_is_refused(panel, folds):
    late = BlockBootstrap.fit(panel.until(folds[0].test_start), block_length=3)
    policy = ScenarioPolicy(source=late, optimise=optimise, horizon=5, n_scenarios=20)
    # on its own the policy is in time for the first decision, but it has not respected the purge
    backtest(panel, policy, start=folds[0].test_start, rebalance=20, costs=None)
    with pytest.raises(LookAheadError, match="has seen data up to"):
        walk_forward(panel, {"late": TrainedPerFold(fit=lambda known: policy)}, folds=folds, settings=SETTINGS)


def test_refusals(panel, folds):
    with pytest.raises(ConfigError, match="at least one strategy and one fold"):
        walk_forward(panel, {}, folds=folds, settings=SETTINGS)
    with pytest.raises(ConfigError, match="strategies must be named by text"):
        walk_forward(panel, {1: EqualWeightPolicy()}, folds=folds, settings=SETTINGS)
    with pytest.raises(ConfigError, match="a policy must be an object"):
        walk_forward(panel, {"a": 1}, folds=folds, settings=SETTINGS)
    with pytest.raises(ConfigError, match="fit must be callable"):
        TrainedPerFold(fit=1)
