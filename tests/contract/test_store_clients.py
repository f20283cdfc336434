"""Clients that people use connect to the embedded store with their defaults: look around, ask, page, fail, insert.

Both users are tried: `default`, who has no password and reads, and `spendstream`, who writes.
"""

import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from tests.client_programs import answers
from tests.store_server import StoreProcess

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("store-clients"), pytest.mark.timeout(900)]

TEXT: Final = 'it\'s \\ a "q"\n\tü😀 \u2018x\u2019 ?; DROP TABLE samples -- {x:Int8} /* $1 %s'
VALUES: Final[Mapping[str, Any]] = {
    "text": TEXT,
    "number": "9007199254740993",  # more than a double holds
    "cost": "12345678901234567890.123456789012",
    "day": "2026-11-20",
    "at": "2026-11-20 12:00:00.123456",
    "tags": [TEXT, "plain"],
    "note": None,
}
COLUMNS: Final = [
    ["id", "UInt64"],
    ["text", "String"],
    ["number", "Int64"],
    ["cost", "Decimal(38, 12)"],
    ["day", "Date"],
    ["at", "DateTime64(6, 'UTC')"],
    ["tags", "Array(String)"],
    ["note", "Nullable(String)"],
]
BROKEN: Final = "SELECT number, throwIf(number = 900000, 'too far') FROM numbers(1000000) SETTINGS max_threads = 1"
GIVEN: Final = (
    "{text:String}, {number:Int64}, {cost:Decimal(38, 12)}, {day:Date}, {at:DateTime64(6, 'UTC')}, "
    "{tags:Array(String)}, {note:Nullable(String)}"
)
PAGE: Final = {"count": 300_000, "sum": "44999850000"}
ROW: Final = [
    TEXT,
    int(VALUES["number"]),
    Decimal(VALUES["cost"]),
    date(2026, 11, 20),
    datetime(2026, 11, 20, 12, 0, 0, 123456),  # noqa: DTZ001 - clickhouse-connect gives UTC so
    VALUES["tags"],
    None,
]
READ, WRITE = "default", "spendstream"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    """Migrated, with one row in a table of its own."""
    store = StoreProcess.made(tmp_path_factory.mktemp("store") / "store")
    with store.connect() as client:
        columns = ", ".join(" ".join(column) for column in COLUMNS)
        client.command(f"CREATE TABLE samples ({columns}) ENGINE = MergeTree ORDER BY id")
        client.command(f"INSERT INTO samples SELECT 1, {GIVEN}", dict(VALUES))
    yield store
    store.kill()


@pytest.fixture
def writer(store: StoreProcess) -> Iterator[Client]:
    with store.connect() as client:
        yield client


def rows_inserted(writer: Client, number: int) -> list[list[Any]]:
    found = writer.query("SELECT * EXCEPT id FROM samples WHERE id = {id:UInt64}", {"id": number})
    return [list(row) for row in found.result_rows]


def run(language: str, store: StoreProcess, user: str) -> dict[str, Any]:
    """The program's answers, with what all programs have in common compared already and taken away."""
    got = answers(
        language,
        STORE_HOST="127.0.0.1",
        STORE_PORT=str(store.port),
        STORE_USER=user,
        STORE_PASSWORD=store.settings.secret() if user == WRITE else "",
        **{f"SAMPLE_{name.upper()}": value for name, value in VALUES.items() if isinstance(value, str)},
    )
    assert got.pop("version").split(".")[0].isdigit()
    assert {"spendstream", "system"} <= set(got.pop("databases"))
    assert {"ledger", "cost_1h", "cost_by_team", "samples"} <= set(got.pop("tables"))
    assert got.pop("columns") == COLUMNS
    assert got.pop("parameters") == VALUES
    assert got.pop("row") == VALUES
    assert got.pop("page") == PAGE
    return got


@pytest.mark.parametrize("user", [READ, WRITE])
def test_clickhouse_go_over_http_as_grafana_uses_it(store: StoreProcess, writer: Client, user: str) -> None:
    """Grafana's plugin stands on it: its handshake, its questions about tables, its macros and filters."""
    got = run("go", store, user)
    if user == READ:
        assert got.pop("refused") == {"type": "*proto.Exception", "code": 164}
    else:
        assert rows_inserted(writer, 2) == [ROW]
    assert got == {
        "error": {"type": "*proto.Exception", "code": 60},
        "broken": {"type": "*proto.Exception", "code": 395},
        "functions": True,
        "filtered": ["0"],
        "interval": ["2026-11-20 12:00:00"],
        "distinct": [TEXT],
    }


