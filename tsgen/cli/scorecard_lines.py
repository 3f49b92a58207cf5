"""A scorecard as a few lines of plain text: scores of all models, verdicts, gates, what is furthest from its floor."""

import math
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tsgen.evaluation.scorecard import Scorecard

_WIDEST = 25
_WORST = 5
_LEFT_OUT = 6
_COLUMNS = 5


def finite_scores(card: "Scorecard") -> dict[str, dict[str, float | None]]:
    """Overall and group scores by model; None where nothing was judged."""
    frame = card.model_scores
    return {
        str(name): {str(c): float(v) if math.isfinite(v) else None for c, v in row.items()}
        for name, row in zip(frame.index, frame.to_dict("records"), strict=True)
    }


def scorecard_lines(card: "Scorecard") -> list[str]:
    """The card in short.

    Examples
    --------
    >>> from tsgen.evaluation.metric_result import MetricResult
    >>> from tsgen.evaluation.scorecard import Scorecard
    >>> result = MetricResult(
    ...     group="marginal law", metric="KS", value=0.02, floor=0.018, floor_deviation=0.004, standard_error=0.004,
    ...     verdict="at floor", p_value=0.31, n=100,
    ... )
    >>> scorecard_lines(Scorecard(model="mine", results=(result,)))[0]
    'Scorecard of mine: overall 1.00 (1: at the noise floor)'
    """
    overall = "not judged" if math.isnan(card.overall) else f"{card.overall:.2f}"
    lines = [f"Scorecard of {card.model}: overall {overall} (1: at the noise floor)", *_period(card), ""]
    lines += [*_score_table(card), ""]
    counts = Counter(r.verdict for r in card.results)
    lines.append(f"Verdicts of {card.model}: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common()))
    lines += [f"GATE FAILED: {metric}: {why}" for metric, why in card.failed_gates.items()]
    lines += [*_worst(card), *_differences(card)]
    if card.skipped:
        more = f" and {len(card.skipped) - _LEFT_OUT} more" if len(card.skipped) > _LEFT_OUT else ""
        families = ", ".join(s.family for s in card.skipped[:_LEFT_OUT])
        lines.append(f"Left out: {families}{more} (reasons are on the card)")
    return [*lines, ""]


def _period(card: "Scorecard") -> list[str]:
    facts = card.facts
    if "start" in facts:
        sizes = (
            f"{facts['n_windows']:,} windows of {facts['horizon']} periods, {facts['n_daily_dates']:,} daily forecasts"
        )
        return [f"Evaluated after {str(facts['start'])[:10]} to {str(facts['end'])[:10]}: {sizes}"]
    if "n_real_paths" in facts:
        return [f"Evaluated on {facts['n_real_paths']:,} real paths of {facts['horizon']} periods"]
    return []


def _score_table(card: "Scorecard") -> list[str]:
    """Scores by group and model, a few models side by side."""
    scores = finite_scores(card)
    names, groups = list(scores), list(next(iter(scores.values())))
    first = max(len(g) for g in groups)
    lines = []
    for begin in range(0, len(names), _COLUMNS):
        chosen = names[begin : begin + _COLUMNS]
        widths = [max(len(n[:_WIDEST]), 5) for n in chosen]
        lines += [""] if begin else []
        lines.append("  ".join(["".ljust(first), *(n[:_WIDEST].rjust(w) for n, w in zip(chosen, widths, strict=True))]))
        for group in groups:
            cells = [_score(scores[n][group]).rjust(w) for n, w in zip(chosen, widths, strict=True)]
            lines.append("  ".join([group.ljust(first), *cells]))
    return lines


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _differences(card: "Scorecard") -> list[str]:
    """One line per baseline: the first proper score of the card, daily if there is one."""
    if not card.paired:
        return []
    score = next((p["score"] for p in card.paired if p["score"] == "CRPS"), card.paired[0]["score"])
    lines = [f"{score}, {card.model} minus baseline (negative favours the model):"]
    for one in (p for p in card.paired if p["score"] == score):
        better = card.model if one["difference"] < 0 else one["baseline"]
        words = "no difference beyond noise" if one["p_value"] > 0.05 else f"{better} is better"
        difference = f"{one['difference']:+.3g} ± {one['standard_error']:.2g} (p = {one['p_value']:.3f})"
        lines.append(f"  {one['baseline']}: {difference}: {words}")
    return lines


def _worst(card: "Scorecard") -> list[str]:
    above = sorted((r for r in card.results if r.verdict == "above floor"), key=lambda r: -r.excess)[:_WORST]
    below = [r for r in card.results if r.verdict == "below floor"]
    lines = ["Furthest from the floor:"] if above else []
    lines += [
        f"  {r.group} / {r.metric}: {r.value:.4g} ± {r.standard_error:.2g}, "
        f"floor {r.floor:.4g} ± {r.floor_deviation:.2g}"
        for r in above
    ]
    lines += [f"  below its floor, suspicious: {r.group} / {r.metric}" for r in below]
    return lines
