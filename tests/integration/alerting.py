"""An HTTP receiver, and the alerts job on a real broker and store, for tests."""

import asyncio
import contextlib
import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from confluent_kafka import Producer

from spendstream_schemas.alert_feed import AlertAck, AlertSignal, Silence, alert_record_key
from stream_jobs.alerts.document import AlertsDocument
from stream_jobs.alerts.handler import AlertsHandler
from stream_jobs.alerts.job import build_alerts_app
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.kafka import broker_urls, topic_start
from stream_jobs.runtime.topics import ALERTS
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.feed_app import FeedRunner
from tests.store_server import StoreProcess

STOP_TIMEOUT_S = 20.0


class Webhook:
    """Takes CloudEvents on a free port; `status` is what it answers with."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status = 204
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if webhook.status < 300:
                    webhook.bodies.append(body)
                self.send_response(webhook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> "Webhook":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def data(self) -> list[dict[str, Any]]:
        return [body["data"] for body in self.bodies]

    @property
    def actions(self) -> list[str]:
        return [data["action"] for data in self.data]


class AlertsJob:
    """The job in a thread of its own, as the worker runs it."""

    def __init__(self, broker: str, store: StoreProcess, document: AlertsDocument) -> None:
        self._kafka = embedded_kafka(broker)
        self.handler = AlertsHandler(partial(StoreClient, store.settings), document)
        self.runner: FeedRunner | None = None
        self._stopping: Callable[[], None] = lambda: None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "AlertsJob":
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping()
        self._thread.join(STOP_TIMEOUT_S)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - told by the test's thread
            self._error = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()

        def stop() -> None:
            loop.call_soon_threadsafe(stopping.set)

        self._stopping = stop
        with tempfile.TemporaryDirectory() as scratch:
            app, runner = build_alerts_app(
                self.handler,
                broker_urls=broker_urls(self._kafka),
                faust_options={
                    "broker_client_id": "test",
                    "broker_session_timeout": 4.0,
                    "broker_heartbeat_interval": 1.0,
                    "datadir": scratch,
                },
                topic_start=partial(topic_start, self._kafka),
            )
            self.runner = runner
            starting = asyncio.ensure_future(app.start())
            try:
                while not runner.joined and not stopping.is_set():
                    await asyncio.sleep(0.02)
                    assert not app.crashed, app.crash_reason
                self._ready.set()
                await stopping.wait()
                assert not app.crashed, app.crash_reason
            finally:
                starting.cancel()
                await runner.stop_booking()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(app.stop(), 8)
                with contextlib.suppress(asyncio.CancelledError):
                    await starting


def send(broker: str, *records: AlertSignal | AlertAck | Silence | bytes) -> None:
    """To alerts.v1; returns when the broker has them."""
    producer = Producer({"bootstrap.servers": broker, "log_level": 0, "linger.ms": 5})
    failed: list[str] = []
    for record in records:
        key = b"k" if isinstance(record, bytes) else alert_record_key(record).encode()
        value = record if isinstance(record, bytes) else record.model_dump_json().encode()
        producer.produce(ALERTS, value, key, on_delivery=lambda error, _: failed.append(str(error)) if error else None)
        producer.poll(0)
    assert producer.flush(60) == 0
    assert not failed


@contextlib.contextmanager
def rows_of(store: StoreProcess) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    with StoreClient(store.settings) as client:
        yield lambda sql: [tuple(row) for row in client.rows(sql)]
