"""The rule for aiohttp's servers."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from stream_jobs.runtime.browsers.names import LOOPBACK_ONLY, Names
from stream_jobs.runtime.browsers.rule import ANSWER_HEADERS, refusal


def guard(app: web.Application, names: Names = LOOPBACK_ONLY) -> None:
    """Stand in front of every path of `app`, also those that it does not have, and of its other middlewares."""

    @web.middleware
    async def keep_pages_out(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        refused = refusal(request.method, request.headers.items(), names)
        if refused is None:
            return await handler(request)
        response = web.Response(status=403, text=f"{refused.text}\n")
        response.force_close()  # a body that was sent along is not waited for
        return response

    app.middlewares.insert(0, keep_pages_out)
    app.on_response_prepare.append(_add_headers)


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(ANSWER_HEADERS)
