"""From an HTTP request to a statement with its settings, as ClickHouse's HTTP interface reads it."""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web

from stream_jobs.store.embedded.access import User
from stream_jobs.store.embedded.compression import decompress, too_large
from stream_jobs.store.embedded.engine import Call
from stream_jobs.store.embedded.engine_config import DATABASE
from stream_jobs.store.embedded.errors import EngineError, refusal
from stream_jobs.store.embedded.native_hello import HELLO
from stream_jobs.store.embedded.statement import KNOWN_VERBS, STREAMED_VERBS, Statement, read_statement

MAX_BODY_BYTES: Final = 512 * 1024 * 1024
DEFAULT_FORMAT: Final = "TabSeparated"
STREAMED_FORMATS: Final = frozenset(
    {"Native", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "RowBinary", "JSONEachRow"}
)
"""Formats whose pieces can simply be joined. All others have a header or footer and are made in one go."""
# What the HTTP interface takes for itself, or what has no meaning in here: never a setting of the engine.
_NOT_SETTINGS: Final = frozenset(
    {
        "query",
        "database",
        "default_format",
        "query_id",
        "user",
        "password",
        "quota_key",
        "role",
        "session_id",  # tolerated: every statement has a session of its own
        "session_timeout",
        "session_check",
        "compress",
        "decompress",
        "buffer_size",
        "wait_end_of_query",
        "stacktrace",
        "client_protocol_version",
        "enable_http_compression",
        "http_zlib_compression_level",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "readonly",
        "log_comment",
        "async_insert",  # every insert is synchronous: the answer means that the rows are in the table
        "wait_for_async_insert",
    }
)
_MAX_MATERIALIZED_BYTES: Final = 1024**3
_MAX_REVISION_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read completely."""

    call: Call
    streamed: bool
    is_insert: bool
    compress_answer: bool
    frame_answer: bool = False  # compress=1: ClickHouse's own framing
    hello_revision: int | None = None  # clickhouse-go's first question, in the Native format of this revision


async def read_body(request: web.Request) -> tuple[bytes, ...]:
    """The plain body in the pieces it came in: joining megabytes costs more than the engine needs to read them.

    Raises EngineError when it is too large, cut off or wrongly compressed.
    """
    pieces: list[bytes] = []
    size = 0
    async for piece, _ in request.content.iter_chunks():
        size += len(piece)
        if size > MAX_BODY_BYTES:
            raise too_large(MAX_BODY_BYTES)
        pieces.append(piece)
    encoding = request.headers.get("Content-Encoding", "")
    return (decompress(b"".join(pieces), encoding, MAX_BODY_BYTES),) if encoding else tuple(pieces)


async def _form(request: web.Request) -> dict[str, str]:
    """Query and parameters sent as a form, which clickhouse-connect does on request."""
    fields: dict[str, str] = {}
    for name, value in (await request.post()).items():
        if not isinstance(value, str):
            raise refusal(48, "NOT_IMPLEMENTED", "External tables are not supported by the embedded store")
        fields[name] = value
    return fields


async def read_request(request: web.Request, user: User) -> Asked:
    """Raises EngineError for what can't be read and for what this user may not do."""
    query: dict[str, str] = dict(request.query)
    body: tuple[bytes, ...] = ()
    if request.content_type == "multipart/form-data":
        form = await _form(request)
        body = (form.pop("query", "").encode(),)
        query |= form
    elif request.body_exists:
        body = await read_body(request)
    if "decompress" in query and query["decompress"] not in ("", "0"):
        raise refusal(48, "NOT_IMPLEMENTED", "decompress=1 (ClickHouse's own framing): use Content-Encoding")
    statement = _statement(query.get("query", "").encode(), body)
    read_only = not user.may_write or request.method == "GET"
    if statement.verb not in KNOWN_VERBS:
        raise refusal(62, "SYNTAX_ERROR", f"Syntax error: failed at position 1 ({statement.verb})")
    if read_only and not statement.reads_only:
        why = "a GET request" if user.may_write else f"the user {user.name!r}"
        raise refusal(
            164, "READONLY", f"{user.name}: Cannot execute {statement.verb} in readonly mode ({why} may read)"
        )
    settings = _settings(query)
    output_format = (
        statement.output_format
        or request.headers.get("X-ClickHouse-Format")
        or query.get("default_format")
        or DEFAULT_FORMAT
    )
    streamed = statement.verb in STREAMED_VERBS and output_format in STREAMED_FORMATS
    if not streamed and statement.reads_only:
        settings.setdefault("max_result_bytes", str(_MAX_MATERIALIZED_BYTES))
    call = Call(
        statement=statement,
        query_id=query.get("query_id") or request.headers.get("X-ClickHouse-Query-Id") or str(uuid.uuid4()),
        output_format=output_format,
        database=query.get("database") or request.headers.get("X-ClickHouse-Database") or DATABASE,
        read_only=read_only,
        settings=settings,
        parameters={name.removeprefix("param_"): value for name, value in query.items() if name.startswith("param_")},
    )
    return Asked(
        call=call,
        streamed=streamed,
        is_insert=statement.verb == "INSERT",
        compress_answer=query.get("enable_http_compression", "0") in ("1", "true"),
        frame_answer=query.get("compress", "0") not in ("", "0"),
        hello_revision=_hello_revision(call, query),
    )


def _hello_revision(call: Call, query: Mapping[str, str]) -> int | None:
    revision = query.get("client_protocol_version", "")
    if call.output_format != "Native" or not revision.isdecimal() or len(revision) > _MAX_REVISION_DIGITS:
        return None
    return int(revision) if call.statement.sql.strip() == HELLO else None


def _statement(sql: bytes, body: tuple[bytes, ...]) -> Statement:
    """The statement that begins in the URL, or in the body, and goes on in the body."""
    if sql and body:
        with suppress(EngineError):  # the body may complete it
            statement = read_statement(sql)
            if statement.data_format is not None and not statement.data:
                return replace(statement, data=body)
        body = (sql, b"\n", *body)
    return read_statement(b"".join(body) if body else sql)


def _settings(query: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in query.items() if name not in _NOT_SETTINGS and not name.startswith("param_")}
