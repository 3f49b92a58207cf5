"""Charts of a scorecard: group scores of all models, and real against generated stylised facts with their bands."""

import numpy as np
import plotly.graph_objects as go

from tsgen.evaluation import StylisedFact
from tsgen.evaluation.scorecard import Scorecard
from tsgen.evaluation.stylised_facts import ABSOLUTE, LEVERAGE, PAIRS, QUANTILES, TAILS
from tsgen.report.figure_style import PALETTE, short_numbers, shown_name, styled

_BAND_COLOUR = "rgba(0, 114, 178, 0.18)"
_REAL, _GENERATED = PALETTE[0], PALETTE[1]
# title, x axis, y axis
_LABELS = {
    ABSOLUTE: ("Memory of volatility", "lag, periods", "autocorrelation of |r|, mean over assets"),
    LEVERAGE: ("Leverage effect", "lag, periods", "correlation of r now with r² later, mean over assets"),
    TAILS: ("Tail losses of equal weights", "probability level", "loss quantile, % per period"),
}


def group_figure(card: Scorecard) -> go.Figure:
    """Bars: score of every group for every model, the judged model first."""
    scores = card.model_scores
    groups = [str(c) for c in scores.columns]
    traces = []
    for i, (name, row) in enumerate(zip(scores.index, scores.to_numpy(dtype=np.float64), strict=True)):
        known = np.isfinite(row)
        traces.append(
            go.Bar(
                y=[shown_name(g) for g, k in zip(groups, known, strict=True) if k],
                x=short_numbers(row[known]),
                name=shown_name(str(name)),
                orientation="h",
                # colours repeat after six models: patterns keep the bars apart
                marker={
                    "color": PALETTE[i % len(PALETTE)],
                    "pattern": {"shape": ("", "/", ".")[i // len(PALETTE) % 3]},
                },
            )
        )
    height = 220 + len(groups) * (16 + 9 * len(traces))
    figure = styled(go.Figure(traces), title="Score by group", x="score: 1 = at the noise floor", y="", height=height)
    figure.update_layout(barmode="group", bargap=0.25, legend={"traceorder": "normal"}, margin={"t": 130})
    figure.update_yaxes(autorange="reversed", type="category", categoryarray=[shown_name(g) for g in groups])
    return figure.update_xaxes(range=[0, 1.02])


def fact_figures(facts: tuple[StylisedFact, ...]) -> dict[str, go.Figure]:
    """One figure per stylised fact, by element id."""
    return {f"{_element(fact.name)}-chart": _figure(fact) for fact in facts}


def _element(name: str) -> str:
    return "fact-" + "-".join("".join(c if c.isalnum() else " " for c in name).split())


def _figure(fact: StylisedFact) -> go.Figure:
    if fact.name == QUANTILES:
        return _against_real(fact, title="Quantiles of standardised returns", unit="standard deviations")
    if fact.name == PAIRS:
        return _against_real(fact, title="Correlation of every pair of assets", unit="correlation")
    title, x, y = _LABELS.get(fact.name, (shown_name(fact.name), "", "value"))
    tail = fact.name == TAILS
    points = [f"{100 * float(p):g} %" if tail else p for p in fact.points]
    band = go.Scatter(
        x=[*points, *reversed(points)],
        y=[*short_numbers(fact.high), *reversed(short_numbers(fact.low))],
        fill="toself",
        fillcolor=_BAND_COLOUR,
        line={"width": 0},
        hoverinfo="skip",
        name="90 % band of the real value",
    )
    lines = [
        go.Scatter(x=points, y=short_numbers(values), mode="lines+markers", name=name, line={"color": colour})
        for name, values, colour in (("real", fact.real, _REAL), ("generated", fact.generated, _GENERATED))
    ]
    figure = styled(go.Figure([band, *lines]), title=title, x=x, y=y, height=380)
    return figure.update_yaxes(tickformat=".1%") if tail else figure


def _against_real(fact: StylisedFact, *, title: str, unit: str) -> go.Figure:
    """Generated against real at every point, with the band of the real value as a horizontal bar."""
    real = np.asarray(fact.real)
    labels = [shown_name(p, longest=90) if isinstance(p, str) else f"{100 * p:g} % quantile" for p in fact.points]
    points = go.Scatter(
        x=short_numbers(real),
        y=short_numbers(fact.generated),
        # a bootstrap quantile may lie on the wrong side of the value itself: bars have no negative length
        error_x={
            "type": "data",
            "symmetric": False,
            "array": short_numbers(np.maximum(np.asarray(fact.high) - real, 0.0)),
            "arrayminus": short_numbers(np.maximum(real - np.asarray(fact.low), 0.0)),
            "color": _BAND_COLOUR,
            "width": 0,
        },
        text=labels,
        mode="markers",
        name="bar: 90 % band of the real value",
        marker={"color": _GENERATED, "size": 7},
    )
    ends = short_numbers([min(*fact.real, *fact.generated), max(*fact.real, *fact.generated)])
    line = go.Scatter(x=ends, y=ends, mode="lines", name="equal", line={"color": "#999999", "dash": "dot"})
    return styled(go.Figure([line, points]), title=title, x=f"real, {unit}", y=f"generated, {unit}", height=420)
