"""An HTTP server in a thread, with the ways in which a receiver fails. The vendors' servers are subclasses."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web

from stream_jobs.runtime.loop_thread import LoopThread
from stream_jobs.runtime.ports import LOOPBACK, free_port

Failure = Callable[[web.Request], Awaitable[web.StreamResponse]]
_WAIT_S = 30.0


@dataclass(frozen=True)
class Got:
    """A request that came in, whatever was answered."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes


class HttpReceiverServer:
    """Answers with `handle` unless `failure` is set. Use as a context manager; `down()` and `up()` keep the port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.requests: list[Got] = []
        self.problems: list[str] = []  # what was refused as malformed; tests assert that it is empty
        self.failure: Failure | None = None
        self._arrived = threading.Condition()
        self._thread = LoopThread("receiver")
        self._runner: web.AppRunner | None = None

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """What a healthy receiver answers; by default it takes everything."""
        return web.Response(text="ok")

    def __enter__(self) -> Self:
        self._thread.start()
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()
        self._thread.stop()

    def up(self) -> None:
        self._thread.run(self._start(), _WAIT_S)

    def down(self) -> None:
        """From now on connections are refused; those that are open are closed."""
        self._thread.run(self._stop(), _WAIT_S)

    def wait_for(self, requests: int, timeout_s: float = _WAIT_S) -> None:
        """Until that many requests have come in."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.requests) >= requests, timeout_s), len(self.requests)

    async def _start(self) -> None:
        if self._runner is None:
            application = web.Application(client_max_size=4 * 1024 * 1024)
            application.router.add_route("*", "/{path:.*}", self._serve)
            self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await self._runner.setup()
            await web.TCPSite(self._runner, LOOPBACK, self.port).start()

    async def _stop(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        with self._arrived:
            self.requests.append(
                Got(request.method, request.path, tuple(request.query.items()), dict(request.headers), body)
            )
            self._arrived.notify_all()
        if self.failure is not None:
            return await self.failure(request)
        return await self.handle(request, body)

    def refuse(self, status: int, *problems: str) -> web.Response:
        """The answer to a malformed document."""
        self.problems.extend(problems)
        return web.json_response({"status": "invalid", "errors": list(problems)}, status=status)


def answering(status: int, text: str = "", headers: Mapping[str, str] | None = None) -> Failure:
    """Each request gets this answer."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers=headers)

    return answer


def too_many(retry_after: str = "7") -> Failure:
    return answering(429, "slow down", {"Retry-After": retry_after})


def quoting() -> Failure:
    """A 400 that repeats the request: address, headers and body, as careless servers do."""

    async def answer(request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode(errors="replace")
        return web.Response(status=400, text=f"bad request {request.url} {dict(request.headers)} {body}")

    return answer


def stalling() -> Failure:
    """No answer until the client gives up."""

    async def answer(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(_WAIT_S)
        return web.Response()

    return answer


def cutting() -> Failure:
    """The connection is closed without an answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.close()
        return web.Response()

    return answer
