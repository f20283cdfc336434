"""A correction belongs to its sender, and whoever must sign is believed only with a signature."""

import json
from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream_schemas import InvalidReason
from spendstream_schemas.signature import sign
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.metering.process import Metering
from stream_jobs.origin.judge import Origin
from stream_jobs.origin.keys import KeyRing
from stream_jobs.origin.rules import SenderRules
from stream_jobs.origin.standing import Held
from stream_jobs.streams.model import Block, BlockOutput, SourcePartition, SourceRecord
from tests.fuzz import examples
from tests.unit.metering.build import NOW, TOLERANCE, RowsLedger, TokenPricer, document
from tests.unit.pricing.shipped import shipped_book

TOPIC = "usage.events.v1"
SECRET, OTHER = b"vault-secret-of-thirty-two-bytes", b"wrong-secret-of-thirty-two-bytes"
RULES = SenderRules.of("backfill=shop,shop=vault,auditor=vault", "vault,auditor")
KEYS = KeyRing({"vault": {"k": SECRET}, "auditor": {"k": SECRET}})
SIGNED = Origin(RULES, KEYS)
TOP = 1_000_000  # the highest revision that the contract allows
BOOK = shipped_book()
SOURCES = ("shop", "backfill", "stranger", "vault", "auditor")


def record(offset: int, event_id: str, secret: bytes | None = None, **changes: Any) -> SourceRecord:
    value = json.dumps(document(event_id, **changes)).encode()
    key = event_id.encode()
    return SourceRecord(offset, 0, key, value, sign(secret, "k", TOPIC, key, value) if secret else None)


def step(ledger: RowsLedger, origin: Origin = SIGNED, *, together: bool = True) -> Metering:
    """The price book takes the column path, the pricer of tokens the one-event path."""
    return Metering(BOOK if together else TokenPricer(), AttributionRules.load(None), ledger, TOLERANCE, origin)


def block_of(records: list[SourceRecord], metering: Metering, partition: int = 0, at: int = 0) -> Block:
    source = SourcePartition(TOPIC, "id", partition)
    fixed_at = NOW + timedelta(seconds=at or records[0].offset)
    return Block(source, records[0].offset, records[-1].offset, fixed_at, metering.versions(), 1)


def book(ledger: RowsLedger, records: list[SourceRecord], metering: Metering | None = None) -> BlockOutput:
    metering = metering or step(ledger)
    output = metering.process(block_of(records, metering), records)
    add(ledger, output)
    return output


def add(ledger: RowsLedger, output: BlockOutput) -> None:
    if (table := output.tables.get("ledger")) is not None:
        ledger.rows += table.to_pylist()


def fates(output: BlockOutput) -> dict[int, str]:
    """What became of each record."""
    found: dict[int, str] = {}
    for row in output.tables["ledger"].to_pylist() if "ledger" in output.tables else []:
        if row["entry_kind"] == "charge":
            found[row["offset"]] = "booked"
    for row in output.tables["duplicates"].to_pylist() if "duplicates" in output.tables else []:
        assert found.setdefault(row["offset"], "duplicate") == "duplicate"
    for row in output.tables["quarantine"].to_pylist() if "quarantine" in output.tables else []:
        assert found.setdefault(row["offset"], row["reason"]) == row["reason"]
    return found


