"""Changed prices and rules are taken up while a worker runs, once they are whole and right."""

import logging
import os
from pathlib import Path

import pytest

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.metering.job import PricesAndRules, prices_and_rules
from stream_jobs.pricing.book import PriceBook
from stream_jobs.runtime.files_reload import FilesReload
from stream_jobs.runtime.metrics import CONFIG_REFUSED

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


@pytest.mark.parametrize(
    "error", [ValueError("day is out of range"), KeyError("a"), RecursionError(), OSError(5, "I/O")]
)
def test_whatever_loading_raises_is_a_refusal(
    tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Also what nobody thought of: the metric is 1 and the log says what it was, once, until the file is mended."""
    path, what = tmp_path / "file.yaml", f"files of {type(error).__name__}"
    path.write_text("1")
    taken: list[str] = []

    def load() -> str:
        if path.read_text() == "wrong":
            raise error
        return path.read_text()

    reload = FilesReload(what, lambda: (path,), load, taken.append)
    path.write_text("wrong")
    for _ in range(4):
        reload.look()
    assert CONFIG_REFUSED.labels(what)._value.get() == 1
    assert [type(error).__name__ in record.getMessage() for record in caplog.records] == [True]
    assert taken == []
    path.write_text("right")
    for _ in range(2):
        reload.look()
    assert CONFIG_REFUSED.labels(what)._value.get() == 0
    assert taken == ["right"]


def test_files_that_cannot_even_be_listed_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that is replaced by a file, say: what was loaded stays, and the metric says that something is wrong."""
    (tmp_path / "overlays").mkdir()
    reload = prices_and_rules(tmp_path, Taken())
    (tmp_path / "overlays").rmdir()
    (tmp_path / "overlays").write_text("")
    for _ in range(3):
        reload.look()
    assert CONFIG_REFUSED.labels("prices and rules")._value.get() == 1
    (record,) = caplog.records
    assert f"{tmp_path / 'overlays'}: cannot be listed: Not a directory" in record.getMessage()
    (tmp_path / "overlays").unlink()
    reload.look()
    assert CONFIG_REFUSED.labels("prices and rules")._value.get() == 0


def test_a_file_that_may_be_read_again_is_taken_up(tmp_path: Path) -> None:
    """chmod changes neither its content nor its time of writing."""
    path, loaded = tmp_path / "file.yaml", list[int]()
    path.write_text("1")
    reload = FilesReload("modes", lambda: (path,), lambda: path.stat().st_mode & 0o777, loaded.append)
    path.chmod(0o600)
    for _ in range(2):
        reload.look()
    assert loaded == [0o600]
