"""What a history must share with the training data, and how the errors say it."""

import numpy as np
import pandas as pd
import pytest

from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import ReturnPanel
from tsgen.marketdata.history_check import check_history

DATES = pd.bdate_range("2020-01-01", periods=70)
HISTORY = ReturnPanel(pd.DataFrame(np.outer(np.sin(np.arange(70)), [0.01, 0.02]), DATES, ["A", "B"]), kind="log")


def test_a_fitting_history_counts_its_dates():
    assert check_history(HISTORY, assets=("A", "B"), kind="log", model="generator") == 70


def test_other_returns_and_other_assets_are_refused():
    with pytest.raises(DataError, match="history has log returns, the generator was trained on simple returns"):
        check_history(HISTORY, assets=("A", "B"), kind="simple", model="generator")
    with pytest.raises(DataError, match="C"):
        check_history(HISTORY, assets=("A", "B", "C"), kind="log", model="baseline")
    with pytest.raises(ConfigError, match="history must be a ReturnPanel"):
        check_history(HISTORY.values, assets=("A", "B"), kind="log", model="generator")
