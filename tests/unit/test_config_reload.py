"""Changed prices and rules are taken up while a worker runs, once they are whole and right."""

import logging
import os
from pathlib import Path

import pytest

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.config_reload import PricesAndRules, prices_and_rules
from stream_jobs.errors import StoreUnavailableError
from stream_jobs.files_reload import FilesReload
from stream_jobs.pricing.book import PriceBook

RULES = "rules:\n  - name: everything is checkout's\n    fill: {{team: {team}}}\n"
CARD = """\
provider: vast
source: https://example.com
checked: 2026-11-01
accelerators:
  - {names: [A100], usd_per_hour: 1}
"""


class Taken:
    """What was handed over."""

    def __init__(self) -> None:
        self.books: list[PriceBook] = []
        self.rules: list[AttributionRules] = []
        self.failures: list[Exception] = []

    def __call__(self, book: PriceBook, rules: AttributionRules) -> None:
        if self.failures:
            raise self.failures.pop()
        self.books.append(book)
        self.rules.append(rules)

    def __len__(self) -> int:
        return len(self.books)


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
def reload(tmp_path: Path, taken: Taken) -> FilesReload[PricesAndRules]:
    (tmp_path / "attribution.yaml").write_text(RULES.format(team="checkout"))
    return prices_and_rules(tmp_path, taken)


def test_what_was_there_at_the_start_is_not_taken_up_again(reload: FilesReload[PricesAndRules], taken: Taken) -> None:
    """The worker has loaded it itself."""
    for _ in range(3):
        reload.look()
    assert len(taken) == 0


def test_a_changed_file_is_taken_up_when_it_has_settled(
    tmp_path: Path, reload: FilesReload[PricesAndRules], taken: Taken
) -> None:
    """Not while it is being written: at the first look that finds it as the look before did. And once."""
    (tmp_path / "attribution.yaml").write_text(RULES.format(team="c"))
    reload.look()
    (tmp_path / "attribution.yaml").write_text(RULES.format(team="checkout-and-payment"))
    reload.look()
    assert len(taken) == 0
    for _ in range(3):
        reload.look()
    assert [rules.version for rules in taken.rules] == [AttributionRules.load(tmp_path).version]


def test_new_and_removed_files_are_changes(tmp_path: Path, reload: FilesReload[PricesAndRules], taken: Taken) -> None:
    """Folders that were not there at the start count too."""
    before = PriceBook.load(tmp_path).version
    (tmp_path / "rate_cards").mkdir()
    (tmp_path / "rate_cards" / "vast.yaml").write_text(CARD)
    for _ in range(2):
        reload.look()
    assert [book.version for book in taken.books] == [PriceBook.load(tmp_path).version]
    assert taken.books[0].version != before
    (tmp_path / "rate_cards" / "vast.yaml").unlink()
    for _ in range(2):
        reload.look()
    assert taken.books[1].version == before


def test_files_that_cannot_be_used_change_nothing(
    tmp_path: Path, reload: FilesReload[PricesAndRules], taken: Taken, caplog: pytest.LogCaptureFixture
) -> None:
    """What is wrong is logged once; when it is right again, it is taken up, and so is what was there before."""
    path = tmp_path / "attribution.yaml"
    good, times = path.read_text(), path.stat()
    path.write_text("rules: [{name: x, fill: {colour: red}}]")
    with caplog.at_level(logging.ERROR):
        for _ in range(4):
            reload.look()
    assert len(taken) == 0
    assert len(caplog.records) == 1
    assert "colour" in caplog.text
    path.write_text(RULES.format(team="payment"))
    for _ in range(2):
        reload.look()
    assert len(taken) == 1
    path.write_text(good)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    for _ in range(2):
        reload.look()
    assert taken.rules[1].version == AttributionRules.load(tmp_path).version


def test_it_is_told_again_when_it_could_not_be_taken_up(
    tmp_path: Path, reload: FilesReload[PricesAndRules], taken: Taken
) -> None:
    """ClickHouse is away, so the versions cannot be recorded: nothing may be booked with them yet."""
    taken.failures = [StoreUnavailableError("away")]
    (tmp_path / "attribution.yaml").write_text(RULES.format(team="payment"))
    for _ in range(2):
        reload.look()
    assert len(taken) == 0
    reload.look()
    assert len(taken) == 1
