"""What a report's page says of the time to come."""

import re

from stream_jobs.report.forecast_section import BudgetLine, Section
from stream_jobs.report.html import html_text
from tests.unit.report.build import report
from tests.unit.report.test_html import HOSTILE, Page


def section(name: str = "search") -> Section:
    line = BudgetLine(
        name, "2026-03-31 22:00", "$10.00", "$90.00", "$80.00 ($60.00 to $99.00)", "31 %", "lasts", "steady"
    )
    return Section(f"{name}: $80.00 is expected", f"of {name}", '<svg id="forecast-plot"></svg>', (line,), 3)


def test_budgets_and_the_plot_are_on_the_page() -> None:
    page = html_text(report(), section())
    assert '<svg id="forecast-plot">' in page
    for said in ("What is to come", "$80.00 ($60.00 to $99.00)", "31 %", "3 others"):
        assert said in page


def test_without_a_forecast_nothing_is_said_of_it() -> None:
    assert "What is to come" not in html_text(report())


def test_names_of_budgets_are_text_and_nothing_else() -> None:
    hostile, harmless = Page(html_text(report(), section(HOSTILE))), Page(html_text(report(), section()))
    assert hostile.tags == harmless.tags
    assert hostile.handlers == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html_text(report(), section(HOSTILE))


def test_ids_do_not_collide() -> None:
    ids = re.findall(r'\bid="([^"]*)"', html_text(report(), section()))
    assert len(ids) == len(set(ids))
