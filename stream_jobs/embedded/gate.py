"""The public Kafka port of the embedded mode: a gate in front of the broker that can hold clients out.

The broker lives in memory. To stop it (or to put an empty one in its place) without losing what it acknowledged,
nothing new may come in while the jobs book the rest. Holding closes the connections of all clients but our own, which
are known by the client id in their first request; services see a broker that is away, and their SDK spools until it is
back.

While one broker takes over from another, strangers are led to the new one and our own jobs still to the old one.

Requests go through one by one, and what a broker that believes everything must not be given does not go through
(forwarding.py). A client that begins in a newer version than the broker knows is told so here (api_versions.py); one
that asks for a producer id in a version that the broker does not serve gets one all the same (producer_id_versions.py).
"""

import asyncio
import struct
from typing import Final

from stream_jobs.embedded import answers, api_versions
from stream_jobs.embedded.answers import CHUNK_BYTES, SIZE
from stream_jobs.embedded.forwarding import MAX_REQUEST_BYTES, Forwarding, Upward, client_name
from stream_jobs.embedded.questions import Questions
from stream_jobs.runtime.loop_thread import LoopThread
from stream_jobs.runtime.ports import LOOPBACK

FIRST_REQUEST_TIMEOUT_S: Final = 30.0
_HEADER: Final = struct.Struct(">ihhih")  # size, api key, api version, correlation id, length of the client id
_MAX_CLIENT_ID: Final = 1024
_SIZE_BYTES: Final = SIZE.size
_UP_TO_CLIENT_ID: Final = struct.Struct(">ihhi")  # size, api key, api version, correlation id: in every request


