"""One finding as a page."""

from dataclasses import replace
from decimal import Decimal

import pytest

from stream_jobs.anomalies.around import Around
from stream_jobs.anomalies.cause import Cause
from stream_jobs.report.anomaly_page import anomaly_html
from tests.unit.anomalies.build import MINUTE, cause, found, shown
from tests.unit.output.hostile import HOSTILE, foreign
from tests.unit.report.test_html import HOSTILE as SCRIPT
from tests.unit.report.test_html import Page


@pytest.mark.slow
def test_hostile_names_are_text_and_nothing_else() -> None:
    """The same elements, scripts and links as with a harmless name; no mark turns the reading direction."""
    harmless = Page(anomaly_html(shown()))
    for name in (SCRIPT, HOSTILE, "x" * 5000, "واحد " * 200):
        page = Page(anomaly_html(shown(name)))
        assert (page.tags, page.scripts, page.handlers) == (harmless.tags, harmless.scripts, [])
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in anomaly_html(shown(SCRIPT))
    assert foreign(anomaly_html(shown(HOSTILE))) == []


def test_a_name_from_right_to_left_leaves_the_amount_beside_it_where_it_is() -> None:
    """A mark ends its run; the letters stay."""
    assert "team واحد&lrm;: $45.10 in" in anomaly_html(shown("واحد"))


def test_the_page_says_what_the_terminal_says() -> None:
    """What, how much, why, who said what, what else; every digit on hover; no network."""
    page = anomaly_html(shown())
    for part in (
        *("$45.10 in the 40 minutes from", "1,508.40 more a day", "number of requests", "user search"),
        *("event-search", "search ran a loop", "all usage", 'title="39.8 USD"', "<svg", "USD per minute, UTC"),
    ):
        assert part in page, part
    assert all(link.startswith("#") for link in Page(page).links)


def test_the_page_says_why_in_the_words_of_the_terminal() -> None:
    """Also where no set of values explains it; and with what it was compared."""
    said = ("user alice, as a whole: +$3.35", "largest parts: team team2 +$3.35 (100.0 %)")
    page = anomaly_html(replace(shown(), cause=replace(cause(), sets=(), sentences=said, compared="earlier weeks")))
    assert all(sentence in page for sentence in said)
    assert "Compared with earlier weeks." in page


@pytest.mark.parametrize(
    "less",
    [
        {"cause": Cause(), "history": (), "group": (), "around": Around(MINUTE, ())},
        {"found": found(ends_at=None, state="open", mark="", per_day=Decimal(0))},
    ],
)
def test_what_is_not_known_is_said(less: dict[str, object]) -> None:
    """No empty tables."""
    page = anomaly_html(replace(shown(), **less))  # type: ignore[arg-type]
    assert "<tbody></tbody>" not in page
    assert ("Nobody knows yet" in page) == ("cause" in less)
