"""The look shared by all figures, and the two rules of embedding: names are escaped, numbers are short.

Plotly reads a subset of HTML in every text, so an asset called ``<a href=...>`` would become a link;
names pass through `shown_name` first. Numbers are rounded to six digits, which is finer than a pixel.
"""

import html
from collections.abc import Iterable
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

# colour-blind safe (Okabe and Ito 2008)
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, GRID = "#222222", "#e3e3e3"

_PERIOD_NAMES = {
    "daily": "trading days",
    "weekly": "weeks",
    "monthly": "months",
    "quarterly": "quarters",
    "yearly": "years",
}
_PERIODS_PER_YEAR = {"daily": 252.0, "weekly": 52.0, "monthly": 12.0, "quarterly": 4.0, "yearly": 1.0}


def period_name(frequency: str) -> str:
    """Plural of one period in words.

    Examples
    --------
    >>> period_name("daily"), period_name("irregular")
    ('trading days', 'periods')
    """
    return _PERIOD_NAMES.get(frequency, "periods")


def periods_per_year(frequency: str) -> float | None:
    """Periods in a year, or ``None`` where the dates are irregular and nothing should be annualised."""
    return _PERIODS_PER_YEAR.get(frequency)


def shown_name(name: str, *, longest: int = 40) -> str:
    """Text of a user's name for Plotly: escaped, and cut if very long.

    Examples
    --------
    >>> shown_name("<b>A&B")
    '&lt;b&gt;A&amp;B'
    """
    cut = name if len(name) <= longest else name[: longest - 1] + "…"
    return html.escape(cut)


def short_numbers(values: ArrayLike) -> list[float]:
    """Floats rounded to six significant digits.

    Examples
    --------
    >>> short_numbers([0.123456789, 12345678.0])
    [0.123457, 12345700.0]
    """
    return [float(f"{x:.6g}") for x in np.asarray(values, dtype=np.float64).ravel()]


def short_dates(dates: Iterable[Any]) -> list[str]:
    """ISO dates without time of day."""
    return [d.date().isoformat() for d in dates]


def styled(figure: go.Figure, *, title: str, x: str, y: str, height: int = 420) -> go.Figure:
    """Apply the shared layout; ``x`` and ``y`` are axis titles with units."""
    figure.update_layout(
        template="none",
        title={
            "text": title,
            "x": 0,
            "xref": "paper",
            "y": 0.97,
            "yref": "container",
            "yanchor": "top",
            "font": {"size": 15},
        },
        height=height,
        margin={"l": 70, "r": 20, "t": 90, "b": 60},
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
        hovermode="closest",
        paper_bgcolor="#ffffff",
        plot_bgcolor="#ffffff",
    )
    figure.update_xaxes(title_text=x, gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(title_text=y, gridcolor=GRID, zerolinecolor="#999999", automargin=True)
    return figure
