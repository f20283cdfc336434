"""Where attribution goes in FastAPI and gevent: python -m tests.frameworks.attributions fastapi|gevent

Writes as JSON whose attribution (the feature) each way of asking has.
"""

import contextvars
import json
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

if sys.argv[1:2] == ["gevent"]:
    from gevent import monkey

    monkey.patch_all()

import spendstream
from spendstream import attribution, current_attribution


def feature() -> str:
    return current_attribution().feature or "none"


def in_fastapi() -> dict[str, Any]:
    import fastapi
    from fastapi.responses import StreamingResponse
    from fastapi.testclient import TestClient

    from tests.unit.producers.recorder import Recorder

    app = fastapi.FastAPI()
    recorder = Recorder()
    tracker = recorder.track(provider="openai", model="gpt-4o")

    def sync_dependency() -> Iterator[None]:
        with attribution(feature="dependency"):
            yield

    async def async_dependency() -> AsyncIterator[None]:
        with attribution(feature="dependency"):
            yield

    def tracked() -> Iterator[spendstream.TrackedCall]:
        with tracker as call:
            yield call

    def block() -> Iterator[str]:
        with attribution(feature="generator"):
            yield feature() + " "
            yield feature()

    @attribution(feature="generator")
    def decorated() -> Iterator[str]:
        yield feature() + " "
        yield feature()

    def of_sync(_: Annotated[None, fastapi.Depends(sync_dependency)]) -> str:
        return feature()

    def of_async(_: Annotated[None, fastapi.Depends(async_dependency)]) -> str:
        return feature()

    async def of_async_endpoint(_: Annotated[None, fastapi.Depends(async_dependency)]) -> str:
        return feature()

    async def of_block() -> StreamingResponse:
        return StreamingResponse(block())

    async def of_decorated() -> StreamingResponse:
        return StreamingResponse(decorated())

    def of_tracked(number: int, call: Annotated[spendstream.TrackedCall, fastapi.Depends(tracked)]) -> None:
        call.record({"object": "chat.completion", "id": f"c{number}", "usage": {"prompt_tokens": number}})

    endpoints = {
        "sync_dependency": of_sync,
        "async_dependency": of_async,
        "async_endpoint": of_async_endpoint,
        "block": of_block,
        "decorated": of_decorated,
        "tracked": of_tracked,
    }
    for name, endpoint in endpoints.items():
        app.add_api_route(f"/{name}", endpoint)
    client = TestClient(app)
    found: dict[str, Any] = {name: client.get(f"/{name}").text.strip('"') for name in endpoints if name != "tracked"}
    import concurrent.futures

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: client.get("/tracked", params={"number": number}), range(1, 41)))
    found["tracked"] = sorted(getattr(event.usage, "input_tokens", -1) for event in recorder.events)
    return found


def in_gevent() -> dict[str, Any]:
    import gevent

    @attribution(feature="decorated")
    def work() -> str:
        return feature()

    with attribution(feature="starter"):
        copied = contextvars.copy_context()
        started = {
            "started": gevent.spawn(feature),
            "copied": gevent.spawn(copied.run, feature),
            "decorated": gevent.spawn(work),
        }
        gevent.joinall(list(started.values()))
    return {name: greenlet.value for name, greenlet in started.items()}


if __name__ == "__main__":
    print(json.dumps(in_gevent() if sys.argv[1] == "gevent" else in_fastapi()))
