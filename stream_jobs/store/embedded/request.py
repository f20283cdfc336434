"""From an HTTP request to a statement with its settings, as ClickHouse's HTTP interface reads it."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Final

from aiohttp import BodyPartReader, web

from stream_jobs.store.embedded.access import User
from stream_jobs.store.embedded.bodies import Room
from stream_jobs.store.embedded.compression import decompress
from stream_jobs.store.embedded.engine_config import DATABASE
from stream_jobs.store.embedded.errors import refusal
from stream_jobs.store.embedded.reading import Asked
from stream_jobs.store.embedded.rights import Rights
from stream_jobs.store.embedded.setting_rules import Limits

_MAX_REVISION_DIGITS: Final = 9
MAX_READ_STATEMENT_BYTES: Final = 256 * 1024  # of the read user; a server's default
MAX_FORM_PARTS: Final = 1000  # each costs the loop a tenth of a millisecond
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


async def read_request(request: web.Request, user: User, room: Room, limits: Limits, *, timeout_s: float) -> Asked:
    """Raises EngineError for what can't be read, for what is too large, and for a body that takes too long."""
    query: dict[str, str] = dict(request.query)
    body: tuple[bytes, ...] = ()
    try:
        async with asyncio.timeout(timeout_s):
            if request.content_type == "multipart/form-data":
                form = await _form(request, room)
                body = (form.pop("query", "").encode(),)
                query |= form
            elif request.body_exists:
                body = await _body(request, room)
    except TimeoutError:
        raise refusal(209, "SOCKET_TIMEOUT", f"The request was not complete after {timeout_s:.0f} s") from None
    if query.get("decompress", "0") not in ("", "0"):
        raise refusal(48, "NOT_IMPLEMENTED", "decompress=1 (ClickHouse's own framing): use Content-Encoding")
    text = query.get("query", "").encode(errors="surrogateescape")
    if not text and len(body) == 1:
        text, body = body[0], ()
    elif not text:
        text, body = b"".join(body), ()
    if not user.may_write and len(text) + sum(map(len, body)) > MAX_READ_STATEMENT_BYTES:
        raise refusal(
            62,
            "SYNTAX_ERROR",
            f"Max query size exceeded: a statement of the user '{user.name}' may have {MAX_READ_STATEMENT_BYTES} "
            "bytes; long lists go into a parameter",
        )
    return Asked(
        text=text,
        rows=body,
        rights=Rights(
            may_write=user.may_write,
            read_only=not user.may_write or request.method == "GET",
            limits=limits,
            database=query.get("database") or request.headers.get("X-ClickHouse-Database") or DATABASE,
        ),
        query_id=query.get("query_id") or request.headers.get("X-ClickHouse-Query-Id") or str(uuid.uuid4()),
        output_format=request.headers.get("X-ClickHouse-Format") or query.get("default_format") or None,
        settings=_settings(query),
        parameters={name.removeprefix("param_"): value for name, value in query.items() if name.startswith("param_")},
        compress_answer=query.get("enable_http_compression", "0") in ("1", "true"),
        frame_answer=query.get("compress", "0") not in ("", "0"),
        client_revision=_client_revision(query.get("client_protocol_version", "")),
    )


async def _body(request: web.Request, room: Room) -> tuple[bytes, ...]:
    """The plain body in the pieces it came in: joining megabytes costs more than the engine needs to read them."""
    pieces: list[bytes] = []
    size = 0
    async for piece, _ in request.content.iter_chunks():
        size += len(piece)
        room.need(size)
        pieces.append(piece)
    encoding = request.headers.get("Content-Encoding", "")
    if not encoding:
        return tuple(pieces)
    plain = await asyncio.to_thread(lambda: decompress(b"".join(pieces), encoding, room.largest))
    room.need(len(plain))
    return (plain,)


async def _form(request: web.Request, room: Room) -> dict[str, str]:
    """Query and parameters sent as a form, which clickhouse-connect does on request."""
    fields: dict[str, str] = {}
    size = parts = 0
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.filename is not None:
                raise refusal(48, "NOT_IMPLEMENTED", "External tables are not supported by the embedded store")
            parts += 1
            size += sum(map(len, part.headers.values()))
            room.need(size)
            if parts > MAX_FORM_PARTS:
                raise refusal(62, "SYNTAX_ERROR", f"A form has {MAX_FORM_PARTS} parts; lists go into one parameter")
            value = bytearray()
            while chunk := await part.read_chunk():
                size += len(chunk)
                room.need(size)
                value += chunk
            fields[part.name or ""] = value.decode("utf-8", errors="replace")
    except ValueError as error:  # aiohttp's, for a form that is not one
        raise refusal(62, "SYNTAX_ERROR", f"The form cannot be read: {error}") from None
    return fields


def _client_revision(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) <= _MAX_REVISION_DIGITS else None


def _settings(query: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in query.items() if name not in _NOT_SETTINGS and not name.startswith("param_")}
