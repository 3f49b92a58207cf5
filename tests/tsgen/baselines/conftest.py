"""A small panel with autocorrelation, volatility clustering, fat tails and correlation, and independent paths."""

import numpy as np
import pandas as pd
import pytest

from tsgen import ReturnPanel, ScenarioSet
from tsgen.marketdata import known_processes as known

CORRELATION = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.4], [0.2, 0.4, 1.0]])


def make_panel(n_dates=500, n_assets=3, kind="log", seed=0):
    ones = np.ones(n_assets)
    process = known.GarchCcc(
        1e-6 * ones, 0.08 * ones, 0.9 * ones, CORRELATION[:n_assets, :n_assets], 6.0, start_variance=5e-5 * ones
    )
    noise = process.sample(1, n_dates, rng=np.random.default_rng(seed))[0]
    values = noise.copy()
    for t in range(1, n_dates):
        values[t] = 0.3 * values[t - 1] + noise[t]
    dates = pd.bdate_range("2010-01-01", periods=n_dates, name="date")
    return ReturnPanel(pd.DataFrame(values, index=dates, columns=list("ABC")[:n_assets]), kind=kind)


def make_paths(n_paths=300, horizon=24, kind="log", seed=0):
    coefficients = np.array([[[0.4, 0.1], [0.0, 0.3]]])
    process = known.VarProcess(coefficients, 1e-4 * np.array([[1.0, 0.4], [0.4, 1.0]]))
    returns = process.sample(n_paths, horizon, rng=np.random.default_rng(seed))
    return ScenarioSet(returns=returns, assets=["A", "B"], kind=kind)


@pytest.fixture(scope="session")
def panel():
    return make_panel()


@pytest.fixture(scope="session")
def paths():
    return make_paths()
