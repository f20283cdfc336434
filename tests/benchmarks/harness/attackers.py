"""Attacks on an instance until stdin closes: `python -m tests.benchmarks.harness.attackers KAFKA URL [KIND...]`.

A process of its own, so that what it does costs the measured ones nothing but what the instance makes of it. Without a
password: eight readers with slow statements, readers that eat memory, bodies of half a gigabyte and bodies without end,
statements that try to get out, and poison on every topic. Prints what each was answered when it ends, as JSON.
"""

import contextlib
import json
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from confluent_kafka import Producer

from stream_jobs.runtime.topics import topic_specs

SLOW_READERS = 8
KINDS = ("slow", "hungry", "escape", "large body", "endless body", "poison")
POISON_PER_S = 50  # on each topic
SLOW = (
    "SELECT sum(sleepEachRow(0.5)) FROM numbers(1000) SETTINGS max_block_size = 1",
    "SELECT sum(cityHash64(number)) FROM numbers_mt(1000000000000)",
    "SELECT team, sum(effective_cost) FROM ledger GROUP BY team, event_id ORDER BY event_id FORMAT Null",
    "SELECT uniqExact(cityHash64(number, rand())) FROM numbers_mt(1000000000000)",
)
HUNGRY = (
    "SELECT groupArray(number) FROM numbers(100000000000)",
    "SELECT number, count() FROM numbers_mt(100000000000) GROUP BY number FORMAT Null",
    "SELECT repeat('x', 1000000) FROM numbers(100000) FORMAT JSON",
    "SELECT * FROM numbers(1000000000) AS a JOIN numbers(1000000000) AS b USING (number) FORMAT Null",
)
ESCAPES = (
    "SELECT arrayMap(file, ['/etc/hostname'])",
    "SELECT a, b FROM values('a UInt8, b String ALIAS file(''/etc/hostname'')', 1)",
    "SELECT " + "(" * 100_000,
    "SELECT " + "1," * 120_000 + "1",
    "SELECT '" + "\\x41" * 60_000 + "'",
)
MIB = 1024 * 1024


class Attackers:
    """Threads that each repeat one thing until `stop`."""

    def __init__(self, kafka: str, url: str, kinds: Collection[str]) -> None:
        self._address = (urlsplit(url).hostname or "", urlsplit(url).port or 0)
        self._kafka = kafka
        self._kinds = kinds
        self._stop = threading.Event()
        self.answers: dict[str, Counter[str]] = {}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for number in range(SLOW_READERS):
            self._repeat("slow", lambda number=number: self._ask(SLOW[number % len(SLOW)]))  # type: ignore[misc]
        for number in range(2):
            self._repeat("hungry", lambda number=number: self._ask(random.choice(HUNGRY)))  # type: ignore[misc]
        self._repeat("escape", lambda: self._ask(random.choice(ESCAPES)))
        for _ in range(2):
            self._repeat("large body", self._large_body)
            self._repeat("endless body", self._endless_body)
        self._repeat("poison", self._poison)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(200)

    def _repeat(self, name: str, action: Callable[[], str]) -> None:
        if name not in self._kinds:
            return
        counts = self.answers.setdefault(name, Counter())

        def loop() -> None:
            while not self._stop.is_set():
                try:
                    counts[action()] += 1
                except (OSError, HTTPException) as error:
                    counts[type(error).__name__] += 1
                time.sleep(0.01)

        thread = threading.Thread(target=loop, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _ask(self, sql: str) -> str:
        connection = HTTPConnection(*self._address, timeout=180)
        try:
            connection.request("POST", "/?max_execution_time=20", sql.encode())
            response = connection.getresponse()
            response.read()
            return f"{response.status} {response.headers.get('X-ClickHouse-Exception-Code', '')}".strip()
        finally:
            connection.close()

    def _large_body(self) -> str:
        """Half a gigabyte that is announced, and sent for as long as anybody takes it."""
        return self._body(f"Content-Length: {512 * MIB}", b"x" * MIB)

    def _endless_body(self) -> str:
        return self._body("Transfer-Encoding: chunked", b"100000\r\n" + b"x" * MIB + b"\r\n")

    def _body(self, head: str, piece: bytes) -> str:
        with socket.create_connection(self._address, timeout=60) as connection:
            connection.sendall(f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n\r\n".encode())
            sent = 0
            with contextlib.suppress(ConnectionError):
                while not self._stop.is_set() and sent < 512:
                    connection.sendall(piece)
                    sent += 1
            return "taken whole" if sent >= 512 else "cut off"

    def _poison(self) -> str:
        """A second's worth on every topic."""
        producer = Producer({"bootstrap.servers": self._kafka, "linger.ms": 5})
        for spec in topic_specs(embedded=True):
            for _ in range(POISON_PER_S):
                producer.produce(spec.name, value=_poison(), key=random.choice(("x", None, "a" * 1000)))
        producer.flush(30)
        self._stop.wait(1)
        return "sent"


def _poison() -> bytes:
    chance = random.random()
    if chance < 0.3:
        return random.randbytes(random.randint(0, 2000))
    event = {
        "schema_version": 1,
        "event_id": f"poison-{random.getrandbits(64)}",
        "occurred_at": "2026-11-20T12:00:00Z",
        "source": "poison",
        "provider": "acme",
        "usage": {
            "kind": "metered",
            "sku": "x",
            "quantity": random.choice(("0e27", "1e400", "-1", 10**40)),
            "unit": "x",
        },
        "level": 10**30,
        "money_usd": "0E40",
    }
    text = json.dumps(event).encode()
    return text if chance < 0.7 else text[: random.randint(0, len(text))]


def main() -> int:
    attackers = Attackers(sys.argv[1], sys.argv[2], sys.argv[3:] or KINDS)
    attackers.start()
    print("attacking", flush=True)
    sys.stdin.read()
    attackers.stop()
    print(json.dumps(attackers.answers), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
