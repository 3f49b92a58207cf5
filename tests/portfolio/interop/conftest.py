"""Generators and folds of the plug tests."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet


class NormalGenerator:
    """Known law: log returns of every period are normal with the given mean and covariance."""

    def __init__(self, assets, mean, covariance, *, training_cutoff=None, probabilities=None):
        self.assets, self.kind = tuple(assets), "log"
        self.mean, self.covariance = np.asarray(mean), np.asarray(covariance)
        self.training_cutoff = training_cutoff
        self.probabilities = probabilities

    def sample(self, n_scenarios, horizon, *, history=None, seed):
        rng = np.random.default_rng(seed)
        rows = rng.multivariate_normal(self.mean, self.covariance, size=(n_scenarios, horizon))
        p = None if self.probabilities is None else self.probabilities(n_scenarios)
        asof = None if history is None else history.dates[-1]
        return ScenarioSet(rows, assets=self.assets, kind="log", asof=asof, probabilities=p)


@pytest.fixture
def law():
    covariance = np.array([[4.0, 2.0, 1.0], [2.0, 3.0, 0.5], [1.0, 0.5, 2.0]]) * 1e-4
    return SimpleNamespace(assets=("A", "B", "C"), mean=np.array([0.001, 0.0005, 0.0002]), covariance=covariance)


@pytest.fixture
def normal(law):
    def make(**changes):
        return NormalGenerator(law.assets, law.mean, law.covariance, **changes)

    return make


def make_fold(n_dates=90, n_assets=3, seed=0):
    rows = np.random.default_rng(seed).normal(0.0005, 0.012, (n_dates, n_assets))
    index = pd.bdate_range("2021-01-04", periods=n_dates)
    return pd.DataFrame(rows, index=index, columns=["A", "B", "C", "D", "E"][:n_assets])


@pytest.fixture
def fold():
    return make_fold()


@pytest.fixture
def fold_of():
    return make_fold


@pytest.fixture
def panel(fold):
    return ReturnPanel(fold, kind="simple")
