"""Figures and the self-contained HTML report of a run.

Takes finished results (panel, scenarios, allocations, record of the generator) and turns them into one
file that opens offline. Computes nothing that decides anything. Sits below `tsgen.cli`, above `portfolio`
and `tsgen.generator`.
"""

from tsgen.report.fan_chart import fan_chart
from tsgen.report.html_report import render_report, write_report
from tsgen.report.run_report import Policy, RunReport

__all__ = ["Policy", "RunReport", "fan_chart", "render_report", "write_report"]
