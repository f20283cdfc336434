"""Connections to ClickHouse over HTTP, and what their failures mean to us."""

import logging
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

import clickhouse_connect
import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError, StreamFailureError

from spendstream_schemas.hosts import is_loopback
from stream_jobs.base.errors import ConfigError, SpendstreamError, StoreUnavailableError
from stream_jobs.base.instants import as_utc
from stream_jobs.runtime.logs import warn_once
from stream_jobs.store.settings import ClickHouseSettings

if TYPE_CHECKING:
    import pyarrow as pa

RETRY_CODES: Final = {
    159: "TIMEOUT_EXCEEDED",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",
    252: "TOO_MANY_PARTS",
    319: "UNKNOWN_STATUS_OF_INSERT",
    425: "SYSTEM_ERROR",
    439: "CANNOT_SCHEDULE_TASK",
    999: "KEEPER_EXCEPTION",
}
"""ClickHouse error codes that say nothing about the data: the same statement may work a moment later."""
MAX_IDS_BYTES: Final = 1_000_000
"""Of the ids of one question, as a column. From 1 MiB on ClickHouse does not keep the array as a constant but makes it
anew wherever it is used: 20,000 ids take a tenth of a second, 25,000 took half a minute."""
_ID_OVERHEAD_BYTES: Final = 9  # its end, and where it ends
_IDS: Final = "{ids:Array(String)}"
_MAX_QUERY_BYTES: Final = 8 * MAX_IDS_BYTES  # an id may be named twice, with every character escaped
_LONG_QUERY: Final = {"max_query_size": _MAX_QUERY_BYTES}
_SHORT_QUERY_CHARACTERS: Final = 50_000  # of four bytes at most: within the 256 KiB that a server takes unasked
_FEW_IDS_BYTES: Final = 20_000  # named twice, with every character escaped, they are still a short query
_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})
_UNKNOWN_TABLE: Final = 60
_ACCESS_CODES: Final = frozenset({192, 193, 194, 497, 516})


class StoreQueryError(SpendstreamError):
    """ClickHouse refused a statement; trying again would not help. `code` is ClickHouse's error code."""

    def __init__(self, message: str, code: int | None) -> None:
        super().__init__(message)
        self.code = code

    @property
    def of_unknown_table(self) -> bool:
        """Also where a newer command asks an instance of before."""
        return self.code == _UNKNOWN_TABLE


@contextmanager
def store_errors(address: str) -> Iterator[None]:
    """Turn the client library's errors into ours.

    Raises StoreUnavailableError (nothing wrong with the data: retry), ConfigError (user, password, grants or TLS) or
    StoreQueryError (the statement itself).
    """
    try:
        yield
    except (OperationalError, StreamFailureError, ConnectionError, TimeoutError) as error:
        if (why := _tls_refused(error)) is not None:
            raise ConfigError(f"ClickHouse at {address} cannot be trusted: {why}") from error
        raise StoreUnavailableError(f"ClickHouse at {address} does not answer: {_first_line(error)}") from error
    except DatabaseError as error:
        code = error.code
        if code in RETRY_CODES:
            raise StoreUnavailableError(f"ClickHouse at {address} is not able to right now: {error}") from error
        if code in _ACCESS_CODES:
            raise ConfigError(f"ClickHouse at {address} refuses access: {_first_line(error)}") from error
        raise StoreQueryError(str(error), code) from error
    except ClickHouseError as error:
        raise StoreQueryError(f"ClickHouse at {address}: {error}", None) from error


