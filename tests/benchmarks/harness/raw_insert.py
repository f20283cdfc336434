"""Rows per second the engine takes in its own process: `python -m tests.benchmarks.harness.raw_insert DIR SECONDS`.

DIR holds the store's folder and the blocks. A process of its own, for the engine keeps what it loads.
"""

import sys
import time
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from stream_jobs.store.embedded.engine import Engine
from stream_jobs.store.embedded.engine_config import DATABASE, write_engine_config
from stream_jobs.store.embedded.reading import Asked
from stream_jobs.store.embedded.rights import Rights
from stream_jobs.store.embedded.setting_rules import Limits
from stream_jobs.store.tables import insert


class EngineClient:
    """Stands for the HTTP client in `insert`, so that the settings of an insert are the same ones."""

    uri = "chdb"
    write_compression = None

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def raw_insert(
        self,
        table: str,
        names: list[str],
        body: list[bytes | memoryview],
        settings: dict[str, Any],
        fmt: str,
        transport_settings: dict[str, str],
    ) -> None:
        columns = ", ".join(f"`{name}`" for name in names)
        head = f"INSERT INTO `{table}` ({columns}) FORMAT {fmt}\n".encode()
        texts = {name: str(value) for name, value in settings.items()}
        query_id = str(settings["insert_deduplication_token"])
        limits = Limits(memory_bytes=2**30, time_s=60, result_bytes=2**20, threads=1, disk_bytes=2**30)
        rights = Rights(may_write=True, read_only=False, limits=limits, database=DATABASE)
        rows = (b"".join(body),)
        self._engine.insert(self._engine.read(Asked(head, rights, query_id, settings=texts, rows=rows)))


def main() -> int:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    blocks = [pa.ipc.open_stream(path.read_bytes()).read_all() for path in (folder / "blocks").glob("*.arrow")]
    engine = Engine(folder / "store" / "data", write_engine_config(folder / "store", timeout_s=60))
    client = cast(Client, EngineClient(engine))
    insert(client, "ledger", blocks[0], "process-first")  # opens the tables
    began, rows, number = time.perf_counter(), 0, 0
    while time.perf_counter() - began < seconds or not rows:
        block = blocks[number % len(blocks)]
        insert(client, "ledger", block, f"process-{number}")
        rows, number = rows + block.num_rows, number + 1
    print(rows / (time.perf_counter() - began))
    engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
