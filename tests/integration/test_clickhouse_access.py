"""The roles and row policies of infra/clickhouse, enforced by the engine on the tables and views of sql/.

Two stores hold the same entries of one team; one of them holds another team's as well. A reader of the first team must
see in the second store what an administrator sees in the first, in whatever there is, or nothing.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest

from stream_jobs.store.tables import TABLES, arrow_table, insert
from tests.clickhouse_access import ACCESS_DENIED, ADMINISTRATOR, FOLDER, Access, ask, read_access, users_file
from tests.store_server import BOOKED_AT, StoreProcess, ledger_rows

pytestmark = pytest.mark.slow

OWN, OTHER = "search", "ads"
READER: Final = "spendstream_team_search"
TEAM_TABLES: Final = {"ledger", "cost_1m", "cost_1h", "cost_1d", "operations_1d", "outcomes"}
KINDS: Final = "SELECT name, engine FROM system.tables WHERE database = 'spendstream' ORDER BY name"


def entries(team: str, first: int) -> pa.Table:
    """Priced and unpriced ones of two days, with all that views group by; the teams share models, days and users."""
    days = [BOOKED_AT, BOOKED_AT - timedelta(days=1)] * 3
    return ledger_rows(
        6,
        first=first,
        team=team,
        kind=["tokens"] * 5 + ["compute"],
        occurred_at=days,
        user_id=[f"user-{number % 2}" for number in range(6)],
        customer="acme",
        feature="chat",
        unpriced=[0, 0, 0, 0, 1, 1],
        unpriced_reason=["", "", "", "", "unknown_model", "unknown_model"],
        list_cost=[Decimal("0.0026")] * 4 + [None, None],
        contracted_cost=[Decimal("0.0026")] * 4 + [None, None],
        effective_cost=[Decimal("0.0026")] * 4 + [None, None],
        events=1,
    )


def outcomes(team: str) -> pa.Table:
    row = dict.fromkeys(TABLES["outcomes"].names, "") | {
        "event_id": f"outcome-{team}",
        "occurred_at": BOOKED_AT,
        "booked_at": BOOKED_AT,
        "quantity": Decimal(1),
        "value_usd": Decimal(5),
        "team": team,
        "labels": {},
        "revision": 0,
        "entry_kind": "charge",
        "events": 1,
        "partition": 0,
        "offset": 0,
    }
    return arrow_table("outcomes", [row])


def store_with(folder: Path, teams: Sequence[str]) -> Path:
    """The data folder of a store that has run `spendstream migrate` and holds these teams' entries."""
    store = StoreProcess.made(folder)
    try:
        with store.connect() as client:
            for number, team in enumerate(teams):
                insert(client, "ledger", entries(team, 100 * number), token=team)
                insert(client, "outcomes", outcomes(team), token=team)
    finally:
        assert store.stop() == 0, store.log.read_text()
    return folder / "data"


@pytest.fixture(scope="module")
def access() -> Access:
    return read_access(FOLDER / "roles.sql", FOLDER / "team.example.sql")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_with(tmp_path_factory.mktemp("own") / "store", [OWN])


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_with(tmp_path_factory.mktemp("both") / "store", [OWN, OTHER])


def code(answer: Any) -> int | None:
    """The engine's error code; None when it answered."""
    found = re.search(r"Code: (\d+)", answer) if isinstance(answer, str) else None
    assert found or not isinstance(answer, str), answer
    return int(found[1]) if found else None


def contents(data: Path, users: str, objects: Sequence[str]) -> dict[str, Any]:
    answers = ask(data, users, [f"SELECT * FROM spendstream.`{name}` ORDER BY ALL" for name in objects])
    return dict(zip(objects, answers, strict=True))


@pytest.fixture(scope="module")
def kinds(both: Path) -> dict[str, str]:
    """The engine of every table and view there is."""
    kinds = dict(ask(both, ADMINISTRATOR, [KINDS])[0])
    assert len(kinds) > 50
    return kinds


@pytest.fixture(scope="module")
def everything(both: Path, kinds: dict[str, str]) -> dict[str, Any]:
    """What an administrator sees."""
    return contents(both, ADMINISTRATOR, list(kinds))


def test_a_team_reader_sees_its_own_rows_or_nothing_in_every_table_and_view(
    access: Access, own: Path, both: Path, kinds: dict[str, str], everything: dict[str, Any]
) -> None:
    """Everything that the migrations and views make is asked, so nothing new can be forgotten."""
    seen = contents(both, users_file(access, READER), list(kinds))
    alone = contents(own, ADMINISTRATOR, list(kinds))
    opened = {name for name, answer in seen.items() if code(answer) is None}
    assert {code(answer) for name, answer in seen.items() if name not in opened} == {ACCESS_DENIED}
    for name in sorted(opened):
        assert seen[name] == alone[name], name
        assert seen[name], f"{name}: the test has no rows for it"
        assert seen[name] != everything[name], f"{name}: the other team's rows make no difference"
    assert {name for name in opened if kinds[name].endswith("MergeTree")} == TEAM_TABLES
    assert not {name for name in opened if kinds[name] == "MaterializedView"}
    assert "cost_by_team" in opened


