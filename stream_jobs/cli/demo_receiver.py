"""Where the demo's alerts arrive: a real webhook on loopback, which shows each one as it comes in."""

import json
import queue
import re
import threading
import time
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from stream_jobs.runtime.browsers.handler import GuardedHandler
from stream_jobs.runtime.ports import LOOPBACK

MAX_BODY_BYTES: Final = 1_000_000


class Arrived(NamedTuple):
    """A notification: the data of its CloudEvent, and when it came (seconds since 1970)."""

    data: dict[str, Any]
    at: float


class DemoReceiver:
    """Use as a context manager: from then on it takes notifications, and keeps them until somebody shows them."""

    def __init__(self) -> None:
        self._arrived: queue.Queue[Arrived | None] = queue.Queue()
        self._levels: dict[str, int] = {}
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler(self._arrived))
        self._server.daemon_threads = True
        self.url = f"http://{LOOPBACK}:{self._server.server_address[1]}/"
        self._serving = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="demo-receiver", daemon=True
        )
        self._showing: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_showing()
        self._server.shutdown()
        self._serving.join()
        self._server.server_close()

    def show_with(self, show: Callable[[Arrived], None]) -> None:
        """Call `show` with every notification, one after the other, in a thread."""
        self._showing = threading.Thread(target=self._show_all, args=(show,), name="demo-show", daemon=True)
        self._showing.start()

    def stop_showing(self) -> None:
        """What has arrived is shown first."""
        if self._showing is not None:
            self._arrived.put(None)
            self._showing.join()
            self._showing = None

    def level(self, alert_id: str) -> int:
        """The highest level at which an alert was shown; -1: it was not."""
        return self._levels.get(alert_id, -1)

    def _show_all(self, show: Callable[[Arrived], None]) -> None:
        while (arrived := self._arrived.get()) is not None:
            show(arrived)
            for alert in arrived.data["alerts"]:
                self._levels[alert["alert_id"]] = max(self.level(alert["alert_id"]), int(alert["level"]))


def write_url(path: Path, url: str) -> None:
    """Send the file's webhook here."""
    text, found = re.subn(r"^(    url: ).*$", rf"\g<1>{url}", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert found == 1, path
    path.write_text(text, encoding="utf-8")


def without_receiver(path: Path) -> None:
    """The demo is over: nobody listens any more, and whoever starts the folder again need not try."""
    path.write_text(
        "# The demo's receiver is gone with the demo. Alerts are kept and listed: spendstream alerts list.\n"
        "# Who else can be told (Slack, PagerDuty, ...): stream_jobs/alerts/README.md\n"
        "receivers: []\n",
        encoding="utf-8",
    )


def _handler(arrived: "queue.Queue[Arrived | None]") -> type[GuardedHandler]:
    class Handler(GuardedHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # noqa: N802 - http.server looks for this name
            at = time.time()
            try:
                length = int(self.headers.get("Content-Length") or 0)
                if not 0 < length <= MAX_BODY_BYTES:
                    self.close_connection = True  # what follows is no request
                    raise ValueError
                data = json.loads(self.rfile.read(length))["data"]
                if not data["alerts"]:
                    raise ValueError
                arrived.put(Arrived(data, at))
                status = 204
            except (ValueError, KeyError, TypeError):
                status = 400
            self.answer(status)

    return Handler
