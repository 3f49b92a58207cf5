"""The card adds nothing to its metrics: scores, weights and gates are as written, and JSON brings it back."""

import json

import numpy as np
import pytest

from tsgen.errors import DataError
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.metric_score import (
    DEFAULT_WEIGHT,
    GROUP_WEIGHTS,
    failed_gates,
    group_scores,
    metric_score,
    overall_score,
)
from tsgen.evaluation.scorecard import Scorecard, SkippedMetrics
from tsgen.evaluation.stylised_facts import StylisedFact


def result(metric="m", *, group="marginal law", excess=0.0, verdict="at floor", deviation=0.1):
    return MetricResult(
        group=group,
        metric=metric,
        value=1.0 + 0.1 * excess,
        floor=1.0,
        floor_deviation=deviation,
        standard_error=0.05,
        verdict=verdict,
        p_value=0.5,
        n=100,
        note="<note>",
    )


def test_scores_fall_with_the_excess():
    excesses = np.array([-1.0, 0.0, 2.0, 3.0, 7.0, 27.0, 1000.0])
    scores = [metric_score(result(excess=e, verdict="above floor")) for e in excesses]
    np.testing.assert_allclose(scores, [1, 1, 1, 5 / 6, 1 / 2, 1 / 6, 5 / 1003], rtol=1e-9)


def test_scores_of_verdicts_without_a_distance():
    assert metric_score(result(verdict="pass")) == 1.0
    assert metric_score(result(verdict="reject")) == 0.0
    assert metric_score(result(verdict="below floor", excess=-3)) == 0.5
    assert metric_score(result(verdict="below floor", excess=-3, group="memorisation")) == 1.0
    assert np.isnan(metric_score(result(verdict="report")))
    assert metric_score(result(verdict="above floor", deviation=0.0)) == 0.0
    assert metric_score(result(verdict="at floor", deviation=0.0)) == 1.0


def test_overall_is_the_weighted_mean_of_the_groups():
    results = [
        result("a", group="forecast calibration"),
        result("b", group="forecast calibration", excess=7, verdict="above floor"),
        result("c", group="classifier", verdict="reject"),
        result("d", group="effective windows", verdict="report"),
    ]
    assert group_scores(results).to_dict() == {"forecast calibration": 0.75, "classifier": 0.0}
    heavy, light = GROUP_WEIGHTS["forecast calibration"].weight, DEFAULT_WEIGHT.weight
    assert overall_score(results) == pytest.approx(0.75 * heavy / (heavy + light))
    assert np.isnan(overall_score([results[3]]))


def test_gates_cap_the_overall_score():
    good = result()
    leak = result("future of the history", group="adaptedness", verdict="reject")
    order = result("horizon prefix", group="adaptedness", verdict="reject")
    copy = result("exact copies", group="memorisation", verdict="above floor", excess=50)
    noise = result("exact copies", group="memorisation", verdict="above floor", excess=3)
    assert overall_score([good, leak]) == 0.0
    assert overall_score([good, order]) == pytest.approx(0.5)  # scored, but it need not be a leak
    assert overall_score([*[result(str(i), group=f"g{i}") for i in range(9)], copy]) == 0.5
    assert overall_score([good, noise]) > 0.9  # one true model in twenty is above its floor
    assert list(failed_gates([good, leak, order, copy, noise])) == [
        "adaptedness / future of the history",
        "memorisation / exact copies",
    ]


@pytest.fixture
def card():
    return Scorecard(
        model="mine",
        results=(result("a"), result("b", group="dependence", excess=7, verdict="above floor")),
        baselines={"other": (result("a", excess=12, verdict="above floor"),)},
        paired=(
            {
                "score": "CRPS",
                "baseline": "other",
                "difference": -0.1,
                "standard_error": 0.02,
                "t": -5.0,
                "p_value": 1e-4,
                "n_blocks": 30,
            },
        ),
        confidence_sets=(
            {"score": "CRPS", "model": "mine", "mean_score": 0.5, "p_value": 1.0, "included": True},
            {"score": "CRPS", "model": "other", "mean_score": 0.6, "p_value": 0.01, "included": False},
        ),
        skipped=(SkippedMetrics("sensitivity", "one date"),),
        facts={"seed": 0},
        stylised_facts=(
            StylisedFact(
                name="leverage",
                points=(1, 2),
                real=(-0.1, 0.0),
                generated=(0.0, 0.0),
                low=(-0.2, -0.1),
                high=(0.0, 0.1),
            ),
        ),
    )


def test_tables_hold_what_the_metrics_hold(card):
    assert list(card.table.columns[:6]) == ["group", "metric", "value", "floor", "standard_error", "verdict"]
    assert card.table["score"].tolist() == [1.0, 0.5]
    assert card.groups.to_dict() == {"marginal law": 1.0, "dependence": 0.5}
    assert card.overall == pytest.approx((1.0 + 2 * 0.5) / 3)
    assert card.model_scores.loc["other", "overall"] == pytest.approx(1 / 3)
    assert np.isnan(card.model_scores.loc["other", "dependence"])
    assert card.comparison.loc[("marginal law", "a"), ["floor", "mine", "other"]].tolist() == [1.0, 1.0, 2.2]
    assert card.to_frame().groupby("model").size().to_dict() == {"mine": 2, "other": 1}
    assert card.paired_differences["t"].tolist() == [-5.0]
    assert card.model_confidence_sets["included"].tolist() == [True, False]
    assert "1 of 2 metrics at their floor, 1 baselines, 1 families skipped" in repr(card)


def test_json_brings_the_card_back(card):
    back = Scorecard.from_json(card.to_json())
    assert back.to_json() == card.to_json()
    assert back.table.equals(card.table)
    assert back.stylised_facts == card.stylised_facts
    assert json.loads(card.to_json())["overall"] == card.overall


def test_html_escapes_and_shows_the_gates(card):
    page = card._repr_html_()
    assert "&lt;note&gt;" in page
    assert "<note>" not in page
    assert "negative favours the model" in page
    assert "Skipped sensitivity: one date" in page
    assert "in the set (p 1.00)" in page
    assert "out (p 0.01)" in page
    leak = Scorecard(model="mine", results=(result("future", group="adaptedness", verdict="reject"),))
    assert "Gate failed" in leak._repr_html_()


def test_bad_cards_are_refused(card):
    with pytest.raises(DataError, match="at least one metric: all were skipped \\(law: too short\\)"):
        Scorecard(model="mine", results=(), skipped=(SkippedMetrics("law", "too short"),))
    with pytest.raises(DataError, match="a baseline has the name of the model"):
        Scorecard(model="mine", results=(result(),), baselines={"mine": (result(),)})
    with pytest.raises(DataError, match="occur more than once"):
        Scorecard(model="mine", results=(result(), result()))
    with pytest.raises(DataError, match="no scorecard of this toolkit"):
        Scorecard.from_json("[]")
    with pytest.raises(DataError, match="schema version 2, expected 1"):
        Scorecard.from_json(card.to_json().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(DataError, match="must be finite"):
        Scorecard.from_json(card.to_json().replace('"value": 1.0', '"value": Infinity', 1))
