"""Takes secrets out of texts that people will read: answers and error messages may quote what was sent."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

PLACEHOLDER: Final = "***"
_SHORTEST: Final = 6
"""Parts of a URL shorter than this are no secrets, and hiding them would make every message unreadable."""


class Redactor:
    def __init__(self, secrets: Mapping[str, SecretStr]) -> None:
        forms = {form for secret in secrets.values() for form in _forms(secret.get_secret_value())}
        ordered = sorted(forms, key=len, reverse=True)  # the whole before its parts
        self._find = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        return self._find.sub(PLACEHOLDER, text) if self._find else text


def _forms(secret: str) -> Iterator[str]:
    for part in (secret, *_url_parts(secret)):
        yield part
        yield quote(part, safe="")
        yield quote(part)
        yield json.dumps(part)[1:-1]
        yield base64.b64encode(part.encode()).decode().rstrip("=")


def _url_parts(secret: str) -> Iterator[str]:
    """Of URLs also what follows the host, each piece of it, and what precedes it."""
    for url in secret.split():
        if "://" not in url:
            continue
        try:
            parts = urlsplit(url)
        except ValueError:
            continue
        target = url.split("://", 1)[1].partition("/")[2]
        pieces = [target, *re.split(r"[/?&=]", target), *re.split("[:@]", parts.netloc.rpartition("@")[0])]
        yield from (piece for piece in pieces if len(piece) >= _SHORTEST)
