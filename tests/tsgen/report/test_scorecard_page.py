"""The page of a scorecard: everything on the card, escaped, offline, with the same walls as the report of a run."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest

from tsgen.errors import StorageError
from tsgen.evaluation import MetricResult, PairedWindows, stylised_facts
from tsgen.evaluation.scorecard import Scorecard, SkippedMetrics
from tsgen.report import render_scorecard, write_scorecard
from tsgen.report.figures_scorecard import fact_figures, group_figure
from tsgen.report.scorecard_tables import gate_sentences, model_rows, paired_rows

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def result(metric="KS", *, group="marginal law", value=1.0, verdict="at floor", note=""):
    return MetricResult(
        group=group,
        metric=metric,
        value=value,
        floor=1.0,
        floor_deviation=0.1,
        standard_error=0.05,
        verdict=verdict,
        p_value=0.5,
        n=1234,
        note=note,
    )


def made_facts(assets=("A", "B")):
    rng = np.random.default_rng(0)
    pairs = PairedWindows(
        realised=0.01 * rng.standard_normal((20, 5, len(assets))),
        generated=0.01 * rng.standard_normal((20, 3, 5, len(assets))),
        assets=assets,
        kind="log",
    )
    return stylised_facts(pairs, seed=0, replications=50)


def build_card(name="mine", other="other", *, assets=("A", "B"), **changes):
    paired = {"score": "CRPS", "difference": -0.1, "standard_error": 0.02, "t": -5.0, "p_value": 1e-4, "n_blocks": 30}
    inside = {"score": "CRPS", "model": name, "mean_score": 0.5, "p_value": 1.0, "included": True}
    outside = {"score": "CRPS", "model": other, "mean_score": 0.6, "p_value": 0.01, "included": False}
    fields = {
        "results": (result(note=name), result("Pearson", group="dependence", value=1.7, verdict="above floor")),
        "baselines": {other: (result(value=2.2, verdict="above floor"),)},
        "paired": (paired | {"baseline": other},),
        "confidence_sets": (inside, outside),
        "skipped": (SkippedMetrics("sensitivity", f"one date of {name}"),),
        "facts": {"seed": 0, "data": name},
        "stylised_facts": made_facts(assets),
    }
    return Scorecard(model=name, **(fields | changes))


@pytest.fixture(scope="module")
def card():
    return build_card()


@pytest.fixture(scope="module")
def page(card):
    return render_scorecard(card)


def chart_data(page):
    return json.loads(re.search(r'id="chart-data">(.*?)</script>', page, re.S).group(1))


def text_of(page):
    """The page without scripts, tags and line breaks."""
    bare = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.S)
    return " ".join(re.sub(r"<[^>]*>", " ", bare).split())


def test_the_page_says_what_the_card_says(page):
    text = text_of(page)
    for piece in (
        "Scorecard of mine",
        "Pearson dependence 1.7 0.05 1 0.1 above floor 0.500 0.50 1,234",
        "other CRPS -0.1 0.02 -5.0 0.000 30 the model is better",
        "mine in the set (p = 1.00)",
        "other worse (p = 0.01)",
        "sensitivity one date of mine",
        "Gate adaptedness (caps the overall score at 0): not tested on this card.",
        "The floor of a metric is what the true law itself would score",
        "suspicious, as if it had seen them",
    ):
        assert piece in text, piece


def test_every_chart_has_its_place(page):
    charts = chart_data(page)["charts"]
    assert set(charts) == set(re.findall(r'<div id="([^"]*-chart)">', page))
    assert len(charts) == 6  # groups and five facts
    for name, chart in charts.items():
        for axis in ("xaxis", "yaxis"):
            titled = chart["layout"][axis]["title"].get("text")
            assert titled or (name, axis) == ("groups-chart", "yaxis")


def test_the_file_is_offline_and_runs_only_its_two_scripts(page):
    assert not re.search(r"<[^>]*\s(src|href|action|on\w+)=", page.split("<script", 1)[0])
    allowed = re.search(r"script-src ([^\"]*?); style", page).group(1).replace("&#39;", "'").split()
    bodies = [m.group(1) for m in re.finditer(r"<script>(.*?)</script>", page, re.S)]
    found = ["'sha256-" + base64.b64encode(hashlib.sha256(b.encode()).digest()).decode() + "'" for b in bodies]
    assert found == allowed
    assert "default-src 'none'" in page
    assert page.count("plotly.js v") == 1


def test_equal_cards_give_equal_pages(card, page):
    assert render_scorecard(Scorecard.from_json(card.to_json())) == page


def test_hostile_names_stay_text():
    hostile = build_card(HOSTILE, f"{HOSTILE}2", assets=(HOSTILE, "B"))
    page = render_scorecard(hostile)
    assert page.count("<script") == 3  # data, Plotly, ours
    assert "<img" not in page.replace(page[page.index("plotly.js v") :], "")
    # Plotly reads markup in texts: names may reach it only escaped
    assert "<" not in json.dumps(chart_data(page)["charts"])
    assert "&lt;/script&gt;" in json.dumps(chart_data(page)["charts"])


def test_gates_in_words():
    leak = build_card(results=(result("future of the history", group="adaptedness", verdict="reject"),))
    sentences = gate_sentences(leak)
    assert sentences[0] == (
        "Gate failed: adaptedness / future of the history. A forecast that knows the future makes every other number "
        "void."
    )
    assert not any("Gate adaptedness" in s for s in sentences)
    passed = build_card(results=(result("future of the history", group="adaptedness", verdict="pass"),))
    assert "Gate adaptedness (caps the overall score at 0): open." in gate_sentences(passed)


def test_tables_state_weights_dashes_and_winners(card):
    rows = {row[0]: row[1:] for row in model_rows(card).rows}
    assert rows["dependence"] == ["2", "0.50", "-"]
    noise = {"score": "CRPS", "baseline": "x", "difference": 0.1, "standard_error": 0.1, "t": 1.0, "p_value": 0.3}
    worse = noise | {"p_value": 0.01}
    words = [row[-1] for row in paired_rows(build_card(paired=(noise | {"n_blocks": 9}, worse | {"n_blocks": 9}))).rows]
    assert words == ["no difference beyond noise", "x is better"]


def test_a_card_of_one_model_and_nothing_else_still_has_a_page():
    text = text_of(render_scorecard(Scorecard(model="alone", results=(result(),))))
    assert "No baseline was given" in text
    assert "This card holds none." in text
    assert "Nothing was left out." in text


def test_bars_and_bands_carry_the_numbers_of_the_card(card):
    bars = {bar.name: dict(zip(bar.y, bar.x, strict=True)) for bar in group_figure(card).data}
    assert bars["mine"]["dependence"] == 0.5
    assert "dependence" not in bars["other"]
    figures = fact_figures(card.stylised_facts)
    band, real, generated = figures["fact-leverage-chart"].data
    fact = next(f for f in card.stylised_facts if f.name == "leverage")
    np.testing.assert_allclose(real.y, fact.real, rtol=1e-5)  # six digits are drawn
    np.testing.assert_allclose(generated.y, fact.generated, rtol=1e-5)
    np.testing.assert_allclose(band.y, [*fact.high, *reversed(fact.low)], rtol=1e-5)


def test_writing_is_complete_or_not_at_all(card, tmp_path, monkeypatch):
    target = tmp_path / "scorecard.html"
    target.write_text("old")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_scorecard(card, target)
    monkeypatch.undo()
    assert target.read_text() == "old"


def test_unknown_names_of_the_report_are_refused():
    import tsgen.report

    with pytest.raises(AttributeError, match="has no attribute 'nonsense'; public names are"):
        _ = tsgen.report.nonsense
