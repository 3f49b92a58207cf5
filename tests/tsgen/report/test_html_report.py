"""One offline file, the same bytes every time, in which other people's names stay text."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from tsgen.errors import StorageError
from tsgen.report import render_report, write_report
from tsgen.report.html_page import json_for_html, script_digest


class _Elements(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.scripts, self._script = [], [], [], None

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *a) for a in attrs]
        if tag == "script":
            self._script = (dict(attrs), [])
            self.scripts.append(self._script)

    def handle_endtag(self, tag):
        if tag == "script":
            self._script = None

    def handle_data(self, data):
        if self._script is not None:
            self._script[1].append(data)


def _parsed(text):
    elements = _Elements()
    elements.feed(text)
    return elements


def _data_of(elements):
    return json.loads(next("".join(body) for attributes, body in elements.scripts if "id" in attributes))


def test_the_file_is_complete_offline_and_below_seven_megabytes(report):
    text = render_report(report)
    elements = _parsed(text)
    assert len(text.encode()) < 7_000_000
    assert len(elements.scripts) == 3  # data, Plotly once, ours
    for tag, name, value in elements.attributes:
        assert name not in ("src", "href", "srcset", "action"), (tag, name, value)
        assert not name.startswith("on"), (tag, name, value)
    assert text.count("plotly.js v") == 1


def test_equal_input_gives_equal_bytes_without_clock_or_random_ids(report):
    first, second = render_report(report), render_report(report)
    assert first == second
    own = first.replace(re.search(r"plotly\.js v.*", first, re.S).group(0), "")
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-", own)


def test_the_policy_allows_exactly_the_two_scripts_in_the_file(report):
    text = render_report(report)
    elements = _parsed(text)
    policy = next(v for t, n, v in elements.attributes if t == "meta" and n == "content" and "default-src" in v)
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    allowed = re.search(r"script-src ([^;]*);", policy).group(1).split()
    # the digests of what a browser would hash: the text between the tags
    bodies = [m.group(1) for m in re.finditer(r"<script>(.*?)</script>", text, re.S)]
    found = ["'sha256-" + base64.b64encode(hashlib.sha256(b.encode()).digest()).decode() + "'" for b in bodies]
    assert found == allowed
    assert script_digest("alert(1)") not in allowed


def test_no_chart_can_be_sent_away(report):
    """Plotly's default toolbar offers to upload a chart; the button must exist under this name to be removed by it."""
    text = render_report(report)
    assert 'modeBarButtonsToRemove: ["sendChartToCloud"]' in text
    assert 'plotlyServerURL: ""' in text
    assert 'name:"sendChartToCloud"' in text, "the button has another name in this version of Plotly"


def test_hostile_names_stay_text_everywhere(hostile):
    text = render_report(hostile)
    elements = _parsed(text)
    assert "img" not in elements.tags
    assert len(elements.scripts) == 3
    assert not any(
        "alert" in "".join(body) for a, body in elements.scripts if "id" not in a and len("".join(body)) < 5000
    )
    content = _data_of(elements)
    # Plotly reads markup in texts: a name may reach it only escaped; labels of the chooser are not read by it
    for fan in content["fans"]:
        assert "<" not in json.dumps({k: v for k, v in fan.items() if k != "label"})
    assert "<" not in json.dumps(content["charts"])
    assert "&lt;img src=x" in json.dumps(content["charts"])


def test_the_escape_of_json_is_needed_and_lossless():
    nasty = {"name": "</script><!-- \u2028 &amp;"}
    assert json.loads(json_for_html(nasty)) == nasty
    assert "</script" not in json_for_html(nasty)
    assert "</script" in json.dumps(nasty)  # the wrong variant lets the name out
    with pytest.raises(ValueError, match="Out of range"):
        json_for_html({"x": float("nan")})


def test_without_later_data_the_report_says_so(make_report):
    text = render_report(make_report(test=False))
    assert "too few returns after the as-of date" in text
    assert "performance-chart" not in text
    assert "what happened" not in json.dumps(_data_of(_parsed(text)))


def test_the_sections_carry_units_sample_sizes_and_verdicts(report):
    text = render_report(report)
    for piece in (
        "Read this first",
        "Made up data.",
        "200 scenarios",
        "5 trading days",
        "refused",
        "± is one standard error",
    ):
        assert piece in text
    for fan in _data_of(_parsed(text))["fans"]:
        assert "(200 scenarios)" in fan["layout"]["title"]["text"]
        assert fan["layout"]["yaxis"]["title"]["text"].endswith("% of initial value")
        assert fan["layout"]["xaxis"]["title"]["text"] == "trading days after the as-of date"


def test_every_axis_has_a_title_with_a_unit(report):
    content = _data_of(_parsed(render_report(report)))
    titles = {
        name: sorted(v["title"]["text"] for k, v in chart["layout"].items() if re.match(r"[xy]axis", k))
        for name, chart in content["charts"].items()
    }
    assert titles["weights-chart"] == ["asset", "weight, % of wealth"]
    assert "standard deviation, % a year" in titles["volatility-chart"]
    assert "drawdown, % of peak" in titles["performance-chart"]


def test_writing_is_complete_or_not_at_all(report, tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    target.write_text("old")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_report(report, target)
    monkeypatch.undo()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    write_report(report, target)
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
