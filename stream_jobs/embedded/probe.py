"""Whether a part answers over HTTP, and what it says."""

import urllib.request
from typing import Final

SCRAPE_TIMEOUT_S: Final = 2.0


def fetch(url: str) -> bytes | None:
    """The body of a 200 answer, else None."""
    try:
        with urllib.request.urlopen(url, timeout=SCRAPE_TIMEOUT_S) as response:  # noqa: S310 - our own http URLs
            return bytes(response.read())
    except (OSError, ValueError):
        return None


def answers(url: str) -> bool:
    return fetch(url) is not None
