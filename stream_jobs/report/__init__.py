"""Where the money went: asked from ClickHouse, shown in the terminal and as one self-contained HTML page."""

from stream_jobs.report.data import ReportData
from stream_jobs.report.html import write_html
from stream_jobs.report.queries import build
from stream_jobs.report.terminal import render_terminal

__all__ = ["ReportData", "build", "render_terminal", "write_html"]
