"""Who looks at a scope sees the same: its own words (`in_scope`), the ledger's SQL, the deltas' rows and the guard in a
service, over every kind of condition and whatever characters are in values, patterns and names of labels."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spendstream import Attribution
from spendstream_schemas.scope import LABEL, Condition, in_scope
from stream_jobs.series.block_sums import delta_of
from stream_jobs.series.facts import Facts
from stream_jobs.series.sums import scope_condition
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import TABLES, insert
from stream_jobs.streams.model import Block, SourcePartition, Versions
from tests.store_server import StoreProcess, ledger_rows
from tests.unit.producers.guard.support import Clocks, new_guard, policy, step

NAMES: Final = ("tenant", "a.b", 'it\'s "x" \\ %_{y:String}', "ü 😀", "labels.tenant")
"""Of labels."""
FIELDS: Final = ("team", "model", "source", "region", "user_id", *(f"{LABEL}{name}" for name in NAMES))
HOSTILE: Final = (
    *("a", "alpha", "alpha-1", "Alpha", "b", "*", "a*", "?", "[ab]", "[", "]", "a]", "'", "it's", '"', "\\", "\\n"),
    *("%", "_", "a%", "a_", "ab", "a\nb", "\n", "a\tb", "\x00", "a'; DROP TABLE ledger --", "{value:String}", "$1", ""),
    *(
        "ü",
        "u\u0308",
        "😀",
        "a😀b",
        "\u202eabc",
        "ß",
        "SS",
        " ",
        "a ",
        "()",
        "a|b",
        "^a$",
        ".",
        "a.b",
        "\\E",
        "\\d",
        "x" * 128,
    ),
)
ROWS: Final = 150
NOW: Final = datetime(2026, 10, 26, 12, tzinfo=UTC)
PATTERNS: Final = st.sampled_from(HOSTILE).filter(bool) | st.text("ab*?[]!-\\'%_\n😀", min_size=1, max_size=6)
CONDITIONS: Final = st.one_of(
    PATTERNS,
    st.lists(PATTERNS, min_size=1, max_size=3),
    *(
        st.fixed_dictionaries({kind: st.lists(PATTERNS, min_size=1, max_size=3)})
        for kind in ("any_of", "none_of", "glob")
    ),
    st.fixed_dictionaries({"glob": PATTERNS}),
    st.fixed_dictionaries({"missing": st.booleans()}),
)


def condition(written: Any) -> Condition | None:
    """None for what is refused."""
    try:
        return Condition.model_validate(written)
    except ValidationError:
        return None


SCOPES: Final = st.dictionaries(st.sampled_from(FIELDS), CONDITIONS.map(condition).filter(bool), max_size=2)


class World:
    """Rows of the ledger, and the same as deltas tell them; the number of a row is its `accelerator`."""

    def __init__(self, store: StoreClient) -> None:
        self.store = store
        chance = random.Random(15)
        self.facts = [{name: chance.choice(HOSTILE) for name in FIELDS if chance.random() < 0.8} for _ in range(ROWS)]
        columns: dict[str, Any] = {
            name: [facts.get(name, "") for facts in self.facts] for name in FIELDS if not name.startswith(LABEL)
        }
        columns["labels"] = [
            [(name.removeprefix(LABEL), value) for name, value in facts.items() if name.startswith(LABEL)]
            for facts in self.facts
        ]
        numbers = [str(number) for number in range(ROWS)]
        topic, at = uuid4().hex, store.now()
        table = ledger_rows(
            ROWS, **columns, accelerator=numbers, occurred_at=[NOW] * ROWS, booked_at=at, topic_id=topic, partition=0,
            entry_kind=["charge"] * ROWS, effective_cost=[Decimal(1)] * ROWS, response_model=[""] * ROWS,
        )  # fmt: skip
        defaults = {
            "events": 1,
            "unpriced": 0,
            "reported_tags": [],
            "stated_cost": None,
            "held_cost": None,
            "held_flat": 0,
        }
        for name, value in defaults.items():
            item = TABLES["ledger"].field(name)
            table = table.append_column(item, pa.array([value] * ROWS, item.type))
        insert(store.client, "ledger", table, topic)
        block = Block(SourcePartition("usage.events.v1", topic, 0), 0, ROWS, at, Versions(), 1)
        self.delta = Facts(delta_of(block, table, NAMES).rows)

    def by_the_ledger(self, scope: Mapping[str, Condition], per: tuple[str, ...]) -> set[int]:
        where, parameters = scope_condition(scope, per)
        rows = self.store.rows(f"SELECT accelerator FROM ledger WHERE accelerator != ''{where}", parameters)
        return {int(str(number)) for (number,) in rows}

    def by_the_deltas(self, scope: Mapping[str, Condition], per: tuple[str, ...]) -> set[int]:
        texts, codes = self.delta.texts_of("accelerator")
        return {int(texts[code]) for code in codes[self.delta.matching(scope, per)].tolist()}

    def by_the_guard(self, scope: Mapping[str, Condition], per: tuple[str, ...]) -> set[int]:
        refuses = policy("b", scope, per=per, steps=(step(0, "refuse"),))
        found = set()
        with new_guard(Clocks(), refuses, policy("all", {}, steps=(step(0, "full"),))) as guard:
            for number, facts in enumerate(self.facts):
                labels = {name.removeprefix(LABEL): value for name, value in facts.items() if name.startswith(LABEL)}
                own: dict[str, Any] = {name: facts[name] for name in ("team", "user_id") if name in facts}
                decision = guard.decide(
                    Attribution.model_construct(**own, labels=labels or None),  # what is hostile never came through us
                    *(None,),
                    model=facts.get("model"),
                    source=facts.get("source", ""),
                    region=facts.get("region"),
                )
                if decision.budget_id == "b":
                    assert decision.values == tuple(facts[name] for name in per)
                    found.add(number)
            assert guard.stats().errors == {}
        return found


@pytest.fixture(scope="module")
def world(process: StoreProcess) -> Iterator[World]:
    with StoreClient(process.settings) as store:
        store.command("TRUNCATE TABLE ledger")
        yield World(store)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scope=SCOPES, per=st.lists(st.sampled_from(FIELDS), unique=True, max_size=2).map(tuple))
def test_all_who_look_at_a_scope_see_the_same(world: World, scope: dict[str, Condition], per: tuple[str, ...]) -> None:
    """Budgets count, the self-check compares and services decide by the same entries."""
    wanted = {
        number
        for number, facts in enumerate(world.facts)
        if in_scope(scope, facts) and all(facts.get(name) for name in per)
    }
    assert world.by_the_ledger(scope, per) == wanted
    assert world.by_the_deltas(scope, per) == wanted
    assert world.by_the_guard(scope, per) == wanted
