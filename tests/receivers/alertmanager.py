"""Prometheus' Alertmanager itself, as Debian packages it (prometheus-alertmanager)."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from stream_jobs.runtime.ports import LOOPBACK, free_port

BINARY_NAMES = ("prometheus-alertmanager", "alertmanager")
REQUIRED_VARIABLE = "SPENDSTREAM_TEST_ALERTMANAGER_REQUIRED"
# Read once: `conftest.py` takes it out of the environment, in which the application would find it strange.
REQUIRED = bool(os.environ.get(REQUIRED_VARIABLE))
START_TIMEOUT_S = 60.0


def alertmanager_binary() -> str:
    """Skips the test when there is none, unless the environment says that there must be one."""
    found = next((path for name in BINARY_NAMES if (path := shutil.which(name))), None)
    if found is None:
        message = f"Alertmanager is not installed (apt-get install {BINARY_NAMES[0]})"
        if REQUIRED:
            pytest.fail(message)
        pytest.skip(message)
    return found


class Alertmanager:
    """One process with free ports that sends what it decides to `webhook_url`."""

    def __init__(self, folder: Path, webhook_url: str) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._folder = folder
        self._log = folder / "alertmanager.log"
        config = {
            "route": {
                "receiver": "test",
                "group_by": ["group"],
                "group_wait": "10ms",
                "group_interval": "100ms",
                "repeat_interval": "1h",
            },
            "receivers": [{"name": "test", "webhook_configs": [{"url": webhook_url, "send_resolved": True}]}],
        }
        (folder / "alertmanager.yml").write_text(json.dumps(config))  # JSON is YAML
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    alertmanager_binary(),
                    f"--config.file={self._folder / 'alertmanager.yml'}",
                    f"--storage.path={self._folder / 'data'}",
                    f"--web.listen-address={LOOPBACK}:{self.port}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                with urlopen(f"{self.url}/-/ready", timeout=5) as response:
                    if response.status == 200:
                        return self
            except (URLError, ConnectionError, TimeoutError):
                pass
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"Alertmanager did not start:\n{self._log.read_text()}")
            time.sleep(0.02)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            process.terminate()
            process.wait(START_TIMEOUT_S)

    def alerts(self, group: str | None = None) -> list[dict[str, Any]]:
        """What fires now."""
        query = f"?filter={quote(f'group={json.dumps(group, ensure_ascii=False)}')}" if group is not None else ""
        with urlopen(f"{self.url}/api/v2/alerts{query}", timeout=30) as response:
            alerts: list[dict[str, Any]] = json.load(response)
        return alerts
