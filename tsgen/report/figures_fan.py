"""The fan chart: percentile bands of cumulated return, a few scenarios, and what happened."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from tsgen.report.fan_numbers import LEVELS, N_EXAMPLES, FanNumbers, fan_numbers
from tsgen.report.figure_style import PALETTE, period_name, short_numbers, shown_name, styled
from tsgen.report.run_report import RunReport

_BANDS = ((0, 6, 0.13, "1-99 %"), (1, 5, 0.22, "5-95 %"), (2, 4, 0.35, "25-75 %"))
_MOST_CHOICES = 60
_MOST_NUMBERS = 120_000


def _band(x: list[int], numbers: FanNumbers, band: tuple[int, int, float, str]) -> go.Scatter:
    low, high, opacity, label = band
    # one closed outline: down along the upper quantile, back along the lower one
    return go.Scatter(
        x=x + x[::-1],
        y=short_numbers(numbers.quantiles[high]) + short_numbers(numbers.quantiles[low][::-1]),
        fill="toself",
        fillcolor=f"rgba(0,114,178,{opacity})",
        line={"width": 0},
        mode="lines",
        name=label,
        hoverinfo="skip",
    )


def fan_figure(numbers: FanNumbers, *, title: str, periods: str) -> go.Figure:
    """Fan chart of one portfolio or asset.

    Parameters
    ----------
    numbers : FanNumbers
    title : str
        Already escaped.
    periods : str
        Unit of the horizontal axis, for example ``"trading days"``.
    """
    x = list(range(numbers.quantiles.shape[1]))
    traces = [_band(x, numbers, band) for band in _BANDS]
    for i, example in enumerate(numbers.examples):
        traces.append(
            go.Scatter(
                x=x,
                y=short_numbers(example),
                mode="lines",
                line={"width": 1, "color": "#7f7f7f"},
                name=f"{len(numbers.examples)} of the scenarios",
                legendgroup="examples",
                showlegend=i == 0,
                hoverinfo="skip",
            )
        )
    middle = LEVELS.index(0.5)
    median = go.Scatter(
        x=x, y=short_numbers(numbers.quantiles[middle]), mode="lines", name="median", line={"color": PALETTE[0]}
    )
    traces.append(median)
    if numbers.realised is not None:
        happened = short_numbers(numbers.realised)
        line = {"color": PALETTE[1], "width": 3}
        traces.append(go.Scatter(x=x[: len(happened)], y=happened, mode="lines", name="what happened", line=line))
    figure = styled(
        go.Figure(traces), title=title, x=f"{periods} after the as-of date", y="cumulated return, % of initial value"
    )
    return figure.update_yaxes(tickformat=".0%").update_layout(hovermode="x unified")


def _choices(report: RunReport) -> list[tuple[str, NDArray[np.float64]]]:
    chosen = [(f"Portfolio: {p.name}", p.allocation.weights.to_numpy()) for p in report.policies]
    unit = np.eye(report.scenarios.n_assets)
    return chosen + [(asset, unit[i]) for i, asset in enumerate(report.scenarios.assets)]


def fan_figures(report: RunReport) -> list[dict[str, Any]]:
    """One fan per policy and asset, as long as they fit; each ``{"label", "data", "layout"}``, JSON-able."""
    scenarios = report.scenarios
    per_fan = (scenarios.horizon + 1) * (len(LEVELS) + N_EXAMPLES + 1)
    count = max(len(report.policies), min(_MOST_CHOICES, _MOST_NUMBERS // per_fan))
    size = f"{scenarios.n_scenarios:,} scenarios"
    figures = []
    for label, weights in _choices(report)[:count]:
        figure = fan_figure(
            fan_numbers(scenarios, weights, test=report.test),
            title=f"{shown_name(label, longest=60)} ({size})",
            periods=period_name(report.train.frequency),
        )
        figures.append({"label": label, **figure.to_plotly_json()})
    return figures
