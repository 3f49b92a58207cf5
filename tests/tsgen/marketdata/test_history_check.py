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
    assert check_history(HISTORY, assets=("A", "B"), kind="log", frequency="daily", model="generator") == 70


def test_other_returns_and_other_assets_are_refused():
    with pytest.raises(DataError, match="history has log returns, the generator was trained on simple returns"):
        check_history(HISTORY, assets=("A", "B"), kind="simple", frequency="daily", model="generator")
    with pytest.raises(DataError, match="C"):
        check_history(HISTORY, assets=("A", "B", "C"), kind="log", frequency="daily", model="baseline")
    with pytest.raises(ConfigError, match="history must be a ReturnPanel"):
        check_history(HISTORY.values, assets=("A", "B"), kind="log", frequency="daily", model="generator")


def test_a_history_of_another_frequency_is_refused():
    weekly = HISTORY.returns.set_axis(pd.date_range("2020-01-03", periods=len(HISTORY.returns), freq="W-FRI"))
    panel = ReturnPanel(weekly, kind="log")
    with pytest.raises(DataError, match="history is weekly, the generator was trained on daily returns"):
        check_history(panel, assets=("A", "B"), kind="log", frequency="daily", model="generator")
    for frequency in ("weekly", "irregular", "unknown"):
        assert check_history(panel, assets=("A", "B"), kind="log", frequency=frequency, model="generator") == 70
    few = ReturnPanel(weekly.iloc[:9], kind="log")  # nine dates may be a month's holes
    assert check_history(few, assets=("A", "B"), kind="log", frequency="daily", model="generator") == 9
