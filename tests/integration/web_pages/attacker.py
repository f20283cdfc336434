"""The attacker's web server: any page of it is the attack, under whatever name it is asked for."""

import html
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from stream_jobs.runtime.ports import LOOPBACK, free_port

# Inside of a page, the texts in it must not end the script.
ATTACK = (Path(__file__).parent / "attack.js").read_text(encoding="utf-8").replace("</script>", "<\\/script>")
PAGE = f"<!doctype html><title>kittens</title><body><script>{ATTACK}</script>"


class Attacker:
    """Use as an asynchronous context manager."""

    def __init__(self) -> None:
        self.port = free_port()
        app = web.Application()
        app.router.add_get("/", _page)
        app.router.add_route("*", "/redirect", _redirect)
        app.router.add_get("/refresh", _refresh)
        app.router.add_get("/policy", _policy)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self.port).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()


async def _page(_: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html", headers={"Referrer-Policy": "unsafe-url"})


async def _redirect(request: web.Request) -> web.Response:
    """307 keeps method and body."""
    return web.Response(status=307 if "keep" in request.query else 302, headers={"Location": request.query["to"]})


async def _refresh(request: web.Request) -> web.Response:
    to = html.escape(request.query["to"])
    return web.Response(text=f'<meta http-equiv="refresh" content="0; url={to}">', content_type="text/html")


async def _policy(request: web.Request) -> web.Response:
    """Breaks its own policy, of which the browser then sends a report to whoever the policy names."""
    return web.Response(
        text="<script>1</script>",
        content_type="text/html",
        headers={"Content-Security-Policy": f"default-src 'none'; report-uri {request.query['report']}"},
    )
