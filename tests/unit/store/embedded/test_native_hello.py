"""The answer to clickhouse-go's first question, in the Native format of the revision that it names."""

import pytest

from stream_jobs.store.embedded.native_hello import hello_answer

COLUMNS = [
    b"\x0ddisplayName()\x06String",
    b"\x09version()\x06String",
    b"\x0arevision()\x06UInt32",
    b"\x0atimezone()\x06String",
]
VALUES = [b"\x0bspendstream", b"\x0826.9.2.1", b"\x00\x00\x00\x00", b"\x03UTC"]
BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"


@pytest.mark.parametrize(
    ("revision", "begin", "kind"),
    [(0, b"", b""), (54405, BLOCK_INFO, b""), (54454, BLOCK_INFO, b"\0"), (54460, BLOCK_INFO, b"\0")],
)
def test_the_format_is_the_clients_and_the_revision_is_ours(revision: int, begin: bytes, kind: bytes) -> None:
    """Revision 0 is what the engine writes from then on; block info and kinds of serialization came later."""
    columns = b"".join(column + kind + value for column, value in zip(COLUMNS, VALUES, strict=True))
    assert hello_answer(b"26.9.2.1\tUTC\n", revision) == begin + b"\x04\x01" + columns
