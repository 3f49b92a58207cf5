"""One HTML page that opens offline, whatever it shows: charts inlined, Plotly once, scripts pinned by their digests.

Asset names, model names and file names are other people's text. Three walls keep them text: Jinja escapes everything it
prints, chart data travel as JSON with ``<`` written as an escape, and the content security policy runs only the two
scripts whose SHA-256 stands in it. Shared by all pages; the templates extend ``page.html.j2``.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs


@cache
def _packaged(name: str) -> str:
    return (files("tsgen.report") / name).read_text(encoding="utf-8")


def json_for_html(content: Any) -> str:
    r"""JSON that is safe inside a ``<script>`` element.

    Examples
    --------
    >>> json_for_html("</script>")
    '"\\u003c/script\\u003e"'
    """
    text = json.dumps(content, allow_nan=False, separators=(",", ":"), sort_keys=True)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def script_digest(script: str) -> str:
    """The source expression of a content security policy that allows exactly this script."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii") + "'"


def charts_of(figures: Mapping[str, go.Figure | None]) -> dict[str, Any]:
    """Plotly JSON by element id; figures that do not exist are left out."""
    return {name: figure.to_plotly_json() for name, figure in figures.items() if figure is not None}


def render_page(template: str, *, charts: Mapping[str, Any], chart_data: Mapping[str, Any], **fields: Any) -> str:
    """One HTML document.

    Parameters
    ----------
    template : str
        Name of a file of this folder that extends ``page.html.j2``.
    charts : mapping of str to dict
        Figures by the id of the element they are drawn in.
    chart_data : mapping
        Further JSON-able data for the script of the page.
    **fields
        What the template shows; everything is escaped.

    Returns
    -------
    str
        About 5 MB, nearly all of it Plotly. Equal input gives equal text: no dates of making, no random ids.

    Notes
    -----
    Opens from disk without a network; needs a browser with JavaScript for the charts, not for the tables.
    """
    plotly_script, own_script = get_plotlyjs().replace("\r", ""), _packaged("report_charts.js")
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_packaged),
    )
    return environment.get_template(template).render(
        charts=charts,
        chart_data=Markup(json_for_html({**chart_data, "charts": dict(charts)})),
        script_sources=f"{script_digest(plotly_script)} {script_digest(own_script)}",
        plotly_script=Markup(plotly_script),
        own_script=Markup(own_script),
        **fields,
    )
