"""A price book as one text, and again from it."""

import json
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.contents import book_of, content_of
from tests.unit.pricing.events import token_event

OVERLAY = b"overlays:\r\n  - {name: \xc3\xa9t\xc3\xa9, discount_percent: 12.5}\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("config")
    (folder / "overlays").mkdir()
    (folder / "overlays" / "own.yaml").write_bytes(OVERLAY)
    return folder


def test_a_book_comes_back_from_its_content(folder: Path) -> None:
    """The same version and the same prices, byte by byte (line ends too), without the folder it was made of."""
    for config_dir in (None, folder):
        book = PriceBook.load(config_dir)
        again = book_of(book.version, content_of(config_dir))
        assert again.version == book.version
        event = token_event("gpt-4o", {"input_tokens": 1_000_001})
        assert again.price(facts_of(event)) == book.price(facts_of(event))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"files": {}}, "makes version"),
        ({"base_hash": "other"}, "needs the base data"),
        ({"rules": 99}, "needs the base data"),
        ({"files": {"own/../../x.yaml": ""}}, "no name of a price file"),
        ({"files": {"/etc/overlays/x.yaml": ""}}, "no name of a price file"),
    ],
)
def test_content_that_makes_another_book_is_refused(folder: Path, change: dict[str, object], message: str) -> None:
    """History is never priced with something that merely resembles the book of that time."""
    content = json.dumps(json.loads(content_of(folder)) | change)
    with pytest.raises(ConfigError, match=message):
        book_of(PriceBook.load(folder).version, content)


def test_a_version_without_content_says_so() -> None:
    """What an earlier release recorded held a description only."""
    with pytest.raises(ConfigError, match="without its content"):
        book_of("v", '{"models": 7}')
