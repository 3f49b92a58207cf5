"""Dask as the backend behind the same call: same numbers, and what threads in one process must not break."""

import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from portfolio.backtest import (
    BacktestSettings,
    EqualWeightPolicy,
    PastView,
    ScenarioPolicy,
    walk_forward,
    walk_forward_folds,
)
from portfolio.costs import LinearCost
from portfolio.mean_variance import mean_variance
from tsgen.baselines import BlockBootstrap

SETTINGS = BacktestSettings(rebalance=5, costs=LinearCost(0.001), seed=3)


def strategies():
    optimise = partial(mean_variance, risk_aversion=5.0)
    fit = partial(BlockBootstrap.fit, block_length=3)
    return {
        "equal": EqualWeightPolicy(),
        "bootstrap": ScenarioPolicy(fit=fit, optimise=optimise, horizon=5, n_scenarios=30, retrain=10),
    }


@pytest.fixture
def folds(panel):
    return walk_forward_folds(panel.dates, train=40, test=20, purge=2)


def _same(one, two):
    pd.testing.assert_frame_equal(one.returns, two.returns, check_exact=True)
    pd.testing.assert_frame_equal(one.decisions, two.decisions, check_exact=True)


def _on_a_cluster(panel, folds, folder, *, processes):
    state = random.getstate()
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": processes, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster), joblib.parallel_config(backend="dask"):
        result = walk_forward(panel, strategies(), folds=folds, settings=SETTINGS, folder=folder)
    # the scheduler runs in this process and draws from the global state for its own purposes
    random.setstate(state)
    return result


def test_a_dask_cluster_gives_the_same_numbers(panel, folds, tmp_path):
    one = walk_forward(panel, strategies(), folds=folds, settings=SETTINGS, n_workers=1)
    _same(one, _on_a_cluster(panel, folds, tmp_path, processes=False))
    # its parts are found again by a run without a cluster
    again = walk_forward(panel, strategies(), folds=folds, settings=SETTINGS, folder=tmp_path)
    assert again.n_resumed == 2 * len(folds)
    _same(one, again)


@pytest.mark.slow
def test_a_dask_cluster_of_processes_gives_the_same_numbers(panel, folds, tmp_path):
    one = walk_forward(panel, strategies(), folds=folds, settings=SETTINGS, n_workers=1)
    _same(one, _on_a_cluster(panel, folds, tmp_path, processes=True))


def test_threads_may_share_a_policy_that_retrains(panel):
    """A source kept by the policy for one thread must not vanish under another that trains for a later date."""
    policy = strategies()["bootstrap"]
    previous = pd.Series(0.0, index=list(panel.assets))
    dates = list(panel.dates[20:75:6]) * 4

    def decide(date):
        past = PastView(panel=panel.until(date), date=date)
        return policy.decide(past, previous=previous, seed=1).weights.to_numpy()

    alone = [decide(date) for date in dates]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(decide, dates))
    np.testing.assert_array_equal(alone, together)


def test_progress_is_reported_in_order(panel, folds):
    events = []
    walk_forward(panel, strategies(), folds=folds, settings=SETTINGS, progress=events.append)
    assert [event.done for event in events] == list(range(2 * len(folds) + 1))
    assert {event.total for event in events} == {2 * len(folds)}
    assert events[0].note.startswith("equal, Fold(")