def test_what_is_hidden_cannot_be_asked_for_in_other_ways(access: Access, both: Path) -> None:
    """Counts, bounds of columns, conditions that fail on others' rows, table functions, the feeds of the rollups."""
    users = users_file(access, READER)
    counted = [
        "SELECT count() FROM spendstream.ledger",
        "SELECT sum(1) FROM spendstream.ledger PREWHERE throwIf(team != 'search') = 0",
        "SELECT count() FROM spendstream.ledger WHERE throwIf(team != 'search') = 0",
        "SELECT count() FROM view(SELECT * FROM spendstream.ledger)",
        "SELECT count() FROM merge('spendstream', '^ledger$')",
        "SELECT count() FROM spendstream.ledger SETTINGS additional_table_filters = "
        "{'spendstream.ledger': 'throwIf(team != \\'search\\') = 0'}",
    ]
    assert ask(both, users, counted) == [[[6]]] * len(counted)
    assert ask(both, ADMINISTRATOR, counted[:1]) == [[[12]]]
    refused = [
        "SELECT * FROM mergeTreeIndex('spendstream', 'ledger')",
        "SELECT * FROM spendstream.cost_1m_feed",
        "SELECT * FROM spendstream.quarantine",
        "SELECT * FROM remote('127.0.0.1', spendstream.ledger)",
        "SELECT * FROM file('/etc/hostname', 'LineAsString', 'line String')",
        "CREATE VIEW spendstream.leak SQL SECURITY NONE AS SELECT * FROM spendstream.ledger",
        "INSERT INTO spendstream.ledger (event_id) SELECT 'x'",
        "ALTER TABLE spendstream.ledger DELETE WHERE 1",
        "ALTER TABLE spendstream.ledger UPDATE team = 'search' WHERE 1",
        "DROP ROW POLICY spendstream_nothing ON spendstream.ledger",
        "GRANT SELECT ON spendstream.quarantine TO default",
    ]
    for statement, answer in zip(refused, ask(both, users, refused), strict=True):
        assert code(answer) in (ACCESS_DENIED, 164), statement  # 164: the profile is read-only


def test_a_team_reader_without_a_team_sees_nothing(access: Access, both: Path) -> None:
    """The role that all teams share opens tables and no rows."""
    users = users_file(access, "spendstream_team_reader")
    found = ask(both, users, [f"SELECT count() FROM spendstream.{table}" for table in sorted(TEAM_TABLES)])
    assert found == [[[0]]] * len(TEAM_TABLES)


@pytest.mark.parametrize("role", ["spendstream_booking", "spendstream_watching", "spendstream_operator"])
def test_jobs_see_everything_and_only_append(
    access: Access, both: Path, kinds: dict[str, str], everything: dict[str, Any], role: str
) -> None:
    """Workers must see all ids, or book twice; they change and delete nothing, and write to their own."""
    tables = [name for name, kind in kinds.items() if kind.endswith("MergeTree")]
    changes = [
        "TRUNCATE TABLE spendstream.ledger",
        "ALTER TABLE spendstream.ledger DELETE WHERE 1",
        "DROP TABLE spendstream.ledger",
    ]
    answers = ask(
        both,
        users_file(access, role),
        [
            *(f"SELECT * FROM spendstream.`{name}` ORDER BY ALL" for name in kinds),
            *(f"INSERT INTO spendstream.{name} SELECT * FROM spendstream.{name} WHERE 0" for name in tables),
            *changes,
        ],
    )
    assert dict(zip(kinds, answers, strict=False)) == everything
    inserted = zip(tables, answers[len(kinds) :], strict=False)
    named = {what.split(".")[1] for what, to in access.grants if role in to and what.startswith("INSERT ON ")}
    assert {name for name, answer in inserted if code(answer) is None} == named
    assert [code(answer) for answer in answers[-len(changes) :]] == [ACCESS_DENIED] * len(changes)


def test_a_row_that_booking_inserts_reaches_the_rollups(access: Access, tmp_path: Path) -> None:
    """Its role may not insert into them; the materialized views do, past all row policies."""
    count = "SELECT count() FROM spendstream.booked_ids WHERE event_id = 'from-booking'"
    row = (
        "INSERT INTO spendstream.ledger (event_id, entry_kind, occurred_at, booked_at, team) "
        "SELECT 'from-booking', 'charge', now64(6), now64(6), 'third'"
    )
    store = store_with(tmp_path / "store", [])
    answers = ask(store, users_file(access, "spendstream_booking"), [count, row, count])
    assert answers == [[[0]], [], [[1]]]


def test_every_table_that_is_inserted_into_has_a_role_that_may(access: Access) -> None:
    """A table that a job of a later version writes to is missed here, not in production."""
    granted = {what.split(".")[1] for what, _ in access.grants if what.startswith("INSERT ON ")}
    assert granted == set(TABLES) | {"response_ids"}


def test_the_bounds_of_people_hold_in_both_directions(access: Access, both: Path) -> None:
    """0 would mean without bound; read-only cannot be left."""
    refused = [
        "SELECT 1 SETTINGS max_memory_usage = 0",
        "SELECT 1 SETTINGS max_memory_usage = 90000000000",
        "SELECT 1 SETTINGS max_execution_time = 0",
        "SELECT 1 SETTINGS max_result_bytes = 0",
        "SELECT 1 SETTINGS max_threads = 1000",
    ]
    for role in (READER, "spendstream_analyst"):
        asked = [*refused, "SET readonly = 0", "SELECT 1 SETTINGS max_execution_time = 10"]
        *answers, allowed = ask(both, users_file(access, role), asked)
        assert [code(answer) for answer in answers] == [452] * len(refused) + [164], role
        assert allowed == [[1]]


def test_the_files_are_the_engines_sql(access: Access, both: Path) -> None:
    """Every statement is parsed by ClickHouse itself; both lists of tables in the policies are the same."""
    for statement, answer in zip(
        access.statements, ask(both, ADMINISTRATOR, [f"EXPLAIN AST {each}" for each in access.statements]), strict=True
    ):
        assert code(answer) is None, (statement, answer)
    assert {frozenset(tables) for tables, *_ in access.policies} == {
        frozenset(f"spendstream.{table}" for table in TEAM_TABLES)
    }
