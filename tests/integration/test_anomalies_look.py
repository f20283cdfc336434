"""What people see of anomalies: the commands and the views, on a real store."""

import argparse
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.json_values import instant_text
from stream_jobs.cli import anomalies as command
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert
from tests.integration.anomaly_rows import MINUTE, START, finding, mark, put
from tests.store_server import StoreProcess, ledger_rows

BURST = "0f3a9c11d2e4b5a69788"
CAUSE = {
    "sets": [
        {
            "values": {"user_id": "u-17", "model": "gpt-4o"},
            "explains": Decimal("4.4"),
            "share": 0.957,
            "factor": "volume",
        }
    ],
    "decomposition": {
        "volume": Decimal("4.5"),
        "tokens_per_request": Decimal("0.100000000007"),
        "total": Decimal("4.600000000007"),
    },
    "users": [{"user_id": "u-17", "excess": "4.4"}],
    "requests": [{"event_id": "e-1", "cost": "0.9", "team": "search"}],
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    """A burst that was amended, closed and marked; one that is open, one planned, one taken back; a driver."""
    store = StoreProcess.made(tmp_path_factory.mktemp("store") / "store")
    put(
        store,
        "anomaly_findings",
        [
            finding(BURST, group_id="g", cause=CAUSE),
            finding(BURST, version=2, at=START + 20 * MINUTE, actual=Decimal(30), severity="error", group_id="g"),
            finding(
                BURST,
                version=3,
                at=START + 45 * MINUTE,
                state="closed",
                closing="over",
                ends_at=START + 40 * MINUTE,
                actual=Decimal("45.1"),
                expected=Decimal("3.2"),
                severity="error",
                group_id="g",
                cause=CAUSE,
            ),
            finding("0f77", series={}, severity="critical", group_id="g", state="closed", ends_at=START + 40 * MINUTE),
            finding(
                "aa01", series={"team": "ads", "model": "gpt-4o"}, kind="silence", direction="down", actual=Decimal(0)
            ),
            finding("aa02", series={"team": "ads", "labels.x": "y"}, silenced_by="event launch", actual=Decimal(9)),
            finding("bb01", series={"user_id": "u-1"}, state="closed", closing="corrected", ends_at=START),
            finding("cc01", series={"model": "gpt-4o"}, measure="tokens_per_request", kind="driver", severity="info"),
        ],
    )
    put(
        store,
        "anomaly_marks",
        [
            mark(BURST, "expected", START + 50 * MINUTE, note="a test?"),
            mark(BURST, "real", START + 60 * MINUTE, note="ran a loop"),
        ],
    )
    with store.connect() as client:
        minutes = [START + MINUTE * number for number in range(-60, 80)]
        costs = [Decimal("1.1") if 0 <= number < 40 else Decimal("0.08") for number in range(-60, 80)]
        rows = ledger_rows(140, occurred_at=minutes, team="search", effective_cost=costs)
        insert(client, "ledger", rows, "look")
    band = {"dims": ["team"], "vals": ["search"], "events": 5, "actual": 5.5, "score": 20}
    kept = [START + 5 * MINUTE * number for number in range(1, 5)]
    rows = [{**band, "at": at, "expected": 4.8, "low": 1.2, "high": 14.4} for at in kept]
    put(store, "anomaly_scores", [*rows, rows[0]])
    yield store
    store.kill()


def run(store: StoreProcess, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["anomalies", *arguments, "--url", store.url])
    return int(args.run(args))


def listed(store: StoreProcess, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """The ids."""
    assert run(store, "list", "--json", *arguments) == 0
    return [json.loads(line)["finding_id"] for line in capsys.readouterr().out.splitlines()]


def test_the_last_version_counts_and_the_last_mark(store: StoreProcess) -> None:
    """In the views, as anybody asks them."""
    with StoreClient(store.settings) as client:
        rows = client.rows(
            "SELECT version, state, actual, excess, severity, mark, note, marked_by, series FROM anomalies "
            "WHERE finding_id = {id:String}",
            {"id": BURST},
        )
        changes = client.rows(
            "SELECT change FROM anomaly_history WHERE finding_id = {id:String} ORDER BY at", {"id": BURST}
        )
        unmarked = client.rows("SELECT mark, marked_at FROM anomalies WHERE finding_id = 'aa01'")
    assert rows == [
        (3, "closed", Decimal("45.1"), Decimal("41.9"), "error", "real", "ran a loop", "mei", "team=search")
    ]
    assert [change for (change,) in changes] == ["opened", "amended", "closed", "marked expected", "marked real"]
    assert unmarked == [("", None)]


def test_history_says_once_that_a_finding_was_closed(store: StoreProcess) -> None:
    """Its cause comes later; late entries take it back, and it is found again."""
    over = {"state": "closed", "closing": "over", "ends_at": START}
    with StoreClient(store.settings) as client:
        steps = [over, {**over, "cause": CAUSE}, {**over, "closing": "corrected"}, {}, over]
        rows = [finding("dd01", version=number, **step) for number, step in enumerate(steps, 1)]
        put(store, "anomaly_findings", rows)
        changes = client.rows("SELECT change FROM anomaly_history WHERE finding_id = 'dd01' ORDER BY version")
        client.command("ALTER TABLE anomaly_findings DELETE WHERE finding_id = 'dd01' SETTINGS mutations_sync = 2")
    assert [change for (change,) in changes] == ["opened and closed", "amended", "closed", "opened", "closed"]


def test_figures_are_known_until_they_were_last_added_up(store: StoreProcess) -> None:
    """A version that says something else, such as who is told no more, leaves them as they were; what is over ended."""
    with StoreClient(store.settings) as client:
        more = {"at": START + 20 * MINUTE, "actual": Decimal(30)}
        steps = [{}, more, {**more, "at": START + 50 * MINUTE, "silenced_by": "event launch"}]
        put(
            store, "anomaly_findings", [finding("ee01", version=number, **step) for number, step in enumerate(steps, 1)]
        )
        found = client.rows(
            "SELECT toUnixTimestamp(known_until) FROM anomalies WHERE finding_id IN ('ee01', {id:String}) "
            "ORDER BY finding_id = {id:String}",
            {"id": BURST},
        )
        said = json.dumps({"known_until": (START + 30 * MINUTE).isoformat()})
        put(store, "anomaly_findings", [finding("ee01", version=4, at=START + 55 * MINUTE, document=said)])
        found += client.rows("SELECT toUnixTimestamp(known_until) FROM anomalies WHERE finding_id = 'ee01'")
        calm = client.rows("SELECT is_calm FROM anomalies WHERE finding_id = 'ee01'")
        said = json.dumps(dict.fromkeys(("known_until", "went_on_until"), (START + 30 * MINUTE).isoformat()))
        put(store, "anomaly_findings", [finding("ee01", version=5, at=START + 55 * MINUTE, document=said)])
        calm += client.rows("SELECT is_calm FROM anomalies WHERE finding_id = 'ee01'")
        client.command("ALTER TABLE anomaly_findings DELETE WHERE finding_id = 'ee01' SETTINGS mutations_sync = 2")
    assert found == [(int((START + minutes * MINUTE).timestamp()),) for minutes in (20, 40, 30)]
    assert calm == [(0,), (1,)]


def test_list_shows_what_is_open_and_with_all_what_is_over(
    store: StoreProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """The gravest first; by series, by time; what is taken back is among those that are over."""
    assert listed(store, capsys) == ["aa02", "aa01", "cc01"]
    assert listed(store, capsys, "--open") == ["aa02", "aa01", "cc01"]
    assert listed(store, capsys, "--all") == ["aa02", "aa01", "cc01", "0f77", BURST, "bb01"]
    assert listed(store, capsys, "--all", "--where", "team=a*") == ["aa02", "aa01"]
    assert listed(store, capsys, "--all", "--where", "team=") == ["cc01", "0f77", "bb01"]
    assert listed(store, capsys, "--where", "labels.x=y") == ["aa02"]
    assert listed(store, capsys, "--all", "--since", (START + 39 * MINUTE).isoformat()) == [
        "aa02",
        "aa01",
        "cc01",
        "0f77",
        BURST,
    ]
    assert listed(store, capsys, "--limit", "1") == ["aa02"]
    with pytest.raises(ConfigError, match="no series is cut by 'colour'"):
        run(store, "list", "--where", "colour=red")


def test_an_id_may_be_given_by_its_beginning(store: StoreProcess, capsys: pytest.CaptureFixture[str]) -> None:
    """As long as no other begins so; the whole of an id is always enough."""
    assert run(store, "show", "0f3", "--json") == 0
    assert json.loads(capsys.readouterr().out)["finding_id"] == BURST
    with pytest.raises(ConfigError, match=f"beginning of several ids; give one of: .*{BURST}"):
        run(store, "show", "0f")
    assert run(store, "show", "anomaly/g", "--json") == 0  # as its alert names it
    assert json.loads(capsys.readouterr().out)["finding_id"] == "0f77"
    for text in ("zz", "", "f3a"):
        with pytest.raises(ConfigError, match="no finding"):
            run(store, "show", text)


def test_the_beginning_of_a_findings_id_is_that_finding_though_its_cause_has_that_id_too(
    store: StoreProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not a graver one of the cause, which is called after the finding that was looked into first."""
    graver = finding("9d0", series={}, severity="critical", actual=Decimal(99), group_id="ab12")
    with StoreClient(store.settings) as client:
        put(store, "anomaly_findings", [finding("ab12", group_id="ab12"), graver])
        for text in ("ab1", "anomaly/ab12"):
            assert run(store, "show", text, "--json") == 0
            assert json.loads(capsys.readouterr().out)["finding_id"] == "ab12"
        gone = "DELETE WHERE finding_id IN ('ab12', '9d0') SETTINGS mutations_sync = 2"
        client.command(f"ALTER TABLE anomaly_findings {gone}")


def test_show_says_what_when_how_much_and_why(
    store: StoreProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the terminal, as a picture and as a page."""
    png, html = tmp_path / "f.png", tmp_path / "f.html"
    assert run(store, "show", BURST, "--png", str(png), "--html", str(html)) == 0
    shown = capsys.readouterr().out
    for part in (
        *("team search: $45.10 in the 40 minutes", "$3.20 expected (14.1 times)", BURST, "as usual again"),
        *("between $0.100 and $0.900", "ran a loop", "user u-17, model gpt-4o: +$4.40, 96 % of it", "e-1 $0.900"),
        *("marked real", "Of the same cause: 1 more", "all usage", "beyond the band", "█", f"written to {png}"),
    ):
        assert part in shown, part
    assert png.read_bytes().startswith(b"\x89PNG")
    assert len(png.read_bytes()) > 20_000
    page = html.read_text()
    assert "<svg" in page
    assert "(14.1 times)" in page


def test_the_json_of_a_finding_stays(store: StoreProcess, capsys: pytest.CaptureFixture[str]) -> None:
    """These names, for programs: a new one may be added, none may go."""
    names = {
        *(
            "finding_id",
            "version",
            "changed_at",
            "state",
            "kind",
            "direction",
            "scale",
            "measure",
            "series",
            "starts_at",
        ),
        *("detected_at", "ends_at", "expected", "actual", "excess", "low", "high", "per_day", "score", "severity"),
        *("known_until", "is_calm", "closing", "group_id", "silenced_by", "mark", "note", "marked_by", "marked_at"),
    }
    assert run(store, "list", "--json", "--all") == 0
    for line in capsys.readouterr().out.splitlines():
        assert json.loads(line).keys() == names
    assert run(store, "show", BURST, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown.keys() == names | {"cause", "history", "around", "group"}
    assert shown["series"] == {"team": "search"}
    assert (shown["actual"], shown["excess"], shown["starts_at"]) == ("45.1", "41.9", instant_text(START))
    assert shown["cause"]["decomposition"]["tokens_per_request"] == "0.100000000007"
    assert [change["change"] for change in shown["history"]][-1] == "marked real"
    assert [one["finding_id"] for one in shown["group"]] == ["0f77"]
    points = {point["at"]: point for point in shown["around"]["points"]}
    assert shown["around"]["step_s"] == 60
    before, inside = points[instant_text(START - 59 * MINUTE)], points[instant_text(START)]
    assert (before["actual"], before["expected"]) == ("0.08", "0.08")
    assert (before["low"], before["high"]) == ("0", "1.319354670786")  # what was kept of the hour
    assert (inside["actual"], inside["expected"]) == ("1.1", "0.08")
    assert (inside["low"], inside["high"]) == ("0.0025", "0.0225")  # the finding's own, spread evenly
    assert points[instant_text(START + 39 * MINUTE)]["high"] == "0.0225"
