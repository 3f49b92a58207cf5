"""Volatility and correlation of the scenarios beside those of the past."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from tsgen.report.figure_style import PALETTE, periods_per_year, short_numbers, shown_name, styled
from tsgen.report.horizon_table import RECENT, recent_part
from tsgen.report.run_report import RunReport
from tsgen.scenario_set import ScenarioSet

LAST = 60
_MOST_PAIRS = 3000


def scenario_covariance(scenarios: ScenarioSet) -> NDArray[np.float64]:
    """Covariance of returns per period, pooled over scenarios and periods, shape (asset, asset).

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> scenario_covariance(s).round(4).tolist()
    [[0.01]]
    """
    rows = scenarios.returns.reshape(-1, scenarios.n_assets)
    p = np.repeat(scenarios.weights / scenarios.horizon, scenarios.horizon)
    centred = rows - p @ rows
    return (centred * p[:, None]).T @ centred


def correlations_of_pairs(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of every pair i < j, row by row."""
    deviation = np.sqrt(np.diag(covariance))
    return (covariance / np.outer(deviation, deviation))[np.triu_indices(len(covariance), k=1)]


def volatility_figure(report: RunReport) -> go.Figure:
    """Volatility per asset: scenarios, the last 60 dates, the last 1,260 dates."""
    per_year = periods_per_year(report.train.frequency)
    scale = np.sqrt(per_year or 1.0)
    names = [shown_name(a) for a in report.scenarios.assets]
    recent, last = recent_part(report.train), recent_part(report.train, LAST)
    scenarios = report.scenarios
    series = {
        f"scenarios ({scenarios.n_scenarios:,} x {scenarios.horizon})": np.sqrt(
            np.diag(scenario_covariance(scenarios))
        ),
        f"last {last.n_dates} dates": last.values.std(axis=0),
        f"last {recent.n_dates:,} dates": recent.values.std(axis=0),
    }
    symbols = ("circle", "diamond", "x-thin-open")
    traces = [
        go.Scatter(
            x=short_numbers(values * scale),
            y=names,
            mode="markers",
            name=label,
            marker={"size": 10, "color": colour, "symbol": symbol},
        )
        for (label, values), colour, symbol in zip(series.items(), PALETTE, symbols, strict=False)
    ]
    unit = "% a year" if per_year else "% per period"
    figure = styled(
        go.Figure(traces),
        title=f"Volatility of {scenarios.kind} returns",
        x=f"standard deviation, {unit}",
        y="",
        height=max(320, 160 + 22 * len(names)),
    )
    return figure.update_xaxes(tickformat=".0%", rangemode="tozero").update_yaxes(autorange="reversed", type="category")


def correlation_figure(report: RunReport) -> go.Figure | None:
    """Correlation of every pair, past against scenarios; ``None`` for a single asset."""
    assets = report.scenarios.assets
    if len(assets) < 2:
        return None
    recent = recent_part(report.train)
    if recent.n_dates < 2:
        return None
    past = correlations_of_pairs(np.cov(recent.values, rowvar=False))
    generated = correlations_of_pairs(scenario_covariance(report.scenarios))
    first, second = np.triu_indices(len(assets), k=1)
    kept = np.unique(np.linspace(0, len(past) - 1, min(len(past), _MOST_PAIRS)).astype(int))
    points = go.Scatter(
        x=short_numbers(past[kept]),
        y=short_numbers(generated[kept]),
        text=[f"{shown_name(assets[first[k]])} and {shown_name(assets[second[k]])}" for k in kept],
        mode="markers",
        name=f"{len(kept):,} of {len(past):,} pairs",
        marker={"color": PALETTE[0], "opacity": 0.7},
    )
    low = min(0.0, float(past.min()), float(generated.min()))
    line = go.Scatter(x=[low, 1], y=[low, 1], mode="lines", name="equal", line={"color": "#999999", "dash": "dot"})
    return styled(
        go.Figure([points, line]),
        title=f"Correlation of every pair of assets, {report.scenarios.kind} returns per period",
        x=f"last {min(recent.n_dates, RECENT):,} training dates",
        y=f"{report.scenarios.n_scenarios:,} scenarios",
    )
