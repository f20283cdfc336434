"""A real SMTP server: STARTTLS, logins, refusals by recipient, and what arrived as parsed mail."""

import asyncio
import ssl
import subprocess
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from stream_jobs.runtime.loop_thread import LoopThread
from stream_jobs.runtime.ports import LOOPBACK, free_port

USER = "alerts"
PASSWORD = "smtp-password-of-the-tests"


class SmtpServer:
    """Use as a context manager. `refuse` answers a recipient with a line such as "550 no such user".

    With a folder it has a certificate of its own in there (`ca_file`), and wants STARTTLS and a login before mail.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.ca_file = folder / "smtp-certificate.pem" if folder else None
        self.port = free_port()
        self.mails: list[tuple[tuple[str, ...], EmailMessage]] = []  # recipients and mail
        self.raw: list[bytes] = []  # the same, as they came
        self.refuse: dict[str, str] = {}
        self.answer = "250 OK"  # to the mail itself
        self._options: dict[str, Any] = {
            "tls_context": server_context(self.ca_file) if self.ca_file else None,
            "require_starttls": folder is not None,
            "authenticator": self._authenticate if folder else None,
            "auth_required": folder is not None,
            "enable_SMTPUTF8": True,
        }
        # Not aiosmtpd's Controller: it stops its loop before what it has cancelled could end, and leaves the sockets of
        # connections that are open by then to the collector.
        self._thread = LoopThread("smtp")
        self._server: asyncio.Server | None = None

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: SMTP(self, loop=loop, **self._options), LOOPBACK, self.port)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._thread.run(self._listen(), 10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.stop(self._server)

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        right = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)  # the server says 235 or 535 itself

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await asyncio.sleep(0)
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(0)
        if self.answer.startswith("2"):
            mail = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
            assert isinstance(mail, EmailMessage)
            self.raw.append(envelope.content or b"")  # type: ignore[arg-type]
            self.mails.append((tuple(envelope.rcpt_tos), mail))
        return self.answer


def server_context(certificate: Path) -> ssl.SSLContext:
    """Makes a self-signed certificate for loopback."""
    key = certificate.with_suffix(".key")
    subprocess.run(
        [
            *["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
            *["-days", "2", "-subj", "/CN=localhost", "-addext", f"subjectAltName=IP:{LOOPBACK}"],
            *["-keyout", str(key), "-out", str(certificate)],
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
