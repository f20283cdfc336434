"""Whether a part answers over HTTP, and what it says."""

import contextlib
import urllib.error
import urllib.request
from typing import Final

SCRAPE_TIMEOUT_S: Final = 2.0
MAX_REASON_BYTES: Final = 1000


def fetch(url: str) -> bytes | None:
    """The body of a 200 answer, else None."""
    try:
        with urllib.request.urlopen(url, timeout=SCRAPE_TIMEOUT_S) as response:  # noqa: S310 - our own http URLs
            return bytes(response.read())
    except (OSError, ValueError):
        return None


def trouble(url: str) -> str | None:
    """Why a part is not ready, in one line; None when it is."""
    try:
        with urllib.request.urlopen(url, timeout=SCRAPE_TIMEOUT_S):  # noqa: S310 - our own http URLs
            return None
    except urllib.error.HTTPError as error:
        with error, contextlib.suppress(OSError):
            return error.read(MAX_REASON_BYTES).decode(errors="replace").strip() or str(error)
        return str(error)
    except (OSError, ValueError) as error:
        return f"does not answer ({type(error).__name__})"


def answers(url: str) -> bool:
    return fetch(url) is not None
