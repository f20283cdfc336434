"""The public Kafka port of the embedded mode: a gate in front of the broker that can hold clients out.

The broker lives in memory. To stop it (or to make a topic anew) without losing what it acknowledged, nothing new may
come in while the jobs book the rest. Holding closes the connections of all clients but our own, which are known by the
client id in their first request; services see a broker that is away, and their SDK spools until it is back.
"""

import asyncio
import contextlib
import struct
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Final

from stream_jobs.embedded.ports import LOOPBACK

CHUNK_BYTES: Final = 256 * 1024
FIRST_REQUEST_TIMEOUT_S: Final = 30.0
_HEADER: Final = struct.Struct(">ihhih")  # size, api key, api version, correlation id, length of the client id
_MAX_CLIENT_ID: Final = 1024


class Gate:
    """Forwards bytes between `port` and the broker's own port, in a thread of its own. Starts held."""

    def __init__(self, port: int, broker_port: int, own_client_id: str) -> None:
        self.port = port
        self._broker_port = broker_port
        self._own_client_id = own_client_id.encode()
        self._held = True
        self._strangers: set[asyncio.StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="kafka-gate", daemon=True)

    def start(self) -> None:
        """Raises OSError when the port cannot be taken."""
        self._thread.start()
        self._call(self._listen()).result()

    def hold(self) -> None:
        """Close out everybody but ourselves. What was forwarded and not answered may or may not be in the broker:
        its sender was told nothing and sends it again."""
        self._call(self._hold()).result()

    def release(self) -> None:
        self._held = False

    def stop(self) -> None:
        """Close everything. Safe to call twice."""
        if self._thread.is_alive():
            self._call(self._close()).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, None]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port, limit=CHUNK_BYTES)

    async def _hold(self) -> None:
        self._held = True
        for writer in list(self._strangers):
            writer.transport.abort()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # a client or the broker went away; the other side is told by closing its connection
        finally:
            self._connections.discard(task)
            self._strangers.discard(writer)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, client_id = await asyncio.wait_for(_first_bytes(reader), FIRST_REQUEST_TIMEOUT_S)
        if client_id != self._own_client_id:
            if self._held:
                return
            self._strangers.add(writer)
        broker_reader, broker_writer = await asyncio.open_connection(LOOPBACK, self._broker_port, limit=CHUNK_BYTES)
        try:
            broker_writer.write(first)
            pumps = [
                asyncio.create_task(_pump(reader, broker_writer)),
                asyncio.create_task(_pump(broker_reader, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            broker_writer.transport.abort()


async def _first_bytes(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The beginning of a connection's first request, and the client id in it (empty when it has none)."""
    header = await reader.readexactly(_HEADER.size)
    length = _HEADER.unpack(header)[-1]
    if not 0 <= length <= _MAX_CLIENT_ID:
        return header, b""
    client_id = await reader.readexactly(length)
    return header + client_id, client_id


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()  # back-pressure: no more than the socket takes is held here
