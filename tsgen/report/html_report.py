"""The report of a run: everything of a `RunReport` on one offline page, see `tsgen.report.html_page`."""

from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from tsgen.complete_files import write_text
from tsgen.generator.adapted_generator import describe_head
from tsgen.report.figure_style import period_name
from tsgen.report.figures_dependence import correlation_figure, volatility_figure
from tsgen.report.figures_fan import fan_figures
from tsgen.report.figures_performance import performance_figure
from tsgen.report.figures_weights import weights_figure
from tsgen.report.horizon_table import recent_part
from tsgen.report.html_page import charts_of, render_page
from tsgen.report.report_tables import (
    contest_rows,
    fact_rows,
    horizon_rows,
    performance_rows,
    policy_rows,
    weight_rows,
)
from tsgen.report.run_report import RunReport


def _charts(report: RunReport) -> dict[str, Any]:
    figures: dict[str, go.Figure | None] = {
        "weights-chart": weights_figure(report),
        "volatility-chart": volatility_figure(report),
        "correlation-chart": correlation_figure(report),
        "performance-chart": performance_figure(report),
    }
    return charts_of(figures)


def _header(report: RunReport) -> list[tuple[str, str]]:
    scenarios, train = report.scenarios, report.train
    periods = period_name(train.frequency)
    later = "none" if report.test is None else f"{report.test.n_dates:,} dates to {report.test.dates[-1].date()}"
    return [
        ("Data", f"{train.source}: {train.n_assets} assets, {train.frequency} {train.kind} returns"),
        ("Training", f"{train.dates[0].date()} to {train.dates[-1].date()}, {train.n_dates:,} dates"),
        ("As-of date", f"{train.dates[-1].date()}: nothing later was used to fit, to sample or to choose weights"),
        ("Scenarios", f"{scenarios.n_scenarios:,} of {scenarios.horizon} {periods}"),
        ("Later data", f"{later} (only to look back, in the part on what happened)"),
    ]


def render_report(report: RunReport) -> str:
    """The whole report as one HTML document.

    Parameters
    ----------
    report : RunReport

    Returns
    -------
    str
        As `render_page`.
    """
    fans = fan_figures(report)
    return render_page(
        "report.html.j2",
        charts=_charts(report),
        chart_data={"fans": fans},
        title=report.title,
        header=_header(report),
        limits=report.limits,
        policies=policy_rows(report),
        weights=weight_rows(report),
        horizon=horizon_rows(report),
        horizon_periods=f"{report.scenarios.horizon} {period_name(report.train.frequency)}",
        n_scenarios=f"{report.scenarios.n_scenarios:,}",
        n_recent=f"{recent_part(report.train).n_dates:,}",
        performance=performance_rows(report),
        rebalancing_seed=_bootstrap_facts(report),
        contest=contest_rows(report),
        acceptance=f"{report.generator.config.head.acceptance:g}",
        floor_rule=report.generator.config.head.anchor_is_floor,
        head=describe_head(report.generator.head),
        whitening=report.generator.whitening.kind,
        sections={name: fact_rows(part.items()) for name, part in report.facts.items()},
        fan_labels=[fan["label"] for fan in fans],
        n_hidden=len(report.policies) + report.scenarios.n_assets - len(fans),
    )


def _bootstrap_facts(report: RunReport) -> str:
    outcomes = [p.realised for p in report.policies if p.realised is not None]
    return f"{outcomes[0].diagnostics['replications']:,}" if outcomes else ""


def write_report(report: RunReport, path: str | Path) -> None:
    """Render and write, complete or not at all.

    Raises
    ------
    StorageError
        If the file cannot be written; an earlier report stays.
    """
    write_text(path, render_report(report))
