"""A company's proxy: an authority of its own signs what its people see of every server behind TLS."""

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

from stream_jobs.runtime.loop_thread import LoopThread
from stream_jobs.runtime.ports import LOOPBACK
from tests.tls import Authority, relay, stop_relaying


@dataclass(slots=True)
class Seen:
    """`port` is the proxy's; `hosts` are those whose pages went through, `unreachable` those that did not answer."""

    port: int = 0
    hosts: set[str] = field(default_factory=set)
    unreachable: set[str] = field(default_factory=set)


@contextlib.contextmanager
def intercepting_proxy(authority: Authority) -> Iterator[Seen]:
    """A CONNECT proxy on loopback; certificates of the hosts are made as they are asked for."""
    seen, thread = Seen(), LoopThread("intercepting-proxy")
    thread.start()
    making = asyncio.Lock()
    contexts: dict[str, ssl.SSLContext] = {}

    async def context_of(host: str) -> ssl.SSLContext:
        async with making:
            if host not in contexts:
                certificate = await asyncio.to_thread(authority.certificate, host, f"DNS:{host}")
                contexts[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                contexts[host].load_cert_chain(certificate.file, certificate.key)
        return contexts[host]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        host, _, port = request.split()[1].decode().rpartition(":")
        try:
            upstream = await asyncio.open_connection(host, int(port), ssl=ssl.create_default_context())
        except OSError:
            seen.unreachable.add(host)
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            writer.close()
            return
        context = await context_of(host)
        try:
            # In one go: what the client says once it has the answer belongs to the handshake.
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.start_tls(context)
        except OSError:  # who does not trust the authority hangs up
            upstream[1].close()
            return
        seen.hosts.add(host)
        await asyncio.gather(relay(reader, upstream[1]), relay(upstream[0], writer))

    server = thread.run(asyncio.start_server(serve, LOOPBACK, 0), 10)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        thread.run(stop_relaying(server), 10)
        thread.stop()
