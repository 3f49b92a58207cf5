"""Proper scores of several models on the same dates, as records for the scorecard: differences and confidence sets."""

from collections.abc import Mapping
from typing import Any

from tsgen.errors import DataError
from tsgen.evaluation.model_comparison import model_confidence_set, paired_difference
from tsgen.evaluation.model_evaluation import ModelEvaluation
from tsgen.evaluation.scorecard import SkippedMetrics

Record = dict[str, Any]


def compare_scores(
    model: str, evaluations: Mapping[str, ModelEvaluation], *, seed: int
) -> tuple[list[Record], list[Record], list[SkippedMetrics]]:
    """Compare the proper scores of a model with those of all others.

    Parameters
    ----------
    model : str
        Its name among the evaluations.
    evaluations : mapping of str to ModelEvaluation
    seed : int
        Of the bootstrap behind the confidence sets.

    Returns
    -------
    paired : list of dict
        score, baseline, difference (model minus baseline), standard_error, t, p_value, n_blocks.
    confidence_sets : list of dict
        score, model, mean_score, p_value, included.
    skipped : list of SkippedMetrics
        Comparisons that could not be made.

    Examples
    --------
    >>> compare_scores("mine", {"mine": ModelEvaluation(results=(), skipped=(), scores={}, blocks={})}, seed=0)
    ([], [], [])
    """
    paired: list[Record] = []
    sets: list[Record] = []
    skipped: list[SkippedMetrics] = []
    if len(evaluations) < 2:
        return paired, sets, skipped
    own = evaluations[model]
    for score, record in own.scores.items():
        others = {n: e.scores[score] for n, e in evaluations.items() if n != model and score in e.scores}
        block = own.blocks[score]
        distinct = {model: record}
        for name, other in others.items():
            try:
                result = paired_difference(record, other, block=block)
            except DataError as error:
                skipped.append(SkippedMetrics(f"{score} against {name}", str(error)))
                continue
            distinct[name] = other
            paired.append({"score": score, "baseline": name, **result._asdict()})
        if len(distinct) < 2:
            continue
        try:
            table = model_confidence_set(distinct, seed=seed, block=block)
        except DataError as error:
            skipped.append(SkippedMetrics(f"confidence set of the {score}", str(error)))
            continue
        sets += [
            {
                "score": score,
                "model": str(name),
                "mean_score": float(table["mean_score"][name]),
                "p_value": float(table["p_value"][name]),
                "included": bool(table["included"][name]),
            }
            for name in table.index
        ]
    return paired, sets, skipped
