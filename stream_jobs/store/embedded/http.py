"""ClickHouse's HTTP interface over the embedded engine, plus health and metrics."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Final, TypeVar

from aiohttp import web
from prometheus_client import generate_latest

from stream_jobs.runtime.browsers.middleware import guard
from stream_jobs.store.embedded.access import authenticate
from stream_jobs.store.embedded.answers import answer_headers, error_response, exception_trailer
from stream_jobs.store.embedded.block_compression import BlockCompressor
from stream_jobs.store.embedded.bodies import BodyBudget
from stream_jobs.store.embedded.compression import ResponseCompressor, choose_encoding
from stream_jobs.store.embedded.confinement import Confinement
from stream_jobs.store.embedded.engine import Answer, Engine
from stream_jobs.store.embedded.errors import EngineError, engine_error
from stream_jobs.store.embedded.metrics import StoreMetrics
from stream_jobs.store.embedded.native_hello import FACTS, hello_answer
from stream_jobs.store.embedded.reading import Asked, Call
from stream_jobs.store.embedded.request import read_request
from stream_jobs.store.embedded.setting_rules import Limits
from stream_jobs.store.embedded.statement_pool import StatementPool

MAX_QUERIES: Final = 8
MAX_INSERTS: Final = 8
MAX_WAITING: Final = 64
MAX_BODY_BYTES: Final = 512 * 1024 * 1024
MAX_BODIES_BYTES: Final = 1024 * 1024 * 1024
MAX_READ_BODY_BYTES: Final = 4 * 1024 * 1024  # a statement of 256 KiB, and parameters sent as a form
MAX_READ_BODIES_BYTES: Final = 32 * 1024 * 1024
SENT_AT_ONCE_BYTES: Final = 256 * 1024
SEND_TIMEOUT_S: Final = 60.0  # a reader that takes nothing for so long is gone
BODY_TIMEOUT_S: Final = 300.0
ANSWER_TIMEOUT_S: Final = 900.0  # of a reader that takes a little now and then
READ_BODY_TIMEOUT_S: Final = 30.0

R = TypeVar("R")


class StoreHttp:
    """The handlers of one server."""

    def __init__(
        self, engine: Engine, password: str, limits: Limits, *, readers: int, confinement: Confinement
    ) -> None:
        """`limits` hold for each statement of the read user, of which `readers` run at once."""
        self._engine = engine
        self._password = password
        self._limits = limits
        # What people ask has threads and room of its own: neither inserts nor the questions of jobs wait behind it.
        self._readers = StatementPool("readers", readers, MAX_WAITING)
        self._queries = StatementPool("queries", MAX_QUERIES, MAX_WAITING)
        self._inserts = StatementPool("inserts", MAX_INSERTS, MAX_WAITING)
        self._pools = (self._readers, self._queries, self._inserts)
        self._bodies = BodyBudget(MAX_BODIES_BYTES, MAX_BODY_BYTES)
        self._read_bodies = BodyBudget(MAX_READ_BODIES_BYTES, MAX_READ_BODY_BYTES)
        self._metrics = StoreMetrics()
        self._metrics.confined.labels("files").set(confinement.files)
        self._metrics.confined.labels("network").set(confinement.network)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[_stay_up])
        guard(app)
        for path in ("/ping", "/replicas_status", "/healthz"):
            app.router.add_get(path, _ok)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._expose)
        for method in ("GET", "POST"):
            app.router.add_route(method, "/", self._statement)
        app.on_cleanup.append(self._close)
        return app

    async def _close(self, _: web.Application) -> None:
        self._engine.kill()
        for pool in self._pools:
            await asyncio.to_thread(pool.close)

    async def _ready(self, _: web.Request) -> web.Response:
        try:
            await asyncio.wait_for(asyncio.to_thread(self._engine.probe), 5)
        except (EngineError, TimeoutError) as error:
            return web.Response(status=503, text=f"the engine does not answer: {error}\n")
        return web.Response(text="Ok.\n")

    async def _expose(self, _: web.Request) -> web.Response:
        for pool in self._pools:
            self._metrics.inside.labels(pool.name).set(pool.inside)
        return web.Response(body=generate_latest(self._metrics.registry), content_type="text/plain")

    async def _statement(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET" and "query" not in request.query:
            return web.Response(text="Ok.\n")
        kind = "other"
        began = time.monotonic()
        try:
            user = authenticate(request.headers, request.query, self._password)
            bodies, timeout_s = (
                (self._bodies, BODY_TIMEOUT_S) if user.may_write else (self._read_bodies, READ_BODY_TIMEOUT_S)
            )
            async with bodies.room(request.content_length) as room:
                asked = await read_request(request, user, room, self._limits, timeout_s=timeout_s)
                kind = "insert" if asked.is_insert else "query" if asked.rights.read_only else "other"
                began = time.monotonic()
                response = await self._answer(request, asked)
        except EngineError as error:
            self._metrics.statements.labels(kind, str(error.code)).inc()
            return error_response(error)
        self._metrics.statements.labels(kind, "0").inc()
        self._metrics.seconds.labels(kind).observe(time.monotonic() - began)
        return response

    async def _answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        async with self._pool_of(asked) as pool:
            if asked.is_hello and asked.client_revision is not None:
                return await self._hello(request, asked, asked.client_revision, pool)
            call = await self._in_thread(pool, None, lambda: self._engine.read(asked))
            if call.streamed:
                return await self._stream(request, asked, call, pool)
            run = self._engine.insert if call.data_format else self._engine.run
            return await self._whole(request, asked, call, await self._in_thread(pool, call, lambda: run(call)))

    async def _hello(
        self, request: web.Request, asked: Asked, revision: int, pool: StatementPool
    ) -> web.StreamResponse:
        facts = replace(asked, text=FACTS, output_format="TabSeparated", settings={})
        call = await self._in_thread(pool, None, lambda: self._engine.read(facts))
        answer = await self._in_thread(pool, call, lambda: self._engine.run(call))
        framed = replace(answer, body=hello_answer(answer.body, revision))
        return await self._whole(request, asked, replace(call, output_format="Native"), framed)

    def _pool_of(self, asked: Asked) -> StatementPool:
        if not asked.rights.may_write:
            return self._readers
        return self._inserts if asked.is_insert else self._queries

    async def _in_thread(self, pool: StatementPool, call: Call | None, function: Callable[[], R]) -> R:
        """Run a blocking step. A client that goes away ends its query; an insert is finished all the same, and so is
        the reading of a statement (no call yet).

        Either way this returns only when the thread is free again: the pool counts it as long as it works.
        """
        step = asyncio.ensure_future(pool.call(function))
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError:
            if call is not None and call.verb != "INSERT":
                self._engine.kill(call.mark)
            await asyncio.wait([step])
            step.exception()  # nobody is left to read it
            raise

    async def _whole(self, request: web.Request, asked: Asked, call: Call, answer: Answer) -> web.StreamResponse:
        self._metrics.written_rows.inc(answer.written_rows)
        self._metrics.read_rows.inc(answer.read_rows)
        self._metrics.sent_bytes.inc(len(answer.body))
        headers = answer_headers(call, answer)
        body = answer.body
        compressor, encoding = _compressor(request, asked)
        if compressor:
            body = await asyncio.to_thread(compressor.add, body) + compressor.finish()
        headers |= encoding
        if len(body) <= SENT_AT_ONCE_BYTES:
            return web.Response(body=body, headers=headers)
        # Sent from here, in the pool: an answer that nobody takes must not stay in memory when its place is free again.
        response = web.StreamResponse(headers=headers)
        response.content_length = len(body)
        await response.prepare(request)
        await _write(request, response, body)
        await response.write_eof()
        return response

    async def _stream(self, request: web.Request, asked: Asked, call: Call, pool: StatementPool) -> web.StreamResponse:
        pieces = self._engine.stream(call)
        try:
            first = await self._in_thread(
                pool, call, lambda: next(pieces, b"")
            )  # an error up to here has a status of its own
            response = web.StreamResponse(headers=answer_headers(call, None))
            compressor, encoding = _compressor(request, asked)
            response.headers.update(encoding)
            await response.prepare(request)
            failure = await self._send(request, response, compressor, first, pieces, pool, call)
            if failure is not None:
                if request.transport is not None:
                    # Without the last chunk the client knows that the answer is incomplete, trailer or not.
                    request.transport.close()
                self._metrics.statements.labels("query", str(failure.code)).inc()
                return response
        finally:
            await asyncio.shield(pool.call(lambda: _finish(pieces)))
        await response.write_eof()
        return response

    async def _send(
        self,
        request: web.Request,
        response: web.StreamResponse,
        compressor: ResponseCompressor | BlockCompressor | None,
        piece: bytes,
        pieces: Iterator[bytes],
        pool: StatementPool,
        call: Call,
    ) -> EngineError | None:
        """Send all pieces. An error half-way is written as ClickHouse does, and returned."""
        failure: EngineError | None = None
        ends = None if call.rights.may_write else time.monotonic() + ANSWER_TIMEOUT_S
        while piece:
            if ends is not None and time.monotonic() > ends and request.transport is not None:
                self._engine.kill(call.mark)
                request.transport.abort()
                raise ConnectionResetError("the client takes too long over its answer")
            self._metrics.sent_bytes.inc(len(piece))
            await _write(request, response, await _packed(pool, compressor, piece))
            try:
                piece = await self._in_thread(pool, call, lambda: next(pieces, b""))
            except EngineError as error:
                failure = error
                trailer = exception_trailer(call, error)
                await _write(request, response, await _packed(pool, compressor, trailer))
                break
        if compressor:
            await _write(request, response, compressor.finish())
        return failure


async def _packed(pool: StatementPool, compressor: ResponseCompressor | BlockCompressor | None, piece: bytes) -> bytes:
    """Compressed, if at all; a large piece (one may have hundreds of MB) not on the event loop."""
    if compressor is None:
        return piece
    return compressor.add(piece) if len(piece) <= SENT_AT_ONCE_BYTES else await pool.call(lambda: compressor.add(piece))


async def _write(request: web.Request, response: web.StreamResponse, data: bytes) -> None:
    """Send a piece. Raises ConnectionResetError, and ends the connection, when nobody takes it."""
    try:
        for at in range(0, len(data), SENT_AT_ONCE_BYTES):  # others have their turn in between
            await asyncio.wait_for(response.write(data[at : at + SENT_AT_ONCE_BYTES]), SEND_TIMEOUT_S)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()  # what waits to be sent is dropped with it
        raise ConnectionResetError("the client takes nothing of its answer") from None


def _finish(pieces: Iterator[bytes]) -> None:
    close = getattr(pieces, "close", None)
    if close is not None:
        close()


def _compressor(
    request: web.Request, asked: Asked
) -> tuple[ResponseCompressor | BlockCompressor | None, dict[str, str]]:
    """How the answer is compressed, if at all, and what its headers say of that."""
    if asked.frame_answer:
        return BlockCompressor(), {}
    encoding = choose_encoding(request.headers.get("Accept-Encoding", "")) if asked.compress_answer else None
    return (ResponseCompressor(encoding), {"Content-Encoding": encoding}) if encoding else (None, {})


async def _ok(_: web.Request) -> web.Response:
    return web.Response(text="Ok.\n")


@web.middleware
async def _stay_up(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except ConnectionResetError:
        raise
    except Exception as error:  # noqa: BLE001 - the server stays up, and the caller learns what happened
        return error_response(engine_error(error))
