"""What the weights would have earned after the as-of date: wealth and drawdown."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tsgen.report.figure_style import PALETTE, short_dates, short_numbers, shown_name, styled
from tsgen.report.run_report import RunReport

_MOST_POINTS = 4000


def drawdown(wealth: np.ndarray) -> np.ndarray:
    """Loss from the highest wealth so far, initial wealth of 1 included; positive, same shape.

    Examples
    --------
    >>> drawdown(np.array([0.9, 1.2, 0.6])).round(3).tolist()
    [0.1, 0.0, 0.5]
    """
    return 1.0 - wealth / np.maximum(np.maximum.accumulate(wealth), 1.0)


def performance_figure(report: RunReport) -> go.Figure | None:
    """Wealth above, drawdown below, one line per policy; ``None`` if nothing was realised."""
    realised = [(p.name, p.realised) for p in report.policies if p.realised is not None]
    if not realised:
        return None
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08, row_heights=[0.65, 0.35])
    for i, (name, outcome) in enumerate(realised):
        wealth = outcome.wealth
        # drawdown first, thinning afterwards: peaks between two drawn points still count
        lost, step = drawdown(wealth.to_numpy()), -(-len(wealth) // _MOST_POINTS)
        dates = short_dates(wealth.index[::step])
        style = {"mode": "lines", "line": {"color": PALETTE[i % len(PALETTE)]}, "name": shown_name(name)}
        top = go.Scatter(x=dates, y=short_numbers(wealth.to_numpy()[::step]), legendgroup=str(i), **style)
        below = go.Scatter(x=dates, y=short_numbers(lost[::step]), legendgroup=str(i), showlegend=False, **style)
        figure.add_trace(top, row=1, col=1)
        figure.add_trace(below, row=2, col=1)
    count = len(realised[0][1].returns)
    title = f"After the as-of date: weights bought once and held, no costs ({count:,} dates)"
    styled(figure, title=title, x="", y="", height=560)
    figure.update_xaxes(title_text="date", row=2, col=1)
    figure.update_yaxes(title_text="wealth, start = 1", row=1, col=1)
    figure.update_yaxes(title_text="drawdown, % of peak", tickformat=".0%", autorange="reversed", row=2, col=1)
    return figure
