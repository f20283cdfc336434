"""One question of the gate's own to a broker, on a connection of its own."""

import asyncio
import struct
from typing import Final

from stream_jobs.runtime.ports import LOOPBACK

TIMEOUT_S: Final = 10.0
_SIZE: Final = struct.Struct(">i")


class NotToldError(OSError):
    """The broker does not answer. Says what it was asked."""


async def ask(port: int, request: bytes, what: str, *, max_bytes: int) -> bytes:
    """The answer of the broker on this loopback port, without its size, to a request that comes with its own. `what`:
    what it is to say, as in "which topics it has". Raises NotToldError."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await _answer(port, request, max_bytes)
    except TimeoutError:
        raise NotToldError(f"the broker did not say within {TIMEOUT_S:g} s {what}") from None
    except (OSError, asyncio.IncompleteReadError) as error:
        raise NotToldError(f"the broker did not say {what}: {error!r}") from None


async def _answer(port: int, request: bytes, max_bytes: int) -> bytes:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(request)
        (size,) = _SIZE.unpack(await reader.readexactly(_SIZE.size))
        if not 0 < size <= max_bytes:
            raise OSError(f"an answer of {size} bytes")
        return await reader.readexactly(size)
    finally:
        writer.transport.abort()
