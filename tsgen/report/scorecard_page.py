"""The scorecard as one offline HTML page: scores, metrics with floors and errors, comparisons, stylised facts."""

from pathlib import Path
from typing import Any

from tsgen.complete_files import write_text
from tsgen.evaluation.scorecard import Scorecard
from tsgen.report.figures_scorecard import fact_figures, group_figure
from tsgen.report.html_page import charts_of, render_page
from tsgen.report.report_tables import fact_rows
from tsgen.report.scorecard_tables import (
    VERDICT_WORDS,
    comparison_rows,
    confidence_rows,
    gate_sentences,
    metric_rows,
    model_rows,
    paired_rows,
    score_text,
    skipped_rows,
)


def render_scorecard(card: Scorecard) -> str:
    """The whole card as one HTML document, as `tsgen.report.html_page.render_page` makes it.

    Parameters
    ----------
    card : Scorecard

    Returns
    -------
    str
        Equal cards give equal text.

    Examples
    --------
    >>> from tsgen.evaluation import MetricResult
    >>> result = MetricResult(
    ...     group="marginal law", metric="KS", value=0.02, floor=0.018, floor_deviation=0.004, standard_error=0.004,
    ...     verdict="at floor", p_value=0.31, n=100,
    ... )
    >>> "Scorecard of mine" in render_scorecard(Scorecard(model="mine", results=(result,)))
    True
    """
    facts = fact_figures(card.stylised_facts)
    return render_page(
        "scorecard.html.j2",
        charts=charts_of({"groups-chart": group_figure(card), **facts}),
        chart_data={},
        title=f"Scorecard of {card.model}",
        header=_header(card),
        gates=gate_sentences(card),
        failed=bool(card.failed_gates),
        models=model_rows(card),
        metrics=metric_rows(card),
        comparison=comparison_rows(card),
        paired=paired_rows(card),
        confidence=confidence_rows(card),
        skipped=skipped_rows(card),
        fact_charts=list(facts),
        verdicts=VERDICT_WORDS,
        provenance=fact_rows(card.facts.items()),
    )


def write_scorecard(card: Scorecard, path: str | Path) -> None:
    """Render and write, complete or not at all.

    Raises
    ------
    StorageError
        If the file cannot be written; an earlier page stays.
    """
    write_text(path, render_scorecard(card))


def _header(card: Scorecard) -> list[tuple[str, str]]:
    facts: dict[str, Any] = card.facts
    verdicts = [r.verdict for r in card.results]
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(verdicts))
    lines = [
        ("Overall", f"{score_text(card.overall)} (1: at the noise floor in every group; 0: hopeless)"),
        ("Metrics", f"{counts}; {len(card.skipped)} left out (see below)"),
        ("Baselines", ", ".join(card.baselines) or "none: a score without comparison says little"),
    ]
    if "start" in facts:
        span = f"after {str(facts['start'])[:10]} ({facts['start_reason']}) to {str(facts['end'])[:10]}"
        windows = f"{facts['n_windows']:,} windows of {facts['horizon']} periods, {facts['n_scenarios']} scenarios each"
        daily = f"{facts['n_daily_dates']:,} daily forecasts of {facts['n_daily_scenarios']:,} scenarios"
        lines += [("Evaluated", span), ("Sizes", f"{windows}; {daily}")]
    elif "n_real_paths" in facts:
        lines.append(("Evaluated", f"on {facts['n_real_paths']:,} real paths of {facts['horizon']} periods"))
    return lines
