"""Headers and errors in the shape that ClickHouse clients expect."""

import json
from typing import Final

from aiohttp import web

from stream_jobs.store.embedded.engine import Answer
from stream_jobs.store.embedded.errors import EngineError
from stream_jobs.store.embedded.reading import Call

_CONTENT_TYPES: Final = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "TabSeparatedWithNames": "text/tab-separated-values; charset=UTF-8",
    "TabSeparatedWithNamesAndTypes": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "RowBinaryWithNamesAndTypes": "application/octet-stream",
    "Arrow": "application/vnd.apache.arrow.file",
    "ArrowStream": "application/vnd.apache.arrow.stream",
    "Parquet": "application/vnd.apache.parquet",
}
_TAG_LENGTH: Final = 16


def answer_headers(call: Call, answer: Answer | None) -> dict[str, str]:
    """The headers of a success; without an answer (a stream) there is nothing to sum up yet."""
    headers = {
        "Content-Type": _CONTENT_TYPES.get(call.output_format, "text/plain; charset=UTF-8"),
        "X-ClickHouse-Server-Display-Name": "spendstream",
        "X-ClickHouse-Query-Id": _header(call.query_id),
        "X-ClickHouse-Format": _header(call.output_format),
        "X-ClickHouse-Timezone": "UTC",
        "X-ClickHouse-Exception-Tag": _tag(call),
    }
    if answer is not None:
        headers["X-ClickHouse-Summary"] = json.dumps(
            {
                "read_rows": str(answer.read_rows),
                "read_bytes": str(answer.read_bytes),
                "written_rows": str(answer.written_rows),
                "written_bytes": str(answer.written_bytes),
                "result_bytes": str(len(answer.body)),
            }
        )
    return headers


def error_response(error: EngineError) -> web.Response:
    headers = {"X-ClickHouse-Exception-Code": str(error.code), "X-ClickHouse-Server-Display-Name": "spendstream"}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
    return web.Response(status=error.status, text=f"{error}\n", headers=headers)


def exception_trailer(call: Call, error: EngineError) -> bytes:
    """What ClickHouse ends a stream with that has failed half-way (since 25.11)."""
    tag = _tag(call).encode()
    message = f"{error}\n".encode()
    return b"".join(
        [
            b"\r\n__exception__\r\n",
            tag,
            b"\r\n",
            message,
            str(len(message)).encode(),
            b" ",
            tag,
            b"\r\n__exception__\r\n",
        ]
    )


def _tag(call: Call) -> str:
    """Sixteen letters that the data is most unlikely to hold, the same throughout one answer."""
    return "".join(chr(ord("a") + byte % 26) for byte in call.tag_seed[:_TAG_LENGTH])


def _header(text: str) -> str:
    """Without line breaks, which a header must not hold."""
    return "".join(character for character in text if character.isprintable())[:256]