def _tls_refused(error: BaseException) -> str | None:
    """What is wrong with the server's TLS, if that is what an error comes from: asking again would not help."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        if isinstance(at, ssl.SSLCertVerificationError):
            return (
                f"{at.verify_message or at.reason}. SPENDSTREAM_CLICKHOUSE_CA_FILE names the authorities to trust, and "
                "the host must be a name in the server's certificate"
            )
        if isinstance(at, ssl.SSLError) and at.reason in _NOT_TLS:
            return "it does not speak TLS on this port; use http://, or the port of https"
        nested = next((part for part in at.args if isinstance(part, BaseException)), None)
        at = at.__cause__ or nested or getattr(at, "reason", None) or at.__context__
        if not isinstance(at, BaseException):
            return None
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]


def connect(settings: ClickHouseSettings, *, database: str | None = None) -> Client:
    """A client whose default database is the settings' one (or `database`). Threads may share it.

    Raises as `store_errors` does; StoreQueryError with code 81 when the database does not exist yet.
    """
    warn_once(settings.password_in_the_clear)
    logging.getLogger("clickhouse_connect").setLevel(logging.ERROR)  # what it warns of it raises too, and we say it
    with store_errors(settings.address):
        return clickhouse_connect.get_client(
            host=settings.host,
            port=settings.port,
            secure=settings.secure,
            username=settings.user,
            password=settings.secret(),
            database=database or settings.database,
            connect_timeout=max(1, round(settings.connect_timeout_s)),
            send_receive_timeout=max(1, round(settings.query_timeout_s)),
            ca_cert=str(settings.ca_file) if settings.secure and settings.ca_file else None,
            compress=not is_loopback(settings.host),  # on one machine compression only costs time
            autogenerate_session_id=False,  # a session would refuse two statements at once
            client_name="spendstream",
        )


def _parts(ids: Iterable[str], most_bytes: int = MAX_IDS_BYTES) -> Iterator[list[str]]:
    """Lists of at most so much; one that is longer goes alone."""
    part: list[str] = []
    size = 0
    for text in ids:
        length = (len(text) if text.isascii() else len(text.encode())) + _ID_OVERHEAD_BYTES
        if part and size + length > most_bytes:
            yield part
            part, size = [], 0
        part.append(text)
        size += length
    if part:
        yield part


def _with_ids(sql: str, ids: list[str]) -> str:
    """The query with its ids in it: as one JSON text, which both sides read ten times as fast as a parameter's array,
    and which is not held to the 131,072 bytes that a server allows a parameter."""
    text = msgspec.json.encode(ids).decode().replace("\\", "\\\\").replace("'", "\\'")
    return sql.replace(_IDS, f"(JSONExtract('{text}', 'Array(String)'))")


def _settings_of(sql: str) -> dict[str, int] | None:
    """What a long query needs, which those who may only read cannot set: they ask of few."""
    return _LONG_QUERY if len(sql) > _SHORT_QUERY_CHARACTERS else None


def rows_for_few_ids(
    client: Client, sql: str, ids: Iterable[str], parameters: dict[str, object] | None = None
) -> list[tuple[object, ...]]:
    """`StoreClient.rows_for_ids` for who may only read: in parts that need no setting of their own. Raises as
    `store_errors` does."""
    found: list[tuple[object, ...]] = []
    for part in _parts(ids, _FEW_IDS_BYTES):
        with store_errors(str(client.uri)):
            found += [tuple(row) for row in client.query(_with_ids(sql, part), parameters=parameters).result_rows]
    return found


class StoreClient:
    """A connection that knows its address: `query` and `command` with our errors, and what others need to insert."""

    def __init__(self, settings: ClickHouseSettings) -> None:
        self.settings = settings
        self.client = connect(settings)

    def rows(self, sql: str, parameters: dict[str, object] | None = None) -> list[tuple[object, ...]]:
        """The rows of a query; {name:Type} placeholders are filled from `parameters`."""
        with store_errors(self.settings.address):
            return [tuple(row) for row in self.client.query(sql, parameters=parameters).result_rows]

    def arrow(self, sql: str, parameters: dict[str, object] | None = None) -> "pa.Table":
        """As `rows`, as columns: for a hundred thousand rows and more. No FORMAT in `sql`."""
        from stream_jobs.store.arrow_stream import decoded  # here, as below: Arrow is a third of a command's start

        with store_errors(self.settings.address):
            body = self.client.raw_query(sql, parameters=parameters, fmt="ArrowStream")
        return decoded(body)

    def rows_for_ids(
        self, sql: str, ids: Iterable[str], parameters: dict[str, object] | None = None
    ) -> list[tuple[object, ...]]:
        """`rows` of a query that names {ids:Array(String)}, asked in as many parts as needed.

        The answer to the whole must be the answers to the parts, one after the other.
        """
        found: list[tuple[object, ...]] = []
        for part in _parts(ids):
            with store_errors(self.settings.address):
                text = _with_ids(sql, part)
                answer = self.client.query(text, parameters=parameters, settings=_settings_of(text))
                found += [tuple(row) for row in answer.result_rows]
        return found

    def arrow_for_ids(self, sql: str, ids: Iterable[str], parameters: dict[str, object] | None = None) -> "pa.Table":
        """As `rows_for_ids`, as columns: an empty answer costs next to nothing. At least one id; no FORMAT in `sql`."""
        import pyarrow as pa

        from stream_jobs.store.arrow_stream import decoded

        tables = []
        for part in _parts(ids):
            with store_errors(self.settings.address):
                text = _with_ids(sql, part)
                body = self.client.raw_query(
                    text, parameters=parameters, settings=_settings_of(text), fmt="ArrowStream"
                )
            tables.append(decoded(body))
        return pa.concat_tables(tables)

    def now(self) -> datetime:
        """By the server's clock, which everybody who uses this store shares."""
        return as_utc(cast(datetime, self.rows("SELECT now64(6, 'UTC')")[0][0]))

    def command(self, sql: str) -> None:
        with store_errors(self.settings.address):
            self.client.command(sql)

    def ping(self) -> bool:
        return bool(self.client.ping())

    def close(self) -> None:
        self.client.close()

    def __enter__(self) -> "StoreClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
