"""The report's box of unusual times, on a real store: what was found in the period, one for each cause."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from stream_jobs.report.data import Unusual
from stream_jobs.report.queries import build
from stream_jobs.report.terminal import unusual_note
from stream_jobs.store.tables import insert
from tests.integration.anomaly_rows import MINUTE, START, finding, mark, put
from tests.store_server import StoreProcess, ledger_rows

HOUR = timedelta(hours=1)
STATE = {"kind": "judged", "minute": 1, "written_at": START, "run": START, "known": True}
SCORE = {
    **{"dims": [], "vals": [], "at": START + 5 * MINUTE},
    **dict.fromkeys(("events", "actual", "expected", "low", "high", "score"), 1),
}
CAUSE = {"sets": [{"values": {"user_id": "u-17"}, "explains": "4.4", "share": 0.957, "factor": "volume"}]}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    store = StoreProcess.made(tmp_path_factory.mktemp("store") / "store")
    with store.connect() as client:
        insert(client, "ledger", ledger_rows(60, occurred_at=[START + MINUTE * n for n in range(60)]), "rows")
    yield store
    store.kill()


def asked(store: StoreProcess, start: Any = START, end: Any = START + HOUR) -> Unusual:
    with store.connect() as client:
        return build(client, start, end).unusual


def test_what_is_said_follows_what_the_job_knows(store: StoreProcess) -> None:
    """It never ran; it ran, and nothing had enough history; it judged, and found nothing; it found something."""
    assert asked(store) == Unusual(judged="never")
    put(store, "anomaly_states", [STATE])
    assert asked(store) == Unusual(judged="too_early")
    put(store, "anomaly_scores", [SCORE])
    assert asked(store) == Unusual()
    assert asked(store, START - 50 * HOUR, START - 49 * HOUR) == Unusual(judged="too_early")
    over = {"state": "closed", "ends_at": START + 40 * MINUTE, "closing": "over"}
    put(
        store,
        "anomaly_findings",
        [
            finding("a1", group_id="a", severity="error", actual=Decimal(40), cause=CAUSE, **over),
            finding("a2", group_id="a", severity="warning", series={}, actual=Decimal(50), **over),
            finding("b", starts_at=START - 3 * HOUR, severity="info"),
            finding("old", state="closed", starts_at=START - 3 * HOUR, ends_at=START - HOUR, closing="over"),
            finding("later", starts_at=START + 2 * HOUR, detected_at=START + 2 * HOUR),
            finding("gone", state="closed", closing="corrected", ends_at=START + MINUTE),
            finding("planned", silenced_by="event launch"),
            finding("fine", series={"team": "fine"}),
        ],
    )
    put(store, "anomaly_marks", [mark("fine", "expected", START), mark("a2", "real", START, note="a loop")])
    unusual = asked(store)
    assert [(time.found.finding_id, time.others) for time in unusual.times] == [("b", 0), ("a1", 1)]
    assert (unusual.all_times, unusual.silenced, unusual.judged) == (2, 2, "judged")
    (_, burst) = unusual.times
    assert (burst.found.mark, burst.found.note) == ("real", "a loop")
    assert burst.why == ("user u-17: +$4.40, 96 % of it, by its number of requests",)
    assert "$40.00 in the 40 minutes" in burst.headline


def test_the_note_is_a_sentence_in_every_case() -> None:
    """Whatever was found, or not."""
    for unusual in (Unusual(), Unusual(silenced=2), Unusual(judged="never"), Unusual(judged="too_early")):
        assert unusual_note(unusual).endswith((".", ")."))
    assert unusual_note(Unusual(silenced=2)) == "Nothing was unusual, but for what was planned or expected (2)."
