"""Weights of every policy side by side."""

import plotly.graph_objects as go

from tsgen.report.figure_style import PALETTE, short_numbers, shown_name, styled
from tsgen.report.run_report import RunReport

_MOST_BARS = 60


def weights_figure(report: RunReport) -> go.Figure:
    """Grouped bars, the largest weights of the run's own policy first."""
    order = report.policies[0].allocation.weights.abs().sort_values(ascending=False, kind="stable").index[:_MOST_BARS]
    names = [shown_name(str(a)) for a in order]
    bars = [
        go.Bar(
            x=names,
            y=short_numbers(policy.allocation.weights.loc[order].to_numpy()),
            name=shown_name(policy.name),
            marker={"color": PALETTE[i % len(PALETTE)]},
        )
        for i, policy in enumerate(report.policies)
    ]
    total = len(report.scenarios.assets)
    shown = f"{total} assets" if total <= _MOST_BARS else f"the {_MOST_BARS} largest of {total}"
    figure = styled(go.Figure(bars), title=f"Weights at the as-of date ({shown})", x="asset", y="weight, % of wealth")
    return figure.update_layout(barmode="group").update_yaxes(tickformat=".0%").update_xaxes(type="category")
