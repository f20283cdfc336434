"""A TCP proxy that misbehaves on demand: in front of ClickHouse and of the broker."""

import asyncio
import contextlib
from enum import Enum
from typing import Final

from stream_jobs.runtime.loop_thread import LoopThread
from stream_jobs.runtime.ports import LOOPBACK, free_port

CHUNK_BYTES: Final = 64 * 1024


class Mode(Enum):
    """What the proxy does with every connection while the mode holds."""

    PASS = "pass"
    REFUSE = "refuse"  # connections are cut, new ones too
    HANG = "hang"  # everything is accepted and nothing moves, in neither direction
    SWALLOW_ANSWERS = "swallow answers"  # requests arrive and are worked off; instead of the answer the line is cut
    CUT_REQUESTS = "cut requests"  # a part of a request arrives, then the line is cut


class FaultProxy:
    """Forwards `port` to `target_port`, both on loopback, in a thread of its own."""

    def __init__(self, target_port: int, port: int | None = None) -> None:
        self.port = port or free_port()
        self.target_port = target_port
        self.hits = 0  # how often a mode did harm to a connection
        self._mode = Mode.PASS
        self._moving = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = LoopThread("fault-proxy")
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> "FaultProxy":
        self._thread.start()
        self._thread.run(self._listen(), 10)
        return self

    def set(self, mode: Mode) -> None:
        """From now on. What hung before goes on its way when the mode becomes PASS: late, but unharmed."""
        self._thread.run(self._set(mode), 10)

    def cut(self) -> None:
        """Close every connection, once."""
        self._thread.run(self._cut(), 10)

    def stop(self) -> None:
        self._thread.stop(self._server)

    async def _listen(self) -> None:
        self._moving.set()
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port, limit=CHUNK_BYTES)

    async def _set(self, mode: Mode) -> None:
        self._mode = mode
        if mode is Mode.HANG:
            self._moving.clear()
        else:
            self._moving.set()
        if mode is Mode.REFUSE:
            await self._cut()

    async def _cut(self) -> None:
        for writer in list(self._writers):
            self.hits += 1
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._mode is Mode.REFUSE:
                self.hits += 1
                return
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection(LOOPBACK, self.target_port, limit=CHUNK_BYTES)
        pumps = [
            asyncio.create_task(self._requests(reader, target_writer)),
            asyncio.create_task(self._answers(target_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            target_writer.transport.abort()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                await self._wait()
                if self._mode is Mode.CUT_REQUESTS:
                    self.hits += 1
                    writer.write(chunk[: len(chunk) // 2])
                    await writer.drain()
                    return
                writer.write(chunk)
                await writer.drain()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                await self._wait()
                if self._mode is Mode.SWALLOW_ANSWERS:
                    self.hits += 1
                    return
                writer.write(chunk)
                await writer.drain()

    async def _wait(self) -> None:
        if not self._moving.is_set():
            self.hits += 1
            await self._moving.wait()
