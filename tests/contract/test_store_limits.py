"""What one sender may take of the embedded store: readers have room, threads and limits of their own."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.store_server import StoreProcess

SLOW = "SELECT sum(sleepEachRow(0.5)) FROM numbers(1000) SETTINGS max_block_size = 1, max_threads = 1"
MIB = 1024 * 1024


pytestmark = pytest.mark.xdist_group("test_store_limits")  # one store for all


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    store = StoreProcess(tmp_path_factory.mktemp("store") / "store").wait_ready()
    with store.connect() as client:
        client.command("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
    yield store
    store.kill()


def ask(store: StoreProcess, sql: str, *, write: bool = False, timeout: float = 60, **url: str) -> tuple[int, bytes]:
    auth = {"X-ClickHouse-User": "spendstream", "X-ClickHouse-Key": store.settings.secret()} if write else {}
    connection = HTTPConnection("127.0.0.1", store.port, timeout=timeout)
    try:
        connection.request("POST", f"/?{urlencode(url)}", sql.encode(), auth)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def started(store: StoreProcess, head: str) -> socket.socket:
    """A request whose head is sent, and whose body is not."""
    connection = socket.create_connection(("127.0.0.1", store.port), timeout=30)
    connection.sendall(f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n\r\n".encode())
    return connection


def status_of(connection: socket.socket) -> str:
    answer = b""
    while b"\r\n" not in answer and (piece := connection.recv(4096)):
        answer += piece
    return answer.split(b"\r\n")[0].decode()


def running(store: StoreProcess) -> int:
    sql = "SELECT count() FROM system.processes WHERE query LIKE '%sleepEachRow%' AND query NOT LIKE '%processes%'"
    return int(ask(store, sql, write=True)[1])


def until(condition: object, timeout_s: float = 30) -> None:
    began = time.monotonic()
    assert callable(condition)
    while not condition():
        assert time.monotonic() - began < timeout_s
        time.sleep(0.05)


def test_a_large_body_is_refused_before_it_is_read(store: StoreProcess) -> None:
    """Half a gigabyte announced by a reader is answered at once; nobody waits for its bytes."""
    with started(store, f"Content-Length: {512 * MIB}") as connection:
        assert "413" in status_of(connection)


def test_a_body_without_a_length_is_cut_at_the_bound(store: StoreProcess) -> None:
    """A reader that sends chunks without end gets its answer after the few MiB it may send."""
    chunk = b"100000\r\n" + b"x" * MIB + b"\r\n"
    with started(store, "Transfer-Encoding: chunked") as connection:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 30:
                connection.sendall(chunk)
        assert time.monotonic() - began < 30, "it was read and read"


def test_a_long_statement_of_a_reader_is_refused(store: StoreProcess) -> None:
    """What a reader may send is read in a moment; long lists go into parameters."""
    status, body = ask(store, "SELECT " + "1," * 200_000 + "1")
    assert status == 400
    assert b"Max query size exceeded" in body
    values = "[" + ",".join(["1"] * 15_000) + "]"
    assert ask(store, "SELECT length({list:Array(UInt8)})", param_list=values) == (200, b"15000\n")


def test_the_longest_statements_do_not_hold_up_the_loop(store: StoreProcess) -> None:
    """Eight readers with as many small tokens as they may send: the store still answers others in between."""
    texts = ["SELECT " + "1," * 120_000 + "1", "SELECT [" + "(1)," * 60_000 + "1]", "SELECT " + "a." * 120_000 + "a"]
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(ask, store, texts[number % 3]) for number in range(8)]
        slowest = 0.0
        while not all(future.done() for future in futures):
            began = time.monotonic()
            assert ask(store, "SELECT 1", write=True) == (200, b"1\n")
            slowest = max(slowest, time.monotonic() - began)
        assert all(future.result()[0] in (200, 400, 500) for future in futures)
    assert slowest < 10


def test_jobs_do_not_wait_behind_readers(store: StoreProcess) -> None:
    """Every place that readers have is taken, and every one in their queue: jobs ask and insert all the same."""
    with ThreadPoolExecutor(100) as pool:
        futures = [pool.submit(ask, store, SLOW, max_execution_time="8") for _ in range(100)]
        until(lambda: any(future.done() for future in futures))
        refused = next(future for future in futures if future.done()).result()
        assert refused[0] == 503
        assert running(store) > 0
        before = int(ask(store, "SELECT count() FROM t", write=True)[1])
        for _ in range(10):
            assert ask(store, "INSERT INTO t SELECT 1", write=True)[0] == 200
        assert ask(store, "SELECT count() FROM t", write=True) == (200, f"{before + 10}\n".encode())
        assert running(store) > 0, "the readers had ended: nothing was shown"
        assert ask(store, "KILL QUERY WHERE query LIKE '%sleepEachRow%' ASYNC", write=True)[0] == 200
        while not all(future.done() for future in futures):
            ask(store, "KILL QUERY WHERE query LIKE '%sleepEachRow%' ASYNC", write=True)


def test_a_query_id_is_nobodys_handle(store: StoreProcess) -> None:
    """Whoever goes away takes its own statement along, not another's that carries the same query_id."""
    with ThreadPoolExecutor(1) as pool:
        kept = pool.submit(ask, store, SLOW.replace("1000", "6"), query_id="shared")
        until(lambda: running(store) == 1)
        body = SLOW.encode()
        leaving = socket.create_connection(("127.0.0.1", store.port))
        leaving.sendall(
            b"POST /?query_id=shared HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        until(lambda: running(store) == 2)
        leaving.close()
        until(lambda: running(store) == 1)
        assert kept.result()[0] == 200


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT groupArray(number) FROM numbers(10000000000)",
        "SELECT repeat('x', 1000000) FROM numbers(100000) FORMAT JSON",
        f"SELECT number AS {'a' * 100_000} FROM numbers(1000000) FORMAT JSON",
        "SELECT number, count() FROM numbers(3000000000) GROUP BY number FORMAT Null",
        "SELECT * FROM numbers(1000000000) AS a JOIN numbers(1000000000) AS b USING (number) FORMAT Null",
    ],
)
def test_a_statement_that_eats_memory_ends_by_itself(store: StoreProcess, sql: str) -> None:
    """It meets the read user's limits; the store lives on, and so does its memory."""
    status, body = ask(store, sql, max_execution_time="8", timeout=100)
    assert status in (408, 413, 500)
    assert b"Code: 241" in body or b"Code: 396" in body or b"Code: 159" in body, body[-300:]
    assert ask(store, "SELECT 1") == (200, b"1\n")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("max_memory_usage", ("0", "99999999999999", "-1")),
        ("max_execution_time", ("0", "999999", "1e9")),
        ("log_comment", ("''",)),
        ("max_query_size", ("0", "99999999")),
        ("readonly", ("0",)),
    ],
)
def test_limits_cannot_be_lifted_by_a_statement(store: StoreProcess, name: str, values: tuple[str, ...]) -> None:
    """SETTINGS that widen a limit, or lift it with 0, are refused wherever they stand."""
    for value in values:
        for sql in (f"SELECT 1 SETTINGS {name} = {value}", f"SELECT * FROM (SELECT 1 SETTINGS {name} = {value})"):
            status, body = ask(store, sql)
            assert status >= 400, (sql, body)
            assert b"Code: 452" in body or b"Code: 164" in body, body


