"""Figures and the self-contained HTML pages: the report of a run, and a scorecard.

Takes finished results (panel, scenarios, allocations, record of the generator, scorecard) and turns them into one
file that opens offline. Computes nothing that decides anything. Sits below `tsgen.cli`, above `portfolio`,
`tsgen.generator` and `tsgen.evaluation`.
"""

from typing import TYPE_CHECKING, Any

from tsgen.report.fan_chart import fan_chart
from tsgen.report.html_report import render_report, write_report
from tsgen.report.run_report import Policy, RunReport

if TYPE_CHECKING:
    from tsgen.report.scorecard_page import render_scorecard as render_scorecard
    from tsgen.report.scorecard_page import write_scorecard as write_scorecard

__all__ = ["Policy", "RunReport", "fan_chart", "render_report", "render_scorecard", "write_report", "write_scorecard"]


def __getattr__(name: str) -> Any:
    # the report of a run must not wait for the packages of the evaluation
    if name in ("render_scorecard", "write_scorecard"):
        from tsgen.report import scorecard_page

        return getattr(scorecard_page, name)
    raise AttributeError(f"module 'tsgen.report' has no attribute {name!r}; public names are {', '.join(__all__)}")
