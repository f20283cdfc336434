"""What clients of ClickHouse's HTTP interface rely on, asked of the embedded store by the real clients."""

import gzip
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import clickhouse_connect
import lz4.frame
import pandas as pd
import pyarrow as pa
import pytest
from backports import zstd
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import StreamFailureError

from stream_jobs.runtime.browsers import ANSWER_HEADERS
from tests.store_server import StoreProcess

pytestmark = pytest.mark.xdist_group("test_store_http")  # one store for all


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    store = StoreProcess(tmp_path_factory.mktemp("store") / "store").wait_ready()
    with store.connect() as client:
        client.command(
            "CREATE TABLE numbers (n Int64, text String, cost Decimal(38, 12)) ENGINE = MergeTree ORDER BY n"
        )
    yield store
    store.kill()


@pytest.fixture
def writer(store: StoreProcess) -> Iterator[Client]:
    """The user who may write, on an empty table `numbers`."""
    with store.connect() as client:
        client.command("TRUNCATE TABLE numbers")
        yield client


@pytest.fixture
def reader(store: StoreProcess) -> Iterator[Client]:
    with clickhouse_connect.get_client(port=store.port, host="127.0.0.1", database="spendstream") as client:
        yield client


def ask(
    store: StoreProcess,
    body: bytes | None = None,
    *,
    headers: dict[str, str] | None = None,
    write: bool = False,
    method: str | None = None,
    query_args: dict[str, str] | None = None,
    **query: str,
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one plain request."""
    auth = {"X-ClickHouse-User": "spendstream", "X-ClickHouse-Key": store.settings.secret()} if write else {}
    request = Request(
        f"{store.url}/?{urlencode(query | (query_args or {}))}",
        data=body,
        headers=auth | (headers or {}),
        method=method,
    )
    try:
        with urlopen(request, timeout=60) as response:
            return response.status, dict(response.headers), response.read()
    except HTTPError as error:
        return error.code, dict(error.headers), error.read()


def test_ping_health_and_metrics(store: StoreProcess) -> None:
    """What load balancers and Prometheus ask for."""
    for path in ("ping", "replicas_status", "healthz", "readyz"):
        assert urlopen(f"{store.url}/{path}").read() == b"Ok.\n"
    ask(store, query="SELECT 1")
    metrics = urlopen(f"{store.url}/metrics").read().decode()
    assert 'spendstream_store_statements_total{code="0",kind="query"}' in metrics


def test_get_post_and_split_queries_give_the_same(store: StoreProcess) -> None:
    """The query may be in the URL, in the body, or begin in one and go on in the other."""
    assert ask(store, query="SELECT 1 + 1")[2] == b"2\n"
    assert ask(store, b"SELECT 1 + 1")[2] == b"2\n"
    assert ask(store, b"1 + 1", query="SELECT")[2] == b"2\n"
    assert ask(store, b"  /* c */ SELECT 1 + 1 -- end\n;\n")[2] == b"2\n"


@pytest.mark.parametrize(
    "options",
    [{"sql": " FORMAT JSONEachRow"}, {"default_format": "JSONEachRow"}, {"header": "JSONEachRow"}],
    ids=["clause", "parameter", "header"],
)
def test_the_format_comes_from_clause_parameter_or_header(store: StoreProcess, options: dict[str, str]) -> None:
    """All three ways of ClickHouse to choose an output format."""
    headers = {"X-ClickHouse-Format": options["header"]} if "header" in options else {}
    query = {"default_format": options["default_format"]} if "default_format" in options else {}
    _, got, body = ask(store, f"SELECT 7 AS a{options.get('sql', '')}".encode(), headers=headers, query_args=query)
    assert json.loads(body) == {"a": 7}
    assert got["X-ClickHouse-Format"] == "JSONEachRow"
    assert got["Content-Type"].startswith("application/x-ndjson")


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELEC 1", 400, 62),
        ("SELECT 1 +", 400, 62),
        ("SELECT nothing_like_it()", 404, 46),
        ("SELECT no_such_column FROM system.one", 404, 47),
        ("SELECT * FROM no_such_table", 404, 60),
        ("SELECT throwIf(1)", 500, 395),
        ("SELECT 1; SELECT 2", 400, 62),
        ("", 400, 62),
        ("SELECT 'open", 400, 62),
        ("SELECT 1 FORMAT NoSuchFormat", 404, 73),
    ],
)
def test_errors_look_like_clickhouse(store: StoreProcess, sql: str, status: int, code: int) -> None:
    """Status, X-ClickHouse-Exception-Code and a text that begins with Code: N. DB::Exception."""
    got_status, headers, body = ask(store, sql.encode(), method="POST")
    assert (got_status, headers.get("X-ClickHouse-Exception-Code")) == (status, str(code))
    assert body.startswith(f"Code: {code}. DB::Exception: ".encode())


def test_settings_and_the_database_travel_in_the_url(store: StoreProcess) -> None:
    """Settings hold for one statement only; unknown ones are an error."""
    assert ask(store, query="SELECT getSetting('max_threads')", max_threads="1")[2] == b"1\n"
    assert ask(store, query="SELECT getSetting('max_threads')")[2] != b"1\n"
    assert ask(store, query="SELECT currentDatabase()", database="system")[2] == b"system\n"
    assert ask(store, query="SELECT 1", database="nowhere")[1]["X-ClickHouse-Exception-Code"] == "81"
    assert ask(store, query="SELECT 1", no_such_setting="1")[1]["X-ClickHouse-Exception-Code"] == "115"
    assert ask(store, query="SELECT 1", session_id="x", query_id="q7")[1]["X-ClickHouse-Query-Id"] == "q7"


def test_typed_parameters(store: StoreProcess, reader: Client) -> None:
    """{name:Type} placeholders are filled from param_name, whatever the value holds."""
    nasty = 'it\'s \\ a "test"\n\t`; DROP TABLE numbers; --'
    got = reader.query(
        "SELECT {text:String}, {n:UInt8}, {list:Array(String)}", {"text": nasty, "n": 7, "list": ["a", nasty]}
    )
    assert got.result_rows == [(nasty, 7, ["a", nasty])]
    assert ask(store, query="SELECT {a:Decimal(38, 12)} + 1", param_a="0.1")[2] == b"1.1\n"
    assert ask(store, query="SELECT {missing:String}")[0] == 400


def test_queries_of_clickhouse_connect(reader: Client) -> None:
    """Rows, data frames, Arrow, streams and commands of the library that everything in here uses."""
    assert reader.query("SELECT number, toString(number) FROM numbers(3)").result_rows == [(0, "0"), (1, "1"), (2, "2")]
    assert reader.query_df("SELECT number AS n FROM numbers(3)")["n"].tolist() == [0, 1, 2]
    assert reader.query_arrow("SELECT number AS n FROM numbers(3)").column("n").to_pylist() == [0, 1, 2]
    assert reader.command("SELECT count() FROM numbers(5)") == 5
    assert reader.query("SELECT 1 AS a WHERE 0").result_rows == []
    assert reader.query("SELECT * FROM numbers LIMIT 0").column_names == ("n", "text", "cost")
    assert reader.raw_query("SELECT 1", fmt="JSONEachRow") == b'{"1":1}\n'
    with reader.query_rows_stream("SELECT number FROM numbers(300000)") as rows:
        assert sum(row[0] for row in rows) == 299999 * 150000
    with reader.query_arrow_stream("SELECT number FROM numbers(300000)") as batches:
        assert sum(batch.num_rows for batch in batches) == 300000
    assert reader.ping()


def test_inserts_of_clickhouse_connect(writer: Client) -> None:
    """Rows, data frames and Arrow tables, exact to the last digit."""
    exact = Decimal("12345678901234567890.123456789012")
    writer.insert("numbers", [[1, "x", exact]], column_names=["n", "text", "cost"])
    writer.insert_df("numbers", pd.DataFrame({"n": [2], "text": ["é"], "cost": [exact]}))
    arrow = pa.table({"n": [3], "text": ["\0'"], "cost": pa.array([exact], pa.decimal128(38, 12))})
    assert writer.insert_arrow("numbers", arrow).written_rows == 1
    writer.command("INSERT INTO numbers VALUES (4, 'it''s; FORMAT', 1), (5, '', 2)")
    rows = writer.query("SELECT * FROM numbers ORDER BY n").result_rows
    assert rows[:3] == [(1, "x", exact), (2, "é", exact), (3, "\0'", exact)]
    assert [row[:2] for row in rows[3:]] == [(4, "it's; FORMAT"), (5, "")]


@pytest.mark.parametrize(
    ("data_format", "data"),
    [
        ("JSONEachRow", b'{"n":1,"text":"a","cost":"0.1"}\n{"n":2}'),
        ("TabSeparated", b"1\ta\t0.1\n2\t\t0\n"),
        ("CSV", b'1,"a",0.1\n2,"",0\n'),
        ("Values", b"(1,'a',0.1),(2,'',0)"),
    ],
)
def test_inserts_with_rows_in_the_body(store: StoreProcess, writer: Client, data_format: str, data: bytes) -> None:
    """The statement in the URL and the rows in the body, or both in the body."""
    statement = f"INSERT INTO numbers FORMAT {data_format}"
    assert ask(store, data, write=True, query=statement)[0] == 200
    assert ask(store, statement.encode() + b"\n" + data, write=True)[0] == 200
    assert writer.query("SELECT n, text, count() FROM numbers GROUP BY ALL ORDER BY n").result_rows == [
        (1, "a", 2),
        (2, "", 2),
    ]


def test_an_insert_that_fails_after_its_rows_were_read_is_an_error(store: StoreProcess, writer: Client) -> None:
    """A constraint and a view fail when the rows are written: the client must hear of it, or it would lose them."""
    writer.command("CREATE TABLE small (n Int64, CONSTRAINT is_small CHECK n < 10) ENGINE = MergeTree ORDER BY n")
    writer.command("CREATE TABLE seen (n Int64) ENGINE = MergeTree ORDER BY n")
    writer.command("CREATE MATERIALIZED VIEW picky TO seen AS SELECT n + throwIf(n = 5) AS n FROM small")
    try:
        status, _, body = ask(store, b"3\n30\n", query="INSERT INTO small FORMAT CSV", write=True)
        assert (status, b"Code: 469" in body, b"is_small" in body) == (500, True, True)
        status, _, body = ask(store, b"5\n", query="INSERT INTO small SETTINGS max_threads = 1 FORMAT CSV", write=True)
        assert (status, b"Code: 395" in body) == (500, True)
        assert ask(store, b"4\n", query="INSERT INTO small SETTINGS max_threads = 1 FORMAT CSV", write=True)[0] == 200
        assert writer.command("SELECT groupArray(n) FROM seen") == "[4]"
        assert writer.command("SELECT countIf(n = 30) FROM small") == 0
    finally:
        for statement in ("DROP VIEW picky", "DROP TABLE seen", "DROP TABLE small"):
            writer.command(statement)


def test_compressed_bodies_and_answers(store: StoreProcess, writer: Client) -> None:
    """gzip, lz4 and zstd in both directions; what is cut off or explodes is refused."""
    rows = b"".join(b"%d\tx\t0\n" % n for n in range(1000))
    encode = {"gzip": gzip.compress, "lz4": lz4.frame.compress, "zstd": zstd.compress}
    decode = {"gzip": gzip.decompress, "lz4": lz4.frame.decompress, "zstd": zstd.decompress}
    for name, compress in encode.items():
        headers = {"Content-Encoding": name}
        insert = "INSERT INTO numbers FORMAT TSV"
        assert ask(store, compress(rows), headers=headers, write=True, query=insert)[0] == 200
        status, _, body = ask(store, compress(rows)[:-5], headers=headers, write=True, query=insert)
        assert (status, body[:10]) == (500, b"Code: 354.")
        for sql in ("SELECT number FROM numbers(100000)", "SELECT number FROM numbers(10) FORMAT JSON"):
            plain = ask(store, sql.encode())[2]
            _, got, body = ask(store, sql.encode(), headers={"Accept-Encoding": name}, enable_http_compression="1")
            assert got["Content-Encoding"] == name
            expected, actual = (decode[name](body), plain)
            if "JSON" in sql:
                assert json.loads(expected)["data"] == json.loads(actual)["data"]
            else:
                assert expected == actual
    assert "Content-Encoding" not in ask(store, b"SELECT 1", headers={"Accept-Encoding": "gzip"})[1]
    assert writer.command("SELECT count() FROM numbers") == 3000


def test_an_error_in_the_middle_of_a_stream_reaches_the_client(reader: Client) -> None:
    """After the status is sent, the client still learns that the answer is incomplete, and why."""
    sql = "SELECT number, throwIf(number = 900000, 'too far') FROM numbers(1000000) SETTINGS max_threads = 1"
    with pytest.raises(StreamFailureError, match="too far"):
        assert reader.query(sql).result_rows
    assert reader.command("SELECT 1") == 1


def test_the_reader_may_not_write(reader: Client, store: StoreProcess, writer: Client) -> None:
    """The user without a password reads; a GET never writes, whoever sends it."""
    for sql in (
        "INSERT INTO numbers VALUES (1, '', 0)",
        "CREATE TABLE t (a Int8) ENGINE = Memory",
        "CREATE TEMPORARY TABLE t (a Int8)",
        "DROP TABLE numbers",
        "ALTER TABLE numbers DELETE WHERE 1",
        "TRUNCATE TABLE numbers",
        "KILL QUERY WHERE 1",
        "SYSTEM FLUSH LOGS",
    ):
        status, headers, _ = ask(store, sql.encode())
        assert (status, headers["X-ClickHouse-Exception-Code"]) == (403, "164"), sql
    assert ask(store, b"( INSERT INTO numbers VALUES (1, '', 0))")[0] == 400
    assert ask(store, b"SET readonly = 0")[1]["X-ClickHouse-Exception-Code"] == "164"
    assert ask(store, b"SELECT 1 SETTINGS readonly = 0")[1]["X-ClickHouse-Exception-Code"] == "164"
    assert ask(store, b"WITH 1 AS a INSERT INTO numbers SELECT a, '', 0")[0] in (400, 403)
    status, headers, _ = ask(store, write=True, query="INSERT INTO numbers VALUES (1, '', 0)")
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (403, "164")
    assert writer.command("SELECT count() FROM numbers") == 0


REFUSALS = (
    b"UNKNOWN_FUNCTION",
    b"ACCESS_DENIED",
    b"SUPPORT_IS_DISABLED",
    b"READONLY",
    b"SYNTAX_ERROR",
    b"UNKNOWN_TABLE",
)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT file('/etc/passwd')",
        "SELECT `file`('/etc/passwd')",
        "SELECT \"fi\\le\"('/etc/passwd')",
        "SELECT '/etc/passwd' APPLY file",
        "SELECT * FROM `/etc/passwd`",
        "SELECT * FROM default.`/etc/passwd`",
        "SELECT 1 INTO OUTFILE '/tmp/spendstream-outfile'",
        "SELECT 1 INTO /* c */ OUTFILE '/tmp/spendstream-outfile'",
        "SELECT * FROM url('http://127.0.0.1:1/x', 'CSV', 'a String')",
        "SELECT * FROM s3('http://127.0.0.1:1/bucket/x', 'CSV', 'a String')",
        "SELECT * FROM remote('127.0.0.1', system.one)",
        "SELECT * FROM executable('id', 'CSV', 'a String')",
        "SELECT * FROM Python(os)",
        "SELECT * FROM sqlite('/etc/passwd', 't')",
        "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
        "SELECT 1 IN (SELECT * FROM file('/etc/passwd', 'LineAsString'))",
        "DESCRIBE file('/etc/passwd')",
        "DESCRIBE TABLE url('http://127.0.0.1:1/')",
        "INSERT INTO numbers FROM INFILE '/etc/passwd' FORMAT TSV",
        "INSERT INTO FUNCTION file('/tmp/spendstream-outfile', 'CSV') SELECT 1",
        "CREATE TABLE leak (a String) ENGINE = File('CSV', '/etc/passwd')",
        "CREATE TABLE leak (a String) ENGINE = URL('http://127.0.0.1:1/', 'CSV')",
        "CREATE USER intruder",
        "CREATE FUNCTION leak AS (a) -> file(a)",
        "BACKUP TABLE numbers TO File('/tmp/spendstream-backup')",
    ],
)
def test_no_statement_reaches_this_machine(store: StoreProcess, sql: str) -> None:
    """Neither user reads or writes files, URLs or other servers through the engine."""
    for write in (False, True):
        status, _, body = ask(store, sql.encode(), write=write)
        assert status >= 400
        assert b"root:" not in body
        assert any(word in body for word in REFUSALS), body
    assert not Path("/tmp/spendstream-outfile").exists()
    assert not Path("/tmp/spendstream-backup").exists()


def test_wrong_passwords_and_unknown_users_are_refused(store: StoreProcess) -> None:
    """As ClickHouse does: 403 and code 516."""
    for name, key in (("spendstream", "wrong"), ("spendstream", ""), ("default", "x"), ("admin", "")):
        headers = {"X-ClickHouse-User": name, "X-ClickHouse-Key": key}
        assert ask(store, b"SELECT 1", headers=headers)[1]["X-ClickHouse-Exception-Code"] == "516"
    assert ask(store, query="SELECT 1", user="spendstream", password=store.settings.secret())[2] == b"1\n"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "0.0.0.0:8123"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:3000"},  # another program's page on this machine is no friend either
        {"Origin": "null"},
        {"Referer": "http://evil.example/"},
        {"Sec-Fetch-Site": "cross-site"},  # <script>, <img>: no Origin
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:60.0) Gecko/20100101 Firefox/60.0"},
    ],
)
def test_browsers_from_elsewhere_are_refused(store: StoreProcess, writer: Client, headers: dict[str, str]) -> None:
    """Whatever page asks, on every path, as either user: it reads nothing, writes nothing, and isn't even counted."""
    before = _ask_path(store, "/metrics", {})[2]
    for path in ("/ping", "/replicas_status", "/healthz", "/readyz", "/metrics", "/nothing"):
        status, answered, body = _ask_path(store, path, headers)
        assert (status, body.count(b"\n")) == (403, 1)
        assert answered.items() >= ANSWER_HEADERS.items()
    for write in (False, True):
        assert ask(store, b"SELECT 42", write=write, headers=headers)[0] == 403
        assert ask(store, query="SELECT 42", write=write, headers=headers)[0] == 403
        assert ask(store, b"INSERT INTO numbers VALUES (1, '', 1)", write=write, headers=headers)[0] == 403
        assert ask(store, b"", method="OPTIONS", write=write, headers=headers)[0] == 403
    assert _ask_path(store, "/metrics", {})[2] == before
    assert writer.query("SELECT count() FROM numbers").result_rows == [(0,)]


def test_a_person_who_types_the_address_reads_and_writes_nothing(store: StoreProcess, writer: Client) -> None:
    """A browser's own navigation is answered; user and password may stand in the address, and still GET only reads."""
    typed = {
        "Sec-Fetch-Site": "none",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0.0.0",
        "Host": f"localhost:{store.port}",
    }
    user = {"user": "spendstream", "password": store.settings.secret()}
    status, answered, body = ask(store, headers=typed, query="SELECT 42")
    assert (status, body) == (200, b"42\n")
    assert answered.items() >= ANSWER_HEADERS.items()
    assert ask(store, headers=typed, query_args=user | {"query": "SELECT 43"})[2] == b"43\n"
    for statement in ("INSERT INTO numbers VALUES (1, '', 1)", "TRUNCATE TABLE numbers", "DROP TABLE numbers"):
        assert ask(store, headers=typed, query_args=user | {"query": statement})[0] >= 400
    assert ask(store, b"SELECT 42", headers=typed)[0] == 403  # nobody types a POST
    assert writer.query("SELECT count() FROM numbers").result_rows == [(0,)]


def _ask_path(store: StoreProcess, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    try:
        with urlopen(Request(f"{store.url}{path}", headers=headers), timeout=60) as response:
            return response.status, dict(response.headers), response.read()
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


@pytest.mark.slow
def test_inserts_are_quick_while_slow_queries_run(store: StoreProcess, writer: Client) -> None:
    """Queries have threads of their own: with eight slow ones running, 1,000 rows still go in quickly."""
    slow = "SELECT sum(sleepEachRow(0.5)) FROM numbers(1000) SETTINGS max_block_size = 1, max_threads = 1"
    stop = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(ask, store, slow.encode(), max_execution_time="6") for _ in range(8)]
        began = time.monotonic()
        while _inside(store) < 8:
            assert time.monotonic() - began < 20
            stop.wait(0.05)
        rows = pa.table(
            {"n": range(1000), "text": ["x"] * 1000, "cost": pa.array([Decimal(1)] * 1000, pa.decimal128(38, 12))}
        )
        latencies = []
        for number in range(20):
            began = time.monotonic()
            writer.insert_arrow("numbers", rows, settings={"insert_deduplication_token": f"n{number}"})
            latencies.append(time.monotonic() - began)
        still_running = sum(not future.done() for future in futures)
        results = [future.result() for future in futures]
    assert still_running == 8, "the slow queries ended before the inserts: the test proves nothing"
    assert sorted(latencies)[10] < 0.5
    assert {status for status, _, _ in results} == {408}, "each slow query runs into its own time limit"
    assert writer.command("SELECT count() FROM numbers") == 20_000


def _inside(store: StoreProcess) -> float:
    for line in urlopen(f"{store.url}/metrics").read().decode().splitlines():
        if line.startswith('spendstream_store_statements_inside{lane="readers"}'):
            return float(line.split()[-1])
    return 0


def test_a_client_that_goes_away_ends_its_query(store: StoreProcess) -> None:
    """An abandoned query is killed; it does not hold a thread until its time limit."""
    sql = "SELECT sum(sleepEachRow(0.5)) FROM numbers(1000) SETTINGS max_block_size = 1, max_threads = 1"
    curl = subprocess.Popen(["curl", "-sS", store.url, "--data-binary", sql], stdout=subprocess.DEVNULL)
    _until(lambda: _running(store) == 1)
    curl.kill()
    curl.wait()
    _until(lambda: _running(store) == 0)


def _running(store: StoreProcess) -> int:
    sql = b"SELECT count() FROM system.processes WHERE query LIKE '%sleepEachRow%' AND query NOT LIKE '%processes%'"
    return int(ask(store, sql, write=True)[2])


def _until(condition: Any) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < 30
        time.sleep(0.05)


def test_curl_asks_and_inserts(store: StoreProcess, writer: Client) -> None:
    """The commands of the README work as they stand."""
    auth = ["-u", f"spendstream:{store.settings.secret()}"]

    def run(*args: str) -> bytes:
        return subprocess.run(["curl", "-sS", *args], check=True, capture_output=True).stdout

    run(*auth, f"{store.url}/?query=INSERT%20INTO%20numbers%20FORMAT%20CSV", "--data-binary", "1,one,0.5\n2,two,0.25\n")
    assert run(store.url, "--data-binary", "SELECT sum(cost) FROM numbers") == b"0.75\n"
    assert run(f"{store.url}/?query=SELECT%20count()%20FROM%20numbers") == b"2\n"


def test_form_encoded_queries(store: StoreProcess) -> None:
    """clickhouse-connect can send queries with large parameters as a form."""
    with clickhouse_connect.get_client(
        port=store.port, host="127.0.0.1", database="spendstream", form_encode_query_params=True
    ) as client:
        ids = [f"id-{n}" for n in range(20_000)]
        assert client.query("SELECT length({ids:Array(String)})", {"ids": ids}).result_rows == [(20_000,)]
