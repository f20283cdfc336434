"""The embedded store without the rule that keeps web pages out, and with a record of who came: what would happen.

python tests/integration/web_pages/open_store.py RECORD ARGUMENTS-OF-THE-STORE...
"""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from stream_jobs.store import server
from stream_jobs.store.embedded import http


def main() -> int:
    # Before the store is confined, for as long as it runs.
    record = Path(sys.argv[1]).open("a", buffering=1)  # noqa: SIM115

    @web.middleware
    async def note(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        status = 0
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            visit = {
                "id": request.query.get("query_id", ""),
                "method": request.method,
                "status": status,
                "headers": list(request.headers.items()),
            }
            record.write(json.dumps(visit) + "\n")

    vars(http)["guard"] = lambda app: app.middlewares.insert(0, note)
    return server.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
