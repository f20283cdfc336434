"""Authorities and certificates for tests, and a proxy that puts TLS in front of a plain server. Needs `openssl`."""

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stream_jobs.runtime.loop_thread import LoopThread
from stream_jobs.runtime.ports import LOOPBACK


def openssl(*arguments: str | Path) -> None:
    """Fails with what it said."""
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True, slots=True)
class Certificate:
    file: Path
    key: Path


class Authority:
    """Signs certificates; `file` is what its clients trust."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file, self._key, self._folder = folder / f"{name}.pem", folder / f"{name}.key", folder
        openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-keyout", self._key, "-out", self.file),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )

    def certificate(self, name: str, *alternatives: str, days: int = 2) -> Certificate:
        """For alternatives such as DNS:localhost or IP:127.0.0.1."""
        key, request, file = (self._folder / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
        openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", key, "-out", request),
        )
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(
            f"subjectAltName={','.join(alternatives)}\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
        )
        openssl(
            *("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key, "-CAcreateserial"),
            *("-days", str(days), "-extfile", extensions, "-out", file),
        )
        return Certificate(file, key)


def encrypted(key: Path, passphrase: str, target: Path) -> Path:
    """The key with a passphrase."""
    openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", key, "-passout", f"pass:{passphrase}", "-out", target)
    return target


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All that comes, until it ends; then the other side is closed."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def stop_relaying(server: asyncio.Server) -> None:
    """The server and all that it relays have ended."""
    server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    with contextlib.suppress(TimeoutError):  # of connections whose handshake has not ended
        await asyncio.wait_for(server.wait_closed(), 5)
    await asyncio.sleep(0.2)  # asyncio before 3.12 does not wait for connections there; their ends come in turns


@contextlib.contextmanager
def tls_in_front_of(port: int, certificate: Certificate) -> Iterator[int]:
    """The port of a proxy that speaks TLS and hands on what it gets to `port` on loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key)
    thread = LoopThread("tls")
    thread.start()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(LOOPBACK, port)
        await asyncio.gather(relay(reader, upstream_writer), relay(upstream_reader, writer))

    async def start() -> asyncio.Server:
        return await asyncio.start_server(serve, LOOPBACK, 0, ssl=context)

    server = thread.run(start(), 10)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        thread.run(stop_relaying(server), 10)
        thread.stop()
