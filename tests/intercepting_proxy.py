"""A company's proxy: an authority of its own signs what its people see of every server behind TLS."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from stream_jobs.runtime.ports import LOOPBACK
from tests.tls import Authority


@dataclass(slots=True)
class Seen:
    """`port` is the proxy's; `hosts` are those whose pages went through, `unreachable` those that did not answer."""

    port: int = 0
    hosts: set[str] = field(default_factory=set)
    unreachable: set[str] = field(default_factory=set)


@contextlib.contextmanager
def intercepting_proxy(authority: Authority) -> Iterator[Seen]:
    """A CONNECT proxy on loopback; certificates of the hosts are made as they are asked for."""
    seen, loop = Seen(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
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

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

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
        await asyncio.gather(copy(reader, upstream[1]), copy(upstream[0], writer))

    async def stop(server: asyncio.Server) -> None:
        server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.2)  # asyncio before 3.12 does not wait for connections; their ends come in turns

    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(serve, LOOPBACK, 0), loop).result(10)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
