"""What is passed over can be found again, and says nothing to a terminal."""

import pytest

from stream_jobs.runtime.metrics import REFUSED_MESSAGES
from stream_jobs.runtime.refused import pass_over


def test_the_log_says_where_it_lies_and_why_and_nothing_that_was_sent_acts(caplog: pytest.LogCaptureFixture) -> None:
    """Escapes and line breaks, in the bytes and in a reason that quotes them, are shown and not obeyed."""
    before = REFUSED_MESSAGES.labels("alerts.v1", "refused")._value.get()
    pass_over("alerts.v1", 0, 42, b"\x1b]52;c;AAAA\x07\n" * 100, "tag '\x1b[2J\n\u202e\ud800'" * 100)
    assert REFUSED_MESSAGES.labels("alerts.v1", "refused")._value.get() == before + 1
    (message,) = (record.getMessage() for record in caplog.records)
    assert message.startswith("alerts.v1[0] offset 42 is passed over (refused): tag ")
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 6_000
