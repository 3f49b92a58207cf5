"""Panels and signals whose future is another one: the past is kept to the bit, all after a cut is replaced."""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from portfolio.backtest.signals import Signals
from tsgen.errors import ConfigError
from tsgen.marketdata import ReturnPanel
from tsgen.return_kind import convert_returns

Replacement = Literal["resampled", "extreme", "absent"]
REPLACEMENTS: tuple[Replacement, ...] = ("resampled", "extreme", "absent")


def with_replaced_future(
    panel: ReturnPanel, cut: pd.Timestamp, replacement: Replacement, *, rng: np.random.Generator
) -> ReturnPanel:
    """The same panel up to and including ``cut``, with other returns afterwards.

    Parameters
    ----------
    panel : ReturnPanel
    cut : Timestamp
        Before the last date, unless the replacement is ``"absent"``.
    replacement : {"resampled", "extreme", "absent"}
        ``"resampled"``: log returns of random dates of the whole panel, with the sign turned and half as large again,
        so that order, mean and spread of the future all change. ``"extreme"``: log returns of 20 to 60 % of
        random sign, the nearest thing to poison in a panel that refuses missing values. ``"absent"``: no future at all.
    rng : Generator

    Returns
    -------
    ReturnPanel

    Raises
    ------
    ConfigError
        If the replacement is not known.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=4)
    >>> panel = ReturnPanel(pd.DataFrame({"A": [0.01, 0.02, 0.03, 0.05]}, index=days), kind="log")
    >>> other = with_replaced_future(panel, days[1], "extreme", rng=np.random.default_rng(0))
    >>> (other.values == panel.values).ravel().tolist()
    [True, True, False, False]
    """
    _check(replacement)
    known = panel.until(cut)
    rows = panel.n_dates - known.n_dates
    if replacement == "absent" or rows == 0:
        return known
    shape = (rows, panel.n_assets)
    if replacement == "extreme":
        new = rng.uniform(0.2, 0.6, shape) * rng.choice([-1.0, 1.0], shape)
    else:
        log: NDArray[np.float64] = panel.to_kind("log").values
        new = -1.5 * log[rng.integers(0, panel.n_dates, rows)]
    new = convert_returns(new, from_kind="log", to_kind=panel.kind)
    frame = pd.DataFrame(np.vstack([known.values, new]), index=panel.dates, columns=list(panel.assets))
    return ReturnPanel(frame, kind=panel.kind, source=panel.source, provenance=panel.provenance)


def signals_with_replaced_future(
    signals: Signals, cut: pd.Timestamp, replacement: Replacement, *, rng: np.random.Generator
) -> Signals:
    """The same signals up to and including ``cut``, with other numbers afterwards.

    Parameters
    ----------
    signals : Signals
    cut : Timestamp
    replacement : {"resampled", "extreme", "absent"}
        As `with_replaced_future`: numbers of random rows with the sign turned and half as large again; numbers beyond
        ten times the largest of each signal; no rows.
    rng : Generator

    Returns
    -------
    Signals

    Raises
    ------
    ConfigError
        If the replacement is not known.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=3)
    >>> signals = Signals(pd.DataFrame({"spread": [0.01, 0.02, 0.03]}, index=days))
    >>> other = signals_with_replaced_future(signals, days[1], "extreme", rng=np.random.default_rng(0))
    >>> (other.table == signals.table)["spread"].tolist()
    [True, True, False]
    """
    _check(replacement)
    known = signals.until(cut)
    values = signals.table.to_numpy()
    rows = len(values) - len(known.table)
    if replacement == "absent" or rows == 0:
        return known
    shape = (rows, values.shape[1])
    if replacement == "extreme":
        size = np.nan_to_num(np.abs(values), nan=0.0).max(axis=0)
        new = (10.0 * size + 1.0) * rng.uniform(1.0, 3.0, shape) * rng.choice([-1.0, 1.0], shape)
    else:
        new = -1.5 * values[rng.integers(0, len(values), rows)]
    frame = np.vstack([known.table.to_numpy(), new])
    return Signals(pd.DataFrame(frame, index=signals.table.index, columns=signals.table.columns))


def _check(replacement: str) -> None:
    if replacement not in REPLACEMENTS:
        raise ConfigError(f"replacements must be among {', '.join(REPLACEMENTS)}: got {replacement!r}.")
