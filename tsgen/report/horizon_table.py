"""Returns over the horizon: generated against the recent past, with the number of observations behind each."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsgen.marketdata import ReturnPanel
from tsgen.report.run_report import RunReport
from tsgen.scenario_set import ScenarioSet

TAILS = (0.01, 0.05, 0.95, 0.99)
RECENT = 1260


def recent_part(panel: ReturnPanel, n_dates: int = RECENT) -> ReturnPanel:
    """The last ``n_dates`` dates of a panel, or all of it."""
    return panel if panel.n_dates <= n_dates else panel.after(panel.dates[-n_dates - 1])


def historical_horizon_returns(panel: ReturnPanel, horizon: int) -> NDArray[np.float64]:
    """Simple buy-and-hold returns over every window of ``horizon`` dates, shape (window, asset); windows overlap.

    Examples
    --------
    >>> frame = pd.DataFrame({"A": [0.1, 0.0, -0.5]}, index=pd.bdate_range("2024-01-01", periods=3))
    >>> historical_horizon_returns(ReturnPanel(frame, kind="simple"), 2).round(6).tolist()
    [[0.1], [-0.5]]
    """
    logs = np.vstack([np.zeros(panel.n_assets), np.cumsum(panel.to_kind("log").values, axis=0)])
    return np.expm1(logs[horizon:] - logs[:-horizon])


def _row(outcome: NDArray[np.float64], p: NDArray[np.float64], independent: float) -> dict[str, float]:
    mean = float(p @ outcome)
    deviation = float(np.sqrt(p @ (outcome - mean) ** 2))
    tails = np.quantile(outcome, TAILS, weights=p, method="inverted_cdf")
    return {
        "mean": mean,
        "standard error": deviation / np.sqrt(independent),
        "volatility": deviation,
        **{f"{100 * level:g} %": float(value) for level, value in zip(TAILS, tails, strict=True)},
    }


def _entities(report: RunReport) -> list[tuple[str, NDArray[np.float64]]]:
    unit = np.eye(report.scenarios.n_assets)
    rows = [(f"Portfolio: {p.name}", p.allocation.weights.to_numpy()) for p in report.policies]
    return rows + [(asset, unit[i]) for i, asset in enumerate(report.scenarios.assets)]


def _independent(scenarios: ScenarioSet) -> float:
    return 1.0 / float((scenarios.weights**2).sum())


def horizon_table(report: RunReport) -> pd.DataFrame:
    """Mean, its standard error, volatility and tails of simple returns over the horizon, decimals.

    Returns
    -------
    DataFrame
        Index (name, source) with source "generated" or "history": the portfolios first, then the assets. History is
        the last 1,260 training dates in overlapping windows; the standard error counts only the windows that do
        not overlap. Empty of history rows where the history is shorter than two horizons.
    """
    scenarios = report.scenarios
    generated, p = scenarios.horizon_returns(), scenarios.weights
    recent = recent_part(report.train)
    past = None
    if recent.n_dates >= 2 * scenarios.horizon:
        past = historical_horizon_returns(recent, scenarios.horizon)
    rows = {}
    for name, weights in _entities(report):
        rows[name, "generated"] = _row(generated @ weights, p, _independent(scenarios))
        if past is not None:
            equal = np.full(len(past), 1.0 / len(past))
            rows[name, "history"] = _row(past @ weights, equal, recent.n_dates // scenarios.horizon)
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.set_axis(pd.MultiIndex.from_tuples(list(rows), names=["name", "source"]), axis="index")
