"""The report as a page."""

import base64
import fcntl
import hashlib
import os
import re
import stat
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.report.data import Watched
from stream_jobs.report.html import html_text, write_html
from tests.unit.report.build import empty, report

HOSTILE = (
    "</style></script><script>alert(1)</script><img src=x onerror=alert(2)>\" onload='x' {{7*7}} $\\frac{a}{b}$ é漢"
)


class Page(HTMLParser):
    """What a browser would run or load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._in_script = tag == "script"
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)
            self._in_script = False


def test_hostile_names_are_text_and_nothing_else() -> None:
    """A name that is a script changes what is read, never what is run: the same elements as with a harmless name."""
    hostile, harmless = Page(html_text(report(HOSTILE))), Page(html_text(report("search")))
    assert hostile.tags == harmless.tags
    assert hostile.scripts == harmless.scripts
    assert hostile.handlers == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html_text(report(HOSTILE))
    assert "{{7*7}}" in html_text(report(HOSTILE))


def test_the_page_needs_no_network() -> None:
    """All links point into the page itself."""
    page = html_text(report())
    assert all(link.startswith("#") for link in Page(page).links)
    assert re.findall(r"url\((?!#)", page) == []
    assert "@import" not in page


def test_the_policy_allows_the_one_script_by_its_hash_and_no_other() -> None:
    """The hash in the page is the hash of the script in the page."""
    page = html_text(report())
    (script,) = Page(page).scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy[1].replace("&#39;", "'").replace("&#43;", "+")
    assert "default-src 'none'" in policy[1]


def test_amounts_are_rounded_for_reading_and_exact_on_hover() -> None:
    """Every digit of the ledger is on the page."""
    page = html_text(report())
    assert 'title="1234.500000000007 USD">$1,234.50<' in page
    assert 'data-v="1234.500000000007"' in page


def test_the_page_says_its_period_time_zone_and_versions() -> None:
    """A page found in a drawer explains itself."""
    page = html_text(report())
    for part in ("2026-03-01 12:00", "UTC", "abc123", "older", "def456"):
        assert part in page


def test_ids_of_the_plots_do_not_collide() -> None:
    """Several SVGs share one page."""
    ids = re.findall(r'\bid="([^"]*)"', html_text(report()))
    assert len(ids) > 10
    assert len(ids) == len(set(ids))


def test_an_empty_store_gives_a_page_that_helps() -> None:
    """What to check and what to run, instead of empty plots."""
    page = html_text(empty())
    assert "Nothing is booked" in page
    assert "spendstream demo" in page
    assert "<svg" not in page


def test_budgets_say_how_much_is_used_and_when_what_was_crossed() -> None:
    """The amount, the share, each threshold with its instant; of a budget per user the top, and how many there are."""
    page = html_text(report())
    for part in (
        *('title="1234.500000000007 USD">$1,234.50<', ">$1,000.00<", "123.4 %"),
        *("80 % at 2026-03-01 12:00<", "100 % at 2026-03-01 12:01<"),
        *("2026-03-01 12:00 to 2026-03-01 13:00", "the last day"),
        *("7 user_id values: 0 crossed a threshold, 0 are over", "search-3", "4 others"),
    ):
        assert part in page


def test_alerts_say_what_when_how_much_and_who_was_told() -> None:
    """With who looks after it, what became of it, and what each receiver took or refused."""
    page = html_text(report())
    for part in (
        *("2026-03-01 12:01:00", "search is over budget", ">$234.50<", "acknowledged by search"),
        *("search after 0.6 s", "pager after 2 minutes", "resolved 2026-03-01 12:00:00", "nobody"),
        *("The gravest 2 of 45", "503 search"),
    ):
        assert part in page


def test_without_budgets_the_page_says_how_to_make_one() -> None:
    """Also when nothing is booked; and budgets that stood nowhere in the period are not mistaken for none."""
    page = html_text(empty())
    assert "There are no budgets. To make one, write <code>budgets.yaml</code>" in page
    assert "No alert was opened in this period" in page
    assert "There are no budgets" in html_text(replace(report(), watched=Watched(report().end)))
    assert "None of the 3 budgets" in html_text(replace(report(), watched=Watched(report().end, defined=3)))


def test_a_file_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    """A missing folder or a folder in the file's place; an older report stays whole."""
    with pytest.raises(ConfigError, match="--out"):
        write_html(report(), tmp_path / "missing" / "report.html")
    with pytest.raises(ConfigError, match="--out"):
        write_html(report(), tmp_path)
    write_html(report(), tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """`--out /dev/null` by root once left a file where the device had been. A pipe stands for it here."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 1_048_576)
    try:
        write_html(report(), pipe)
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert os.read(reader, 15) == b"<!doctype html>"
    finally:
        os.close(reader)
    assert list(tmp_path.iterdir()) == [pipe]
