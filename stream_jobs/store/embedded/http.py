"""ClickHouse's HTTP interface over the embedded engine, plus health and metrics."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeVar

from aiohttp import web
from prometheus_client import generate_latest

from stream_jobs.browsers.middleware import guard
from stream_jobs.store.embedded.access import authenticate
from stream_jobs.store.embedded.answers import answer_headers, error_response, exception_trailer
from stream_jobs.store.embedded.compression import ResponseCompressor, choose_encoding
from stream_jobs.store.embedded.engine import Answer, Engine
from stream_jobs.store.embedded.errors import EngineError, engine_error
from stream_jobs.store.embedded.lanes import Lane
from stream_jobs.store.embedded.metrics import StoreMetrics
from stream_jobs.store.embedded.request import MAX_BODY_BYTES, Asked, read_request

MAX_QUERIES: Final = 8
MAX_INSERTS: Final = 8
MAX_WAITING: Final = 64
SEND_TIMEOUT_S: Final = 60.0  # a reader that takes nothing for so long is gone

R = TypeVar("R")


class StoreHttp:
    """The handlers of one server."""

    def __init__(self, engine: Engine, password: str) -> None:
        self._engine = engine
        self._password = password
        self._queries = Lane("queries", MAX_QUERIES, MAX_WAITING)
        self._inserts = Lane("inserts", MAX_INSERTS, MAX_WAITING)
        self._metrics = StoreMetrics()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[_stay_up], client_max_size=MAX_BODY_BYTES)
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
        for lane in (self._queries, self._inserts):
            await asyncio.to_thread(lane.close)

    async def _ready(self, _: web.Request) -> web.Response:
        try:
            await asyncio.wait_for(asyncio.to_thread(self._engine.probe), 5)
        except (EngineError, TimeoutError) as error:
            return web.Response(status=503, text=f"the engine does not answer: {error}\n")
        return web.Response(text="Ok.\n")

    async def _expose(self, _: web.Request) -> web.Response:
        for lane in (self._queries, self._inserts):
            self._metrics.inside.labels(lane.name).set(lane.inside)
        return web.Response(body=generate_latest(self._metrics.registry), content_type="text/plain")

    async def _statement(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET" and "query" not in request.query:
            return web.Response(text="Ok.\n")
        kind = "other"
        began = time.monotonic()
        try:
            user = authenticate(request.headers, request.query, self._password)
            asked = await read_request(request, user)
            kind = "insert" if asked.is_insert else "query" if asked.call.statement.reads_only else "other"
            began = time.monotonic()
            response = await self._answer(request, asked)
        except EngineError as error:
            self._metrics.statements.labels(kind, str(error.code)).inc()
            return error_response(error)
        self._metrics.statements.labels(kind, "0").inc()
        self._metrics.seconds.labels(kind).observe(time.monotonic() - began)
        return response

    async def _answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        async with self._inserts if asked.is_insert else self._queries as lane:
            if asked.streamed:
                return await self._stream(request, asked, lane)
            run = self._engine.insert if asked.call.statement.data_format else self._engine.run
            return await self._whole(request, asked, await self._in_thread(lane, asked, lambda: run(asked.call)))

    async def _in_thread(self, lane: Lane, asked: Asked, function: Callable[[], R]) -> R:
        """Run a blocking step. A client that goes away ends its query; an insert is finished all the same.

        Either way this returns only when the thread is free again: the lane counts it as long as it works.
        """
        step = asyncio.ensure_future(lane.call(function))
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError:
            if not asked.is_insert:
                self._engine.kill(asked.call.query_id)
            await asyncio.wait([step])
            step.exception()  # nobody is left to read it
            raise

    async def _whole(self, request: web.Request, asked: Asked, answer: Answer) -> web.StreamResponse:
        self._metrics.written_rows.inc(answer.written_rows)
        self._metrics.read_rows.inc(answer.read_rows)
        self._metrics.sent_bytes.inc(len(answer.body))
        headers = answer_headers(asked.call, answer)
        body = answer.body
        if encoding := _encoding(request, asked):
            compressor = ResponseCompressor(encoding)
            headers["Content-Encoding"] = encoding
            body = compressor.add(body) + compressor.finish()
        return web.Response(body=body, headers=headers)

    async def _stream(self, request: web.Request, asked: Asked, lane: Lane) -> web.StreamResponse:
        pieces = self._engine.stream(asked.call)
        try:
            first = await self._in_thread(
                lane, asked, lambda: next(pieces, b"")
            )  # an error up to here has a status of its own
            response = web.StreamResponse(headers=answer_headers(asked.call, None))
            encoding = _encoding(request, asked)
            compressor = ResponseCompressor(encoding) if encoding else None
            if encoding:
                response.headers["Content-Encoding"] = encoding
            await response.prepare(request)
            failure = await self._send(response, compressor, first, pieces, lane, asked)
            if failure is not None:
                if request.transport is not None:
                    # Without the last chunk the client knows that the answer is incomplete, trailer or not.
                    request.transport.close()
                self._metrics.statements.labels("query", str(failure.code)).inc()
                return response
            await response.write_eof()
            return response
        finally:
            await asyncio.shield(lane.call(lambda: _finish(pieces)))

    async def _send(
        self,
        response: web.StreamResponse,
        compressor: ResponseCompressor | None,
        piece: bytes,
        pieces: Iterator[bytes],
        lane: Lane,
        asked: Asked,
    ) -> EngineError | None:
        """Send all pieces. An error half-way is written as ClickHouse does, and returned."""
        failure: EngineError | None = None
        while piece:
            self._metrics.sent_bytes.inc(len(piece))
            await _write(response, compressor.add(piece) if compressor else piece)
            try:
                piece = await self._in_thread(lane, asked, lambda: next(pieces, b""))
            except EngineError as error:
                failure = error
                trailer = exception_trailer(asked.call, error)
                await _write(response, compressor.add(trailer) if compressor else trailer)
                break
        if compressor:
            await _write(response, compressor.finish())
        return failure


async def _write(response: web.StreamResponse, data: bytes) -> None:
    if data:
        await asyncio.wait_for(response.write(data), SEND_TIMEOUT_S)


def _finish(pieces: Iterator[bytes]) -> None:
    close = getattr(pieces, "close", None)
    if close is not None:
        close()


def _encoding(request: web.Request, asked: Asked) -> str | None:
    return choose_encoding(request.headers.get("Accept-Encoding", "")) if asked.compress_answer else None


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