@pytest.mark.parametrize("user", [READ, WRITE])
def test_the_jdbc_driver_as_dbeaver_and_metabase_use_it(store: StoreProcess, writer: Client, user: str) -> None:
    """DatabaseMetaData, prepared statements, ClickHouse's own framing of answers, and their own questions."""
    got = run("java", store, user)
    if user == READ:
        assert got.pop("refused") == {"type": "java.sql.SQLException", "code": 164}
    else:
        assert rows_inserted(writer, 4) == [ROW]
    dbeaver, metabase = got.pop("dbeaver"), got.pop("metabase")
    assert got == {
        "error": {"type": "java.sql.SQLException", "code": 60},
        "broken": {"type": "java.sql.SQLException", "code": 395},
        "types": True,
        "functions": True,
        "kinds": True,
        "keys": ["id"],
    }
    assert {"spendstream", "system"} <= set(dbeaver.pop("databases"))
    version = dbeaver.pop("version")
    assert dbeaver == {"engines": True, "table": ["MergeTree"], "ddl": True, "limited": 200}
    assert metabase == {
        "tables": ["samples"],
        "major": [version.split(".")[0]],
        "cloud": ["0"],
        "zone": ["Europe/Berlin"],
        "described": 2,
        "count": ["1"],
    }


@pytest.mark.parametrize("user", [READ, WRITE])
def test_the_client_for_node(store: StoreProcess, writer: Client, user: str) -> None:
    """@clickhouse/client: parameters in the URL, streams of JSON, gzip both ways."""
    got = run("node", store, user)
    if user == READ:
        assert got.pop("refused") == {"type": "ClickHouseError", "code": 164}
    else:
        assert rows_inserted(writer, 3) == [ROW]
    assert got == {
        "error": {"type": "ClickHouseError", "code": 60},
        "broken": {"type": "ClickHouseError", "code": 395},
        "json": [{"seven": 7}],
    }


@pytest.mark.parametrize("user", [READ, WRITE])
def test_clickhouse_connect(store: StoreProcess, writer: Client, user: str) -> None:
    """The client for Python, with nothing set but the address and the user."""
    password = store.settings.secret() if user == WRITE else ""
    with clickhouse_connect.get_client(
        host="127.0.0.1", port=store.port, username=user, password=password, database="spendstream"
    ) as client:
        assert {row[0] for row in client.query("SHOW DATABASES").result_rows} >= {"spendstream", "system"}
        assert {row[0] for row in client.query("SHOW TABLES").result_rows} >= {"ledger", "samples"}
        described = client.query("DESCRIBE TABLE samples").result_rows
        assert [[row[0], row[1]] for row in described] == COLUMNS
        parameters = dict(zip(VALUES, ROW, strict=True))
        parameters["at"] = VALUES["at"]  # a datetime is sent in whole seconds
        assert [list(row) for row in client.query(f"SELECT {GIVEN}", parameters).result_rows] == [ROW]
        assert client.query("SELECT count() FROM samples WHERE text = %(text)s", {"text": TEXT}).result_rows[0][0] >= 1
        with client.query_row_block_stream("SELECT number FROM numbers(300000)") as blocks:
            numbers = [row[0] for block in blocks for row in block]
        assert {"count": len(numbers), "sum": str(sum(numbers))} == PAGE
        with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
            client.query("SELECT * FROM nothing_here")
        with pytest.raises(StreamFailureError, match="too far"):
            assert client.query(BROKEN).result_rows
        row = [5, *(value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in ROW)]
        if user == READ:
            with pytest.raises(DatabaseError, match="READONLY"):
                client.insert("samples", [row])
        else:
            client.insert("samples", [row])
            assert rows_inserted(writer, 5) == [ROW]


@pytest.mark.parametrize("user", [READ, WRITE])
def test_curl(store: StoreProcess, writer: Client, user: str) -> None:
    """By hand: the query in the URL or the body, parameters, a format, an error with its status, an insert."""
    login = ["--user", f"spendstream:{store.settings.secret()}"] if user == WRITE else []

    def curl(*arguments: str) -> str:
        command = ["curl", "--silent", "--show-error", *login, "--write-out", "%{http_code}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    assert curl("--get", "--data-urlencode", "query=SELECT 1", store.url) == "1\n200"
    assert "samples\n" in curl(store.url, "--data-binary", "SHOW TABLES")
    url = f"{store.url}/?default_format=JSONEachRow&param_text=it%27s%5Cnhere&param_tags=%5B%27a%27%5D"
    found = curl(url, "--data-binary", "SELECT {text:String} AS text, {tags:Array(String)} AS tags")
    assert found == '{"text":"it\'s\\nhere","tags":["a"]}\n200'
    assert curl(store.url, "--compressed", "--data-binary", "SELECT sum(number) FROM numbers(300000)") == (
        f"{PAGE['sum']}\n200"
    )
    error = curl(store.url, "--data-binary", "SELECT * FROM nothing_here")
    assert error.startswith("Code: 60. DB::Exception: ")
    assert error.endswith("(UNKNOWN_TABLE)\n404")
    insert = f"{store.url}/?query=INSERT%20INTO%20samples%20(id)%20FORMAT%20CSV"
    inserted = curl(insert, "--data-binary", "6\n")
    assert inserted.endswith("403" if user == READ else "200")
    assert len(rows_inserted(writer, 6)) == (0 if user == READ else 1)
