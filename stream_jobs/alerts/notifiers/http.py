"""What the notifiers over HTTP share: one request, bounded in time and size, whose failure names no secret."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from pydantic import SecretStr

from stream_jobs.alerts.notification import DeliveryError
from stream_jobs.alerts.notifiers.redact import Redactor
from stream_jobs.alerts.receiver_base import HttpReceiver
from stream_jobs.alerts.text import clean, shorten
from stream_jobs.base.errors import ConfigError

MAX_ANSWER_BYTES: Final = 4096
MAX_RETRY_AFTER_S: Final = 86_400.0
_QUOTED_CHARS: Final = 200
_CONTENT: Final = frozenset((400, 406, 411, 412, 413, 414, 415, 417, 422, 431))
"""Answers about what was sent: the same again is answered the same. All others (a key, an address, a proxy, a limit)
have causes that somebody may mend at the receiver, so these are tried again."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes  # its first bytes

    def in_words(self, redact: Redactor) -> str:
        text = shorten(clean(redact(self.body.decode(errors="replace"))), _QUOTED_CHARS)
        return f"{self.status} {text}".rstrip()


class HttpClient:
    """Requests to one receiver. The connection is opened when it is first used, on the loop that uses it."""

    def __init__(self, receiver: HttpReceiver, secrets: Mapping[str, SecretStr]) -> None:
        self.redact = Redactor(secrets)
        self._name = receiver.name
        self._timeout = aiohttp.ClientTimeout(total=receiver.timeout_s)
        self._trust_env = receiver.use_proxy_variables
        self._tls = tls_context(receiver.name, receiver.ca_file) if receiver.ca_file else True
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """The answer, if it is a success. Raises DeliveryError for everything else."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                trust_env=self._trust_env,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "spendstream-alerts"},
            )
        problem = ""
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, ssl=self._tls, allow_redirects=False
            ) as response:
                answer = Answer(response.status, await _first_bytes(response.content, max_answer_bytes))
                retry_after = response.headers.get("Retry-After")
        except TimeoutError:
            problem = f"no answer within {self._timeout.total:g} s"
        except aiohttp.ClientConnectorCertificateError as error:
            problem = f"its certificate was not accepted ({_reason(error.certificate_error)})"
        except aiohttp.ClientConnectorError as error:
            problem = f"cannot connect ({error.os_error.strerror or type(error.os_error).__name__})"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            problem = f"the connection failed ({type(error).__name__})"
        if problem:
            # Raised out here, so that no error that may quote the address hangs on to it.
            raise DeliveryError(f"{self._where(url)}: {problem}")
        if 200 <= answer.status < 300:
            return answer
        raise self._refusal(url, answer, retry_after)

    def _refusal(self, url: str, answer: Answer, retry_after: str | None) -> DeliveryError:
        retry = answer.status not in _CONTENT
        words = answer.in_words(self.redact)
        if 300 <= answer.status < 400:
            words = f"{answer.status} (a redirect, which is not followed: configure the final address)"
        return DeliveryError(
            f"{self._where(url)} answered {words}",
            retry=retry,
            retry_after_s=retry_after_seconds(retry_after, datetime.now(UTC)) if retry else None,
        )

    def _where(self, url: str) -> str:
        """The receiver's name and its host: the rest of an address can be a secret."""
        return f"receiver {self._name!r} ({self.redact(urlsplit(url).hostname or '')})"

    async def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()
            await asyncio.sleep(0)  # lets closed transports finish


async def _first_bytes(stream: aiohttp.StreamReader, limit: int) -> bytes:
    """At most `limit` bytes. What is left unread costs the connection, not memory."""
    chunks: list[bytes] = []
    while limit > 0 and (chunk := await stream.read(limit)):
        chunks.append(chunk)
        limit -= len(chunk)
    return b"".join(chunks)


def _reason(error: Exception) -> str:
    return getattr(error, "verify_message", "") or type(error).__name__


def tls_context(name: str, ca_file: Path | None) -> ssl.SSLContext:
    """Raises ConfigError when the file cannot be used."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigError(f"receiver {name!r}: ca_file {ca_file} cannot be used: {reason}") from None


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """RFC 9110, 10.2.3: seconds or a date. None when it is neither; never below 0 nor above a day."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        seconds = float(text[:12])
    else:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError):
            return None
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)
