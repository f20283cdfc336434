"""E-mail over SMTP: each state of a group is a message, and the group is a thread."""

import asyncio
import hashlib
import smtplib
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from stream_jobs.alerts.notification import DeliveryError, Notification
from stream_jobs.alerts.notifiers.http import tls_context
from stream_jobs.alerts.notifiers.redact import Redactor
from stream_jobs.alerts.receivers import EmailReceiver
from stream_jobs.alerts.text import Style, clean, compose, plain, render, shorten

_POLICY: Final = SMTP.clone(max_line_length=900, cte_type="7bit")
"""A key must not be folded or encoded: RFC 5322 allows lines of 998. And bodies are encoded to ASCII: a server takes
eight bits only if it offers 8BITMIME (RFC 6152), and the next one on the way may not."""
_HTML: Final = Style(escape, "<b>{}</b>", "<b>{}:</b> {}", "&bull; {}")
_REMEMBERED: Final = 1000
_ABOUT_THE_LOGIN: Final = frozenset((530, 534, 535, 538))
"""RFC 4954: not about the mail. Somebody may mend it at the server."""


class EmailNotifier:
    def __init__(self, receiver: EmailReceiver, secrets: Mapping[str, SecretStr]) -> None:
        self._receiver = receiver
        self._zone = ZoneInfo(receiver.timezone)
        self._password = secrets.get("password")
        self._redact = Redactor(secrets)
        self._tls = None if receiver.security == "plain" else tls_context(receiver.name, receiver.ca_file)
        # Who has got which notification, so that those whose server was only busy are tried again alone.
        self._taken: dict[str, set[str]] = {}

    async def send(self, notification: Notification) -> str:
        """A repetition carries the same Message-ID, of which many mailboxes keep one copy."""
        taken = self._taken.setdefault(notification.key, set())
        while len(self._taken) > _REMEMBERED:
            del self._taken[next(iter(self._taken))]
        return await asyncio.to_thread(self._send, notification, taken)

    async def close(self) -> None:
        """Each send has its own connection."""

    def _send(self, notification: Notification, taken: set[str]) -> str:
        mail = message(notification, self._receiver.from_address, self._receiver.to, self._zone)
        missing = [address for address in self._receiver.to if address not in taken]
        refused: dict[str, tuple[int, bytes]] = {}
        failure: DeliveryError | None = None
        try:
            if missing:
                refused = self._submit(mail, missing)
        except smtplib.SMTPRecipientsRefused as error:  # all of them
            refused = error.recipients
        except smtplib.SMTPAuthenticationError as error:
            # The server's words aren't repeated: they may quote the login.
            failure = self._failure(f"the login was refused ({error.smtp_code})")
        except smtplib.SMTPResponseException as error:
            retry = error.smtp_code < 500 or error.smtp_code in _ABOUT_THE_LOGIN
            failure = self._failure(self._words(error.smtp_code, error.smtp_error), retry=retry)
        except smtplib.SMTPNotSupportedError:
            failure = self._failure("the server lacks STARTTLS or the login; see `security`")
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or error.reason or type(error).__name__
            failure = self._failure(f"no secure connection ({reason})")
        except (smtplib.SMTPException, OSError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            failure = self._failure(f"the connection failed ({reason})")
        if failure is not None:
            raise failure
        return self._outcome(taken, missing, refused)

    def _outcome(self, taken: set[str], missing: list[str], refused: dict[str, tuple[int, bytes]]) -> str:
        """Raises DeliveryError while a recipient's server may take it later, or when none has taken it."""
        taken.update(address for address in missing if address not in refused)
        words = "; ".join(f"{address}: {self._words(*answer)}" for address, answer in sorted(refused.items()))
        if any(code < 500 for code, _ in refused.values()):
            raise self._failure(words)
        if not taken:
            raise self._failure(words, retry=False)
        return f"250, {len(taken)} of {len(self._receiver.to)} recipients" + (f"; refused: {words}" if words else "")

    def _submit(self, mail: EmailMessage, to: list[str]) -> dict[str, tuple[int, bytes]]:
        receiver = self._receiver
        if receiver.security == "tls":
            assert self._tls is not None
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                receiver.host, receiver.port, timeout=receiver.timeout_s, context=self._tls
            )
        else:
            server = smtplib.SMTP(receiver.host, receiver.port, timeout=receiver.timeout_s)
        with server:
            if receiver.security == "starttls":
                server.starttls(context=self._tls)
            if receiver.username is not None and self._password is not None:
                server.login(receiver.username, self._password.get_secret_value())
            return server.send_message(mail, receiver.from_address, to)

    def _words(self, code: int, text: bytes | str) -> str:
        decoded = text.decode(errors="replace") if isinstance(text, bytes) else text
        return f"{code} {shorten(clean(self._redact(decoded)), 200)}".rstrip()

    def _failure(self, problem: str, *, retry: bool = True) -> DeliveryError:
        return DeliveryError(f"receiver {self._receiver.name!r} ({self._receiver.host}): {problem}", retry=retry)


def message(notification: Notification, from_address: str, to: tuple[str, ...], zone: tzinfo) -> EmailMessage:
    """Text and HTML. All of a group refer to one message that was never sent, which makes them a thread."""
    story = compose(notification, zone)
    domain = from_address.rpartition("@")[2]
    root = f"<group.{_digest(notification.group_id)}@{domain}>"
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = from_address
    mail["To"] = ", ".join(to)
    mail["Subject"] = story.headline
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{_digest(notification.key)}@{domain}>"
    mail["In-Reply-To"] = root
    mail["References"] = root
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notes in return
    mail["X-Spendstream-Key"] = clean(notification.key)
    mail.set_content(plain(story))
    mail.add_alternative(html(notification, zone), subtype="html")
    return mail


def html(notification: Notification, zone: tzinfo) -> str:
    story = compose(notification, zone)
    lines = "<br>\n".join(render(story.parts, _HTML))
    link = f'<p><a href="{escape(clean(story.link))}">Details</a></p>' if story.link else ""
    return f"<html><body><h3>{escape(story.headline)}</h3>\n<p>{lines}</p>{link}</body></html>"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]
