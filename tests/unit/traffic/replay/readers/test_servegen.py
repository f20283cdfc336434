"""The ServeGen reader: requests per hour become single requests."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from spendstream_traffic.replay.readers.servegen import MEANS_FILE, read_servegen
from stream_jobs.base.errors import ConfigError
from tests.unit.traffic.replay.build import good, split, write

HEADER = "category,client,hour,requests"
MEANS_HEADER = "category,client,start_s,mean_input_tokens,mean_output_tokens,mean_reason_tokens"
ZERO = datetime(2026, 6, 1, tzinfo=UTC)


def test_requests_lie_in_their_hour_and_come_in_order_of_time(tmp_path: Path) -> None:
    """The file is ordered by client, the events by time; each client has exactly its requests."""
    path = write(tmp_path / "h.csv", [HEADER, "l/m,0,0,3.0", "l/m,0,1,2.0", "l/m,1,0,5.0", "l/m,2,1,0.0"])
    rows = good(read_servegen(path))
    times = [row.payload["occurred_at"] for row in rows]
    assert times == sorted(times)
    customers = [row.payload["attribution"]["customer"] for row in rows]
    found = Counter(zip(customers, [(time - ZERO) // timedelta(hours=1) for time in times], strict=True))
    assert found == {("l/m/0", 0): 3, ("l/m/0", 1): 2, ("l/m/1", 0): 5}
    assert len({(row.line, row.part) for row in rows}) == 10


def test_tokens_add_up_to_the_mean_times_the_requests(tmp_path: Path) -> None:
    """Rounded once per hour, so no request invents or loses tokens."""
    path = write(tmp_path / "h.csv", [HEADER, "l/m,0,0,7", "l/m,0,6,3"])
    write(tmp_path / MEANS_FILE, [MEANS_HEADER, "l/m,0,0,100.55,3.3,1.1", "l/m,0,21600,10,20,"])
    rows = good(read_servegen(path))
    early = [row.payload["usage"] for row in rows if row.line == 2]
    late = [row.payload["usage"] for row in rows if row.line == 3]
    assert sum(usage["input_tokens"] for usage in early) == 704  # 703.85
    assert sum(usage["output_tokens"] for usage in early) == 23  # 23.1
    assert all(usage["reasoning_tokens"] <= usage["output_tokens"] for usage in early)
    assert sum(usage["input_tokens"] for usage in late) == 30
    assert "reasoning_tokens" not in late[0]


def test_a_window_without_means_takes_the_last_one_known(tmp_path: Path) -> None:
    """ServeGen leaves a window blank where a client was quiet."""
    path = write(tmp_path / "h.csv", [HEADER, "l/m,0,7,1", "l/m,1,0,1"])
    write(tmp_path / MEANS_FILE, [MEANS_HEADER, "l/m,0,0,100,3,", "l/m,0,21600,,,", "l/m,1,21600,9,9,"])
    assert [row.payload["usage"]["input_tokens"] for row in good(read_servegen(path))] == [9, 100]


def test_without_means_the_usage_is_unknown_not_invented(tmp_path: Path) -> None:
    """Absent token counts are booked as unpriced; a made-up number would be booked as money."""
    path = write(tmp_path / "h.csv", [HEADER, "l/m,0,0,1"])
    assert good(read_servegen(path))[0].payload["usage"] == {"kind": "tokens"}


def test_broken_rows_are_told_and_broken_means_refused(tmp_path: Path) -> None:
    """A wrong hour costs a line; wrong token counts would falsify every event."""
    path = write(
        tmp_path / "h.csv", [HEADER, "l/m,0,x,1", "l/m,0,1,-2", "l/m,0,1,1e99", "l/m,0,99999999,1", "l/m,0,2,1"]
    )
    rows, bad = split(read_servegen(path))
    assert [item.line for item in bad] == [2, 3, 4, 5]
    assert [row.line for row in rows] == [6]
    write(tmp_path / MEANS_FILE, [MEANS_HEADER, "l/m,0,0,many,3,"])
    with pytest.raises(ConfigError, match="line 2: mean_input_tokens is not a number"):
        next(read_servegen(path))