def test_limits_in_the_url_are_narrowed(store: StoreProcess) -> None:
    """Clients send 0 (no limit) and long times of themselves: they get the longest that a reader may have."""
    for value in ("0", "3600"):
        status, body = ask(store, "SELECT getSetting('max_execution_time')", max_execution_time=value)
        assert (status, body) == (200, b"120\n")
    assert ask(store, "SELECT getSetting('max_execution_time')", max_execution_time="5") == (200, b"5\n")
    assert int(ask(store, "SELECT getSetting('max_memory_usage')", max_memory_usage="0")[1]) > 0


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM system.processes",
        "SELECT count() FROM `system`.`processes`",
        "SELECT 1 IN (SELECT query FROM system.query_cache)",
        "SHOW PROCESSLIST",
        "SELECT * FROM system.user_processes",
        "SELECT * FROM {db:Identifier}.{table:Identifier}",
        "SHOW CREATE TABLE system.processes",
    ],
)
def test_a_reader_does_not_see_what_others_ask(store: StoreProcess, sql: str) -> None:
    """Neither statements nor settings nor ids of others."""
    status, body = ask(store, sql, param_db="system", param_table="processes")
    assert status == 403, body
    assert ask(store, "SELECT count() FROM processes", database="system")[0] == 403


def test_slow_bodies_hold_no_thread(store: StoreProcess) -> None:
    """Requests whose bodies never come wait outside of the pools: others are answered meanwhile."""
    waiting = [started(store, "Content-Length: 1000") for _ in range(200)]
    try:
        assert ask(store, "SELECT 1") == (200, b"1\n")
        assert ask(store, "SELECT 1", write=True) == (200, b"1\n")
    finally:
        for connection in waiting:
            connection.close()


def test_an_answer_that_nobody_takes_keeps_its_place(store: StoreProcess) -> None:
    """Readers that ask for a hundred megabytes and take nothing hold as much memory as there are places, not more."""
    sql = b"SELECT repeat('x', 1000000) FROM numbers(100) FORMAT JSON"
    places = max(4, os.cpu_count() or 1)
    before = resident_mib(store)
    waiting = []
    try:
        for _ in range(3 * places):
            connection = started(store, f"Content-Length: {len(sql)}")
            waiting.append(connection)
            connection.sendall(sql)
        until(lambda: gauge(store, "readers") >= 3 * places)
        largest = 0
        for _ in range(20):
            largest = max(largest, resident_mib(store) - before)
            assert gauge(store, "readers") == 3 * places, "one went on without being taken"
            assert ask(store, "SELECT 1", write=True) == (200, b"1\n")
        assert largest < places * 500
    finally:
        for connection in waiting:
            connection.close()
    until(lambda: gauge(store, "readers") == 0)


