"""The tables of the scorecard page, as texts ready to be shown, and the words for gates and verdicts."""

import numpy as np
import pandas as pd

from tsgen.evaluation import MetricResult
from tsgen.evaluation.metric_score import DEFAULT_WEIGHT, GATES, GROUP_WEIGHTS, metric_score
from tsgen.evaluation.scorecard import Scorecard
from tsgen.report.report_tables import Table

NOTHING = "-"
VERDICT_WORDS: tuple[tuple[str, str], ...] = (
    ("at floor", "as close as the true law itself would be with samples of this size: nothing wrong was found"),
    ("above floor", "further away than noise explains (5 % level): wrong in this respect; the score says how far"),
    ("below floor", "closer to the data than the data are to themselves: suspicious, as if it had seen them"),
    ("pass, reject", "outcome of a test that has no distance"),
    ("report", "shown, not judged, not in the score"),
)


def number(value: float) -> str:
    """Four significant digits, or a dash where there is no number.

    Examples
    --------
    >>> number(0.0123456), number(float("nan"))
    ('0.01235', '-')
    """
    return f"{value:.4g}" if np.isfinite(value) else NOTHING


def score_text(value: float) -> str:
    """Score with two digits, or a dash."""
    return f"{value:.2f}" if np.isfinite(value) else NOTHING


def model_rows(card: Scorecard) -> Table:
    """Overall and group scores, one column per model, with the weights of the groups."""
    scores = card.model_scores
    header = ["", "weight", *(str(name) for name in scores.index)]
    rows = []
    for column in scores.columns:
        name = str(column)
        weight = "" if name == "overall" else f"{GROUP_WEIGHTS.get(name, DEFAULT_WEIGHT).weight:g}"
        rows.append([name, weight, *(score_text(float(v)) for v in scores[column])])
    return Table(header, rows)


def metric_rows(card: Scorecard) -> Table:
    """Every metric of the model with its floor, error, verdict and note."""
    header = ["metric", "group", "value", "± (s.e.)", "floor", "± (of the floor)", "verdict", "p", "score", "n", "note"]
    return Table(header, [_metric_row(r) for r in card.results])


def _metric_row(result: MetricResult) -> list[str]:
    return [
        result.metric,
        result.group,
        number(result.value),
        number(result.standard_error),
        number(result.floor),
        number(result.floor_deviation),
        result.verdict,
        "" if result.p_value is None else f"{result.p_value:.3f}",
        "" if result.verdict == "report" else score_text(metric_score(result)),
        f"{result.n:,}",
        result.note,
    ]


def comparison_rows(card: Scorecard) -> Table | None:
    """Value of every metric for every model; ``None`` without baselines."""
    if not card.baselines:
        return None
    frame = card.comparison
    header = ["metric", "group", *(str(c) for c in frame.columns)]
    rows = [
        [str(index[1]), str(index[0]), *(number(float(v)) for v in row)]
        for index, row in zip(frame.index, frame.to_numpy(dtype=np.float64), strict=True)
    ]
    return Table(header, rows)


def paired_rows(card: Scorecard) -> Table | None:
    """Differences of proper scores; ``None`` if there are none."""
    if not card.paired:
        return None
    header = ["against", "score", "difference", "± (s.e.)", "t", "p", "blocks", "in words"]
    rows = [
        [
            str(one["baseline"]),
            str(one["score"]),
            f"{one['difference']:+.4g}",
            number(one["standard_error"]),
            f"{one['t']:+.1f}",
            f"{one['p_value']:.3f}",
            f"{one['n_blocks']:,}",
            _in_words(one["difference"], one["p_value"], str(one["baseline"])),
        ]
        for one in card.paired
    ]
    return Table(header, rows)


def _in_words(difference: float, p_value: float, baseline: str) -> str:
    if p_value > 0.05:
        return "no difference beyond noise"
    return "the model is better" if difference < 0 else f"{baseline} is better"


def confidence_rows(card: Scorecard) -> Table | None:
    """Model confidence sets, one row per model, one column per proper score; ``None`` if there are none."""
    if not card.confidence_sets:
        return None
    frame = pd.DataFrame(list(card.confidence_sets))
    scores = list(dict.fromkeys(map(str, frame["score"])))
    found = {(str(r["model"]), str(r["score"])): r for r in card.confidence_sets}
    rows = []
    for model in dict.fromkeys(map(str, frame["model"])):
        cells = [found.get((model, score)) for score in scores]
        rows.append([model, *(NOTHING if c is None else _membership(c["included"], c["p_value"]) for c in cells)])
    return Table(["model", *scores], rows)


def _membership(included: bool, p_value: float) -> str:
    return f"{'in the set' if included else 'worse'} (p = {p_value:.2f})"


def skipped_rows(card: Scorecard) -> Table | None:
    """What is missing from the score, and why; ``None`` if nothing is."""
    if not card.skipped:
        return None
    return Table(["left out", "why"], [[s.family, s.reason] for s in card.skipped])


def gate_sentences(card: Scorecard) -> list[str]:
    """The state of every gate in one sentence each."""
    failed = card.failed_gates
    sentences = [f"Gate failed: {metric}. {reason[0].upper()}{reason[1:]}." for metric, reason in failed.items()]
    for group, gate in GATES.items():
        judged = [r for r in card.results if r.group == group and r.metric not in gate.exempt]
        if any(f"{r.group} / {r.metric}" in failed for r in judged):
            continue
        state = "open" if judged else "not tested on this card"
        sentences.append(f"Gate {group} (caps the overall score at {gate.ceiling:g}): {state}.")
    return sentences
