"""Panels of the backtest tests."""

import numpy as np
import pandas as pd
import pytest

from tsgen.marketdata import ReturnPanel


def make_panel(n_dates=80, n_assets=3, seed=0, kind="simple", start="2024-01-01"):
    rows = np.random.default_rng(seed).normal(0.0005, 0.01, (n_dates, n_assets))
    index = pd.bdate_range(start, periods=n_dates)
    return ReturnPanel(pd.DataFrame(rows, index=index, columns=[f"A{i}" for i in range(n_assets)]), kind=kind)


@pytest.fixture
def panel():
    return make_panel()


@pytest.fixture
def panel_of():
    return make_panel