def stands(ledger: RowsLedger) -> dict[str, tuple[str, int]]:
    """By event what the entries come to: whose it is and how many tokens."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in ledger.rows:
        sums[row["event_id"], row["source"]][0] += row["events"]
        sums[row["event_id"], row["source"]][1] += row["input_tokens"]
    assert all(value in ([0, 0], [1, value[1]]) for value in sums.values()), sums
    return {event_id: (source, tokens) for (event_id, source), (events, tokens) in sums.items() if events}


SENT = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from(SOURCES),
        st.integers(0, 3),
        st.sampled_from([SECRET, SECRET, None, OTHER]),
        st.booleans(),  # a block ends after it
    ),
    min_size=1,
    max_size=14,
)


@pytest.mark.slow
@pytest.mark.parametrize("together", [True, False], ids=["columns", "one by one"])
@settings(max_examples=examples(50))
@given(sent=SENT)
def test_the_ledger_comes_to_what_its_rightful_senders_reported(
    together: bool, sent: list[tuple[str, str, int, bytes | None, bool]]
) -> None:
    """For any interleaving of sources, revisions and signatures, however it is cut into blocks: an event belongs to
    whoever may say so first, and only they and their correctors move it. Each block that is redone, with other settings
    and without the keys, before or after its ledger rows are in, comes to the same."""
    ledger, expected = RowsLedger(), dict[str, tuple[str, int, int]]()
    waiting: list[SourceRecord] = []
    for offset, (event_id, source, revision, secret, ends) in enumerate(sent):
        tokens = 1_000 + offset
        waiting.append(record(offset, event_id, secret, source=source, revision=revision, tokens=tokens))
        if not RULES.must_sign(source) or secret == SECRET:
            current = expected.get(event_id)
            if current is None or (revision > current[1] and RULES.may_correct(source, current[0])):
                expected[event_id] = (source, revision, tokens)
        if not ends and offset < len(sent) - 1:
            continue
        metering = step(ledger, together=together)
        block = block_of(waiting, metering)
        output = metering.process(block, waiting)
        counts = output.counts
        assert counts.received == counts.booked + counts.duplicates + counts.quarantined == len(fates(output))
        again = replace(block, redone=True, refusals=output.refusals)
        strangers = step(ledger, Origin(SenderRules.of("*=*", "")), together=together)
        redone = strangers.process(again, waiting)
        assert (redone.counts, fates(redone), redone.refusals) == (counts, fates(output), output.refusals)
        assert redone.tables.get("ledger") == output.tables.get("ledger")
        add(ledger, output)
        redone = strangers.process(again, waiting)
        assert (redone.counts, fates(redone)) == (counts, fates(output))
        assert redone.tables.get("ledger") == output.tables.get("ledger")
        waiting = []
    assert stands(ledger) == {event_id: (source, tokens) for event_id, (source, _, tokens) in expected.items()}


def test_a_higher_revision_from_elsewhere_is_kept_aside() -> None:
    """It erases nothing, is on record with its reason, and counts once the setting allows it."""
    ledger = RowsLedger()
    book(ledger, [record(0, "a", source="shop", tokens=1_000)])
    foreign = record(1, "a", source="stranger", revision=TOP, tokens=0)
    output = book(ledger, [foreign])
    (row,) = output.tables["quarantine"].to_pylist()
    assert (row["reason"], row["path"], row["source"]) == ("foreign_revision", "source", "stranger")
    assert "stranger may not correct an event of shop" in row["detail"]
    assert row["raw"] == foreign.value
    assert stands(ledger) == {"a": ("shop", 1_000)}
    allowed = step(ledger, Origin(SenderRules.of("stranger=shop", "")))
    assert book(ledger, [foreign._replace(offset=2)], allowed).counts.booked == 1
    assert stands(ledger) == {"a": ("stranger", 0)}


def test_a_source_that_must_sign_is_not_believed_without() -> None:
    """Also for an event that nobody has reported yet; what is signed for another topic or key is not signed."""
    ledger = RowsLedger()
    good = record(0, "a", SECRET, source="vault")
    others = [
        record(1, "b", source="vault"),
        record(2, "c", OTHER, source="vault"),
        good._replace(offset=3, key=b"another"),
        good._replace(offset=4, value=(good.value or b"").replace(b'"a"', b'"d"')),
        good._replace(offset=5, signature=b"x" * 193),
        good._replace(offset=6, signature=b""),
        record(7, "e", OTHER, source="stranger"),
    ]
    assert fates(book(ledger, [good, *others])) == {
        0: "booked",
        1: "signature_missing",
        2: "signature_invalid",
        3: "signature_invalid",
        4: "signature_invalid",
        5: "signature_invalid",
        6: "signature_missing",
        7: "booked",  # nobody asked it for a signature
    }
    replayed = replace(block_of([good], step(ledger)), source=SourcePartition("usage.outcomes.v1", "id", 0))
    assert fates(step(RowsLedger()).process(replayed, [good])) == {0: "signature_invalid"}


def test_an_unsigned_record_cannot_hide_the_genuine_one() -> None:
    """In one block: what is refused for its signature is no copy of anything."""
    records = [
        record(0, "a", source="vault", revision=9, tokens=0),
        record(1, "a", SECRET, source="vault", tokens=1_000),
    ]
    ledger = RowsLedger()
    assert fates(book(ledger, records)) == {0: "signature_missing", 1: "booked"}
    assert stands(ledger) == {"a": ("vault", 1_000)}


def test_an_id_that_somebody_else_has_used_does_not_swallow_a_signed_event() -> None:
    """It is not booked under that id, but kept with its bytes; a retry of what is booked is a duplicate as ever."""
    ledger = RowsLedger()
    book(ledger, [record(0, "a", source="stranger"), record(1, "b", SECRET, source="vault")])
    later = [
        record(2, "a", SECRET, source="vault"),
        record(3, "a", SECRET, source="vault", revision=1),
        record(4, "a", source="shop"),
        record(5, "b", SECRET, source="vault"),
        record(6, "b", source="stranger"),
    ]
    assert fates(book(ledger, later)) == {
        2: "event_id_taken",
        3: "foreign_revision",
        4: "duplicate",
        5: "duplicate",
        6: "duplicate",
    }
    together = [record(7, "c", source="stranger"), record(8, "c", SECRET, source="vault")]
    assert fates(book(ledger, together)) == {7: "booked", 8: "event_id_taken"}


def test_a_corrector_that_does_not_sign_has_no_say_over_one_that_does() -> None:
    """`shop` may correct `vault`, but anybody can call himself shop; the auditor signs."""
    ledger = RowsLedger()
    book(ledger, [record(0, "a", SECRET, source="vault", tokens=1_000)])
    output = book(ledger, [record(1, "a", source="shop", revision=1, tokens=0)])
    assert fates(output) == {1: InvalidReason.FOREIGN_REVISION.value}
    assert fates(book(ledger, [record(2, "a", SECRET, source="auditor", revision=1, tokens=5)])) == {2: "booked"}
    assert stands(ledger) == {"a": ("auditor", 5)}


def test_an_old_signed_revision_sent_again_does_not_win() -> None:
    """Whoever recorded it can repeat it as it was, and it is a copy."""
    ledger = RowsLedger()
    first, second = (record(at, "a", SECRET, source="vault", revision=at, tokens=at + 1) for at in range(2))
    book(ledger, [first])
    book(ledger, [second])
    assert fates(book(ledger, [first._replace(offset=2), second._replace(offset=3)])) == {
        2: "duplicate",
        3: "duplicate",
    }
    assert stands(ledger) == {"a": ("vault", 2)}


def test_the_rightful_revision_counts_over_a_foreign_one_that_slipped_past() -> None:
    """Two partitions at one moment: the stranger's charge is there, with the highest number there is."""
    ledger = RowsLedger()
    mine = [record(0, "a", source="shop", tokens=1_000)]
    theirs = [record(0, "a", source="stranger", revision=TOP, tokens=7)]
    metering = step(ledger)
    outputs = [
        metering.process(block_of(mine, metering, at=1), mine),
        metering.process(block_of(theirs, metering, partition=1, at=2), theirs),
    ]
    for output in outputs:
        assert fates(output) == {0: "booked"}
        add(ledger, output)
    assert fates(book(ledger, [record(3, "a", source="shop", revision=1, tokens=5)])) == {3: "booked"}
    mine_now = [row["input_tokens"] for row in ledger.rows if row["source"] == "shop"]
    assert sum(mine_now) == 5