def resident_mib(store: StoreProcess) -> int:
    return int(Path(f"/proc/{store.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // MIB


def gauge(store: StoreProcess, pool: str) -> float:
    with urlopen(f"{store.url}/metrics") as response:
        return float(response.read().decode().split(f'{{lane="{pool}"}} ')[1].split("\n")[0])


def test_a_form_of_many_parts_does_not_hold_up_the_loop(store: StoreProcess) -> None:
    """Parts cost more than their bytes; a form has few of them, and their names count as its bytes do."""
    for names, status in (([b"p%d" % n for n in range(60_000)], b" 400 "), ([b"p" * 8000] * 900, b" 413 ")):
        parts = b"".join(b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n\r\n' % name for name in names)
        head = "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked"
        with started(store, head) as connection:
            connection.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(parts), parts))
            began = time.monotonic()
            assert ask(store, "SELECT 1", write=True) == (200, b"1\n")
            assert time.monotonic() - began < 2
            assert status in connection.recv(4096)


def test_a_reader_cannot_fill_the_disk(store: StoreProcess) -> None:
    """What does not fit into memory goes to disk while it is grouped, up to a bound."""
    setting = "max_temporary_data_on_disk_size_for_query"
    assert ask(store, "SELECT 1", max_temporary_data_on_disk_size_for_query="0")[0] == 500
    sql = f"SELECT rand64() AS r, any(randomString(1000)) FROM numbers(1000000000) GROUP BY r SETTINGS {setting} = 0"
    assert b"may be set" in ask(store, sql)[1]
    assert ask(store, f"SELECT getSetting('{setting}')") == (200, b"1073741824\n")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 40 + "x" + " BETWEEN 1 AND 2)" * 40,
        "x" + " BETWEEN 1 AND 2" * 40,
        "x" + " between 1 + and + 1 AND 2" * 40,
        "x" + " BETWEEN CASE WHEN 1 AND 2 THEN 3 END + 1 AND 4" * 40,
        "(" * 40 + "x + `)`" + " /* ) */ BETWEEN ')' AND 2)" * 40,
    ],
)
def test_a_statement_that_doubles_with_each_level_is_refused(store: StoreProcess, text: str) -> None:
    """Six hundred bytes would be written down as terabytes."""
    began = time.monotonic()
    status, body = ask(store, f"SELECT {text}")
    assert (status, b"TOO_BIG_AST" in body) == (500, True), body
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "call",
    [
        "formatQuery(concat('SELECT x', repeat(' BETWEEN 1 AND 2', 40)))",
        "parseQueryToJSON(concat('SELECT x', repeat(' BETWEEN 1 AND 2', 40)))",
        "arrayLevenshteinDistance(range(10000000), range(10000000))",
        "seriesDecomposeSTL(range(2000000)::Array(Float64), 1000)",
    ],
)
def test_a_call_that_no_limit_ends_is_refused(store: StoreProcess, call: str) -> None:
    """Within one call the engine looks at neither time nor memory, and cannot be asked to stop."""
    status, body = ask(store, f"SELECT {call}", max_execution_time="1", timeout=20)
    assert (status, b"is not allowed" in body) == (500, True), body


def test_what_is_no_http_does_not_fill_the_log(store: StoreProcess) -> None:
    """It is answered with 400, and no traceback is kept of it."""
    before = store.log.stat().st_size
    for head in ("Content-Length: -3", "Content-Length: 3\r\nTransfer-Encoding: chunked", "A\0: b", "nonsense") * 5:
        with started(store, head) as connection:
            assert " 400 " in status_of(connection)
    assert ask(store, "SELECT 1") == (200, b"1\n")
    assert store.log.stat().st_size == before


def test_many_ranges_side_by_side_are_no_such_statement(store: StoreProcess) -> None:
    """What people write with BETWEEN grows by a little."""
    ranges = " OR ".join(f"number BETWEEN {n} AND {n}" for n in range(300))
    cases = " ".join(f"WHEN number BETWEEN {n} AND {n} THEN '{n}'" for n in range(300))
    assert ask(store, f"SELECT count() FROM numbers(1000) WHERE {ranges}") == (200, b"300\n")
    assert ask(store, f"SELECT uniq(CASE {cases} ELSE '' END) FROM numbers(1000)") == (200, b"301\n")


def test_many_threads_ask_at_once(store: StoreProcess) -> None:
    """The reading of statements is shared by threads, and each gets the answer to its own question."""
    wrong: list[object] = []

    def answered(number: int) -> bool:
        return ask(store, f"SELECT {number} AS n", write=number % 2 == 0) == (200, f"{number}\n".encode())

    def many(first: int) -> None:
        wrong.extend(number for number in range(first, first + 40) if not answered(number))

    threads = [threading.Thread(target=many, args=(first * 1000,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
