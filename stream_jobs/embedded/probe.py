"""Whether a part answers over HTTP, and what it says."""

import contextlib
import http.client
import json
import urllib.error
import urllib.request
from typing import Final

from stream_jobs.runtime.health import Answer

SCRAPE_TIMEOUT_S: Final = 2.0
MAX_REASON_BYTES: Final = 1000
WALLS: Final = ("files", "network")


def fetch(url: str) -> bytes | None:
    """The body of a 200 answer, else None."""
    try:
        with urllib.request.urlopen(url, timeout=SCRAPE_TIMEOUT_S) as response:  # noqa: S310 - our own http URLs
            return bytes(response.read())
    except (OSError, ValueError, http.client.HTTPException):
        return None


def relayed(url: str) -> Answer:
    """What a part answers, as it does; 503 when it does not, as JSON with an `error` like those of the jobs' routes."""
    try:
        with urllib.request.urlopen(url, timeout=SCRAPE_TIMEOUT_S) as response:  # noqa: S310 - our own http URLs
            return Answer(http.HTTPStatus.OK, response.read(), response.headers["Content-Type"])
    except urllib.error.HTTPError as error:
        with error, contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            # Whole: half of an `error` is no JSON.
            return Answer(http.HTTPStatus(error.code), error.read(), error.headers["Content-Type"])
    except (OSError, ValueError, http.client.HTTPException):
        pass
    return nobody_answers("the job does not answer")


def nobody_answers(why: str) -> Answer:
    """503, in the form of the jobs' routes."""
    return Answer(http.HTTPStatus.SERVICE_UNAVAILABLE, json.dumps({"error": why}).encode() + b"\n", "application/json")


def trouble(url: str) -> str | None:
    """Why a part is not ready, in one line; None when it is."""
    try:
        with urllib.request.urlopen(url, timeout=SCRAPE_TIMEOUT_S):  # noqa: S310 - our own http URLs
            return None
    except urllib.error.HTTPError as error:
        with error, contextlib.suppress(OSError, http.client.HTTPException):
            return error.read(MAX_REASON_BYTES).decode(errors="replace").strip() or str(error)
        return str(error)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"does not answer ({type(error).__name__})"


def confined(store_url: str) -> bool | None:
    """Whether the operating system keeps the store's process to its data folder and off the network; None when the
    store does not answer."""
    text = fetch(f"{store_url}/metrics")
    return (
        None
        if text is None
        else all(f'spendstream_store_confined{{from="{part}"}} 1.0\n'.encode() in text for part in WALLS)
    )


def answers(url: str) -> bool:
    return fetch(url) is not None
