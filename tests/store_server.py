"""The embedded store as a process of a test's own, and ledger rows to put into it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from stream_jobs.ledger.prices import _batches
from stream_jobs.runtime.ports import free_port
from stream_jobs.store.client import connect
from stream_jobs.store.migrate import migrate
from stream_jobs.store.settings import ClickHouseSettings
from stream_jobs.store.tables import LEDGER_DEFAULTS, TABLES
from tests.made_once import made_once
from tests.unit.pricing.shipped import shipped_book

START_TIMEOUT_S = 60.0
BOOKED_AT = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)


class StoreProcess:
    """`python -m stream_jobs.store.server` on a free port; `program` is what else runs that server."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        options: Sequence[str] = (),
        program: Sequence[str] = ("-m", "stream_jobs.store.server"),
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder.parent / f"{folder.name}-{self.port}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *[sys.executable, *program],
                    *["--path", str(folder), "--port", str(self.port), *options],
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.PIPE,  # the server stops when it closes: with us, however we end
            )

    @classmethod
    def made(cls, folder: Path) -> "StoreProcess":
        """Ready, with today's schema, in a folder that is not there yet."""
        shutil.copytree(with_schema(), folder, symlinks=True)
        return cls(folder).wait_ready()

    def wait_ready(self) -> "StoreProcess":
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                with urlopen(f"{self.url}/readyz", timeout=5) as response:
                    if response.status == 200:
                        return self
            except (URLError, ConnectionError, TimeoutError):
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the store did not start:\n{self.log.read_text()}")
            time.sleep(0.02)

    @property
    def settings(self) -> ClickHouseSettings:
        """As the user who may write."""
        return ClickHouseSettings(port=self.port, user="spendstream", password_file=self.folder / "credentials")

    @property
    def read_settings(self) -> ClickHouseSettings:
        return ClickHouseSettings(port=self.port)

    def migrated(self) -> "StoreProcess":
        migrate(self.settings)
        return self

    def connect(self) -> Client:
        return connect(self.settings)

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        if self.process.poll() is None:
            self.process.terminate()
        return self._wait()

    def kill(self) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self._wait()

    def _wait(self) -> int:
        code = self.process.wait(30)
        assert self.process.stdin is not None
        self.process.stdin.close()
        return code


def with_schema() -> Path:
    """The folder of a stopped store that has today's schema and no rows. To be copied: migrating takes more CPU than
    the start does."""

    def make(folder: Path) -> None:
        _stopped(StoreProcess(folder).wait_ready().migrated())

    return made_once("schema", make)


def _with_prices() -> Path:
    """The same for pipelines, and the first of the shipped prices is there. So no worker writes all of them when it has
    run for half a minute, which takes a fifth of a minute of CPU: tests/integration/test_price_process.py does."""

    def make(folder: Path) -> None:
        store = StoreProcess.made(folder)
        with contextlib.closing(store.connect()) as client:
            client.insert_arrow("prices", pa.Table.from_batches([next(_batches(shipped_book()))]).slice(0, 1))
        _stopped(store)

    return made_once("prices", make)


def _stopped(store: StoreProcess) -> None:
    assert store.stop() == 0, store.log.read_text()
    (store.folder / "lock").unlink(missing_ok=True)


def prepared(data_dir: Path) -> Path:
    """The data folder, made where it is not there yet, with a store that has its schema."""
    if not (data_dir / "store").exists():
        data_dir.mkdir(0o700, parents=True, exist_ok=True)
        shutil.copytree(_with_prices(), data_dir / "store", symlinks=True)
    return data_dir


LEDGER = pa.schema(list(TABLES["ledger"])[: -len(LEDGER_DEFAULTS)])
"""The columns of the ledger that have no DEFAULT."""


def ledger_rows(count: int = 1, *, first: int = 0, **columns: Any) -> pa.Table:
    """Ledger rows with ids e<first>, ...: priced charges, unless a column says otherwise (one value or one per row)."""
    values: dict[str, Any] = {
        "event_id": [f"e{number}" for number in range(first, first + count)],
        "entry_kind": "charge",
        "occurred_at": BOOKED_AT,
        "booked_at": BOOKED_AT,
        "source": "test",
        "kind": "tokens",
        "provider": "openai",
        "model": "gpt-4o",
        "project": "apollo",
        "team": "search",
        "input_tokens": 1000,
        "output_tokens": 10,
        "list_cost": Decimal("0.0026"),
        "contracted_cost": Decimal("0.0026"),
        "effective_cost": Decimal("0.0026"),
        "topic_id": "topic",
        "offset": list(range(first, first + count)),
    } | columns
    return pa.table(
        [_column(field, values.get(field.name), count) for field in LEDGER],
        schema=LEDGER,
    )


def _column(field: pa.Field, value: Any, count: int) -> pa.Array:
    if value is None:
        value = _absent(field)
    per_row = isinstance(value, list)
    if pa.types.is_list(field.type):  # one list for every row, or a list of lists
        per_row = bool(value) and isinstance(value[0], list)
    return pa.array(value if per_row else [value] * count, field.type)


def _absent(field: pa.Field) -> Any:
    """Texts and lists are empty, numbers NULL, where the table has no NULL they are zero."""
    if pa.types.is_string(field.type):
        return ""
    if pa.types.is_list(field.type):
        return []
    if pa.types.is_map(field.type):
        return {}
    not_null: Mapping[str, Any] = {"revision": 0, "partition": 0, "avoided_cost": Decimal(0), "cached_response": False}
    return not_null.get(field.name)
