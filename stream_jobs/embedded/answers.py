"""What comes back from a broker behind the gate."""

import asyncio
import contextlib
import logging
import struct
from typing import Final

from stream_jobs.embedded.questions import MAX_ANSWER_BYTES, Questions

log = logging.getLogger(__name__)

CHUNK_BYTES: Final = 256 * 1024
SIZE: Final = struct.Struct(">i")
_SIZE_AND_CORRELATION: Final = struct.Struct(">ii")  # the beginning of every answer


def with_size(message: bytes) -> bytes:
    return SIZE.pack(len(message)) + message


async def unread(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Whatever comes, as it comes."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()  # back-pressure: no more than the socket takes is held here


async def one_by_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, questions: Questions) -> None:
    """Answer by answer. Ends, and with it the connection, at what is no answer."""
    try:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                await _one(reader, writer, questions)
    except ValueError as error:
        log.error("closed a connection: the broker gave %s", error)


async def _one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, questions: Questions) -> None:
    data = await reader.readexactly(_SIZE_AND_CORRELATION.size)
    size, correlation_id = _SIZE_AND_CORRELATION.unpack(data)
    missing = SIZE.size + size - len(data)
    if missing < 0:
        raise ValueError(f"an answer of {size} bytes")
    awaited = questions.comes(correlation_id)
    if awaited is not None and awaited.become is not None:
        if missing > MAX_ANSWER_BYTES:
            raise ValueError(f"an answer of {size} bytes to a question of the gate")
        answer = data[SIZE.size :] + await reader.readexactly(missing)
        data, missing = with_size(awaited.become(answer)), 0
    told = awaited is None or awaited.become is not None
    while data or missing:
        if missing:
            chunk = await reader.read(min(missing, CHUNK_BYTES))
            if not chunk:
                raise ConnectionAbortedError("the broker went away within its answer")
            missing -= len(chunk)
            data += chunk
        if told:
            writer.write(data)
            await writer.drain()
        data = b""