def test_a_redo_does_not_let_a_stranger_correct_what_was_booked_meanwhile() -> None:
    """Nothing was known when the block was fixed, so it charged and took nothing back; then the other partition booked.
    The redo says the same: who counts is for reconciliation to say."""
    ledger = RowsLedger()
    metering = step(ledger)
    theirs = [record(0, "a", source="stranger", revision=5, tokens=7)]
    block = block_of(theirs, metering, partition=1, at=5)
    first = metering.process(block, theirs)
    book(ledger, [record(9, "a", source="shop", tokens=1_000)])
    redone = metering.process(replace(block, redone=True, refusals=first.refusals), theirs)
    assert redone.tables["ledger"] == first.tables["ledger"]


def test_a_refusal_stays_one_when_others_book_meanwhile() -> None:
    """A foreign revision below what its owner booked since would be a copy if it came now."""
    ledger = RowsLedger()
    book(ledger, [record(0, "a", source="shop")])
    metering = step(ledger)
    theirs = [record(0, "a", source="stranger", revision=1)]
    block = block_of(theirs, metering, partition=1, at=5)
    first = metering.process(block, theirs)
    assert fates(first) == {0: "foreign_revision"}
    book(ledger, [record(9, "a", source="shop", revision=2)])
    redone = metering.process(replace(block, redone=True, refusals=first.refusals), theirs)
    assert fates(redone) == fates(first)


def test_a_block_from_before_there_were_rules_is_redone_as_it_was() -> None:
    """It let a stranger correct; its charge may be in the ledger, and must not be in quarantine as well."""
    ledger = RowsLedger()
    book(ledger, [record(0, "a", source="shop", tokens=1_000)])
    foreign = [record(1, "a", source="stranger", revision=1, tokens=3), record(2, "b", source="vault", tokens=1)]
    before = replace(block_of(foreign, step(ledger)), redone=True)
    before = replace(before, versions=replace(before.versions, sender_rules=""))
    assert fates(step(ledger).process(before, foreign)) == {1: "booked", 2: "booked"}


def test_what_retention_has_dropped_belongs_to_nobody() -> None:
    """The id is known for longer than its entries are kept: what comes then corrects nothing, and is a new charge."""
    ledger = RowsLedger()
    book(ledger, [record(0, "a", source="shop")])
    ledger.held = lambda event_ids, block: {}  # type: ignore[method-assign]
    ledger.entries = lambda event_ids, block: []  # type: ignore[method-assign]
    output = book(ledger, [record(1, "a", source="stranger", revision=1)])
    assert [row["entry_kind"] for row in output.tables["ledger"].to_pylist()] == ["charge"]


def test_without_rules_no_source_is_looked_up() -> None:
    """What costs nothing today costs nothing tomorrow: copies are dropped without asking whose they are."""
    ledger = RowsLedger()
    plain = Origin()
    book(ledger, [record(offset, f"e{offset}") for offset in range(5)], step(ledger, plain))
    asked: list[int] = []

    def held(event_ids: Collection[str], block: Block) -> dict[str, list[Held]]:
        asked.append(len(event_ids))
        return {}

    ledger.held = held  # type: ignore[method-assign]
    records = [record(9 + offset, f"e{offset}", source="stranger") for offset in range(5)]
    assert book(ledger, records, step(ledger, plain)).counts.duplicates == 5
    assert asked == [0]
