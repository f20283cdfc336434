"""Everything a price book is made of as one text, and the book again from that text.

Kept with the version in the store, so that years later a receipt can be explained, and history be priced with the book
of that time.
"""

import json
import tempfile
from pathlib import Path
from typing import Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.pricing.base import base_hash, base_version
from stream_jobs.pricing.book import DATA, RULES, PriceBook, price_files
from stream_jobs.pricing.providers import PROVIDERS_FILE

_OWNERS: Final = ("built-in", "own")


def content_of(config_dir: Path | None) -> str:
    """The book that `PriceBook.load(config_dir)` makes, as JSON: all files, and what else they need."""
    folders = [DATA] if config_dir is None else [DATA, config_dir]
    files = {}
    for owner, folder in zip(_OWNERS, folders, strict=False):
        for path in price_files([folder])[1:]:
            files[f"{owner}/{path.parent.name}/{path.name}"] = path.read_bytes().decode()
    document = {
        "rules": RULES,
        "genai_prices": base_version(),
        "base_hash": base_hash(),
        "providers": PROVIDERS_FILE.read_bytes().decode(),
        "files": files,
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True)


def book_of(version: str, content: str) -> PriceBook:
    """The book of that version. Raises ConfigError if this release of spendstream cannot make it any more."""
    document = json.loads(content or "{}")
    if "files" not in document:
        raise ConfigError(f"price book {version} was recorded without its content and cannot be loaded again")
    here = {"rules": RULES, "base_hash": base_hash(), "providers": PROVIDERS_FILE.read_bytes().decode()}
    if any(document.get(name) != value for name, value in here.items()):
        raise ConfigError(
            f"price book {version} needs the base data of genai-prices {document.get('genai_prices')} and the engine "
            f"of that time; this release has genai-prices {base_version()}"
        )
    with tempfile.TemporaryDirectory(prefix="spendstream-prices-") as folder:
        for name, text in document["files"].items():
            path = Path(folder, *Path(name).parts)
            if path.resolve().parent.parent.parent != Path(folder).resolve():
                raise ConfigError(f"price book {version}: {name!r} is no name of a price file")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        has_own = any(name.startswith("own/") for name in document["files"])
        book = PriceBook.from_folders([Path(folder, owner) for owner in _OWNERS[: 1 + has_own]])
    if book.version != version:
        raise ConfigError(f"the content recorded for price book {version} makes version {book.version}")
    return book