class Gate:
    """Forwards bytes between `port` and a broker's own port, in a thread of its own. Starts held.

    `own_client_id` is let through also while it holds. `checking`: the broker is one that needs what produced.py,
    api_versions.py and producer_id_versions.py do for it.
    """

    def __init__(self, port: int, broker_port: int, own_client_id: str, *, checking: bool = True) -> None:
        self.port = port
        self._checking = checking
        self._forwarding = Forwarding(checking=checking)
        self.held = True
        self._broker_port = broker_port  # of strangers
        self._own_ports: dict[bytes, int | None] = {own_client_id.encode(): broker_port}  # None: held, too
        self._known_versions: dict[int, range] = {}  # of ApiVersions, by the broker's port
        self._open: dict[asyncio.StreamWriter, bytes | None] = {}  # own client id; None: a stranger
        self._taken_bytes = 0
        self._limit_bytes: int | None = None
        self._thread = LoopThread("kafka-gate")
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        """Raises OSError when the port cannot be taken."""
        self._thread.start()
        self._thread.run(self._listen())

    def hold(self) -> None:
        """Close out everybody but ourselves. What was forwarded and not answered may or may not be in the broker:
        its sender was told nothing and sends it again."""
        self._thread.run(self._hold())

    def release(self) -> None:
        self.held = False

    def lead_strangers(self, broker_port: int, limit_bytes: int | None = None) -> None:
        """Cut everybody but ourselves off, as `hold` does; who comes again meets the broker on this port.

        After `limit_bytes` from strangers the gate holds by itself, until they are led elsewhere.
        """
        self._thread.run(self._lead_strangers(broker_port, limit_bytes))

    def lead_own(self, client_id: str, broker_port: int | None) -> None:
        """The connections of this client id of ours are cut; the next ones meet the broker on this port, or none."""
        self._thread.run(self._lead_own(client_id.encode(), broker_port))

    @property
    def full(self) -> bool:
        """Whether strangers have sent all that they may to the present broker."""
        return self._limit_bytes is not None and self._taken_bytes >= self._limit_bytes

    def stop(self) -> None:
        """Close everything. Safe to call twice."""
        self._thread.stop(self._server)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port, limit=CHUNK_BYTES)

    async def _hold(self) -> None:
        self.held = True
        self._cut(None)

    async def _lead_strangers(self, broker_port: int, limit_bytes: int | None) -> None:
        self._broker_port = broker_port
        self._taken_bytes, self._limit_bytes = 0, limit_bytes
        self._cut(None)

    async def _lead_own(self, client_id: bytes, broker_port: int | None) -> None:
        self._own_ports[client_id] = broker_port
        self._cut(client_id)

    def _cut(self, client_id: bytes | None) -> None:
        for writer, owner in list(self._open.items()):
            if owner == client_id:
                writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # a client or the broker went away; the other side is told by closing its connection
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, client_id = await asyncio.wait_for(_first_bytes(reader), FIRST_REQUEST_TIMEOUT_S)
        if first is None:
            return
        own = client_id in self._own_ports
        if not own and (self.held or self.full):
            return
        port = self._own_ports[client_id] if own else self._broker_port
        if port is None:
            return
        # Noted before the connection is made: who is cut off while it is made must not end at the old broker.
        self._open[writer] = client_id if own else None
        if self._checking:
            agreeing = self._agreed(first, reader, writer, port)
            first = await asyncio.wait_for(agreeing, FIRST_REQUEST_TIMEOUT_S)
        broker_reader, broker_writer = await asyncio.open_connection(LOOPBACK, port, limit=CHUNK_BYTES)
        try:
            if writer.is_closing():
                return
            questions = Questions()
            up = Upward(
                reader,
                broker_writer,
                port,
                client_name(client_id, writer.get_extra_info("peername")),
                questions,
                may_go_on=lambda: own or not self.full,
                count=lambda size: None if own else self._count(size),
                give_up=lambda: _end(writer, broker_writer),
            )
            upward = self._forwarding.forward(first, up)
            downward = (
                answers.one_by_one(broker_reader, writer, questions)
                if self._checking
                else answers.unread(broker_reader, writer)
            )
            pumps = [asyncio.create_task(upward), asyncio.create_task(downward)]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            broker_writer.transport.abort()

    def _count(self, size: int) -> None:
        self._taken_bytes += size

    async def _agreed(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
    ) -> bytes:
        """Answers the client until it asks for its versions in one that the broker knows, or for something else.

        Returns the beginning of that request: nothing has gone to the broker yet, so no answer comes out of turn.
        """
        while True:
            size, api, version, correlation_id = _UP_TO_CLIENT_ID.unpack_from(head)
            if api != api_versions.API_VERSIONS:
                return head
            if port not in self._known_versions:
                self._known_versions[port] = await api_versions.known_versions(port)
            if version in self._known_versions[port]:
                return head
            missing = _SIZE_BYTES + size - len(head)
            if not 0 <= missing <= MAX_REQUEST_BYTES:
                raise ConnectionAbortedError(f"a request of {size} bytes")
            while missing:
                if not (chunk := await reader.read(min(missing, CHUNK_BYTES))):
                    raise ConnectionAbortedError("the client went away within its request")
                missing -= len(chunk)
            writer.write(api_versions.unsupported(correlation_id, self._known_versions[port]))
            await writer.drain()
            head = await reader.readexactly(_UP_TO_CLIENT_ID.size)


def _end(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.transport.abort()


async def _first_bytes(reader: asyncio.StreamReader) -> tuple[bytes | None, bytes]:
    """The beginning of a connection's first request, and the client id in it (empty when it has none).

    None for what no Kafka client begins with. A web page can send any port what begins with POST or GET; as a size,
    that is more than a gigabyte, and the broker would wait for it.
    """
    header = await reader.readexactly(_HEADER.size)
    size, *_, length = _HEADER.unpack(header)
    if not 0 < size <= MAX_REQUEST_BYTES:
        return None, b""
    if not 0 <= length <= _MAX_CLIENT_ID:
        return header, b""
    client_id = await reader.readexactly(length)
    return header + client_id, client_id
