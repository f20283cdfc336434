"""Compares what is in the store with what the oracle says, to the last digit."""

from collections import Counter
from collections.abc import Iterator
from decimal import Context, Decimal
from typing import Any, Final

from stream_jobs.store.client import StoreClient
from tests.chaos.brokers import TOPIC
from tests.chaos.oracle import FRACTIONS, MEASURES, PICO, ROLLUPS, Expected, Key, Sums

SHOWN: Final = 5
_EXACT: Final = Context(prec=60)
_LEDGER_MEASURES: Final = {
    "events": "events",
    "unpriced_events": "unpriced",
    "unallocated_events": "if(notEmpty(unallocated), events, 0)",
    "unallocated_cost": "if(notEmpty(unallocated), ifNull(effective_cost, 0), 0)",
    "cached_responses": "if(cached_response, events, 0)",
    "errors": "if(status = 'error', events, 0)",
    "tool_calls": "ifNull(tool_web_search, 0)",
}


def differences(store: StoreClient, expected: Expected, topic_id: str) -> list[str]:
    """What is wrong, for people. Empty when ledger, rollups and accounts are exact."""
    found: list[str] = []
    found += _ledger(store, expected)
    for name in ROLLUPS:
        found += _rollup(store, expected, name)
    found += _fates(store, expected, topic_id)
    found += _blocks(store, expected, topic_id)
    return found


def _ledger(store: StoreClient, expected: Expected) -> Iterator[str]:
    """Every event once, its entries summing up to exactly its worth."""
    columns = ", ".join(f"sum({_LEDGER_MEASURES.get(name, f'ifNull({name}, 0)')})" for name in MEASURES)
    booked = {
        str(row[0]): _sums(row[1:]) for row in store.rows(f"SELECT event_id, {columns} FROM ledger GROUP BY event_id")
    }
    worth = {event_id: {name: fact.measures[name] for name in MEASURES} for event_id, fact in expected.winners.items()}
    yield from _compare("ledger", booked, worth)
    for name in MEASURES:
        total = sum(sums[name] for sums in booked.values())
        if total != expected.total()[name]:
            yield f"ledger: the total of {name} is {total}, not {expected.total()[name]}"


def _rollup(store: StoreClient, expected: Expected, name: str) -> Iterator[str]:
    keys = ROLLUPS[name]
    rows = store.rows(
        f"SELECT {', '.join(keys)}, {', '.join(f'sum({measure})' for measure in MEASURES)} FROM {name} GROUP BY ALL"
    )
    # A revision that moved the event takes back everything under the old key: what remains there is zero.
    booked = {_key(row[: len(keys)]): sums for row in rows if any((sums := _sums(row[len(keys) :])).values())}
    worth = {key: sums for key, sums in expected.rollup(name).items() if any(sums.values())}
    yield from _compare(name, booked, worth)
    entries = store.rows(f"SELECT (SELECT sum(entries) FROM {name}), (SELECT count() FROM ledger)")[0]
    if entries[0] != entries[1]:
        yield f"{name}: fed by {entries[0]} entries, the ledger has {entries[1]}"


def _fates(store: StoreClient, expected: Expected, topic_id: str) -> Iterator[str]:
    """Every record of the log has exactly one fate: a charge, a duplicate, or quarantine with the right reason."""
    where = f"WHERE topic_id = '{topic_id}'"
    charges = _positions(store, f"SELECT partition, offset FROM ledger {where} AND entry_kind = 'charge'")
    duplicates = _positions(store, f"SELECT partition, offset FROM duplicates {where}")
    rows = store.rows(f"SELECT partition, offset, reason FROM quarantine {where}")
    quarantined = Counter((_int(row[0]), _int(row[1])) for row in rows)
    for name, positions in (("ledger", charges), ("duplicates", duplicates), ("quarantine", quarantined)):
        twice = [at for at, times in positions.items() if times > 1]
        if twice:
            yield f"{name}: {len(twice)} records stand twice, e.g. {sorted(twice)[:SHOWN]}"
    events = set(charges) | set(duplicates)
    if both := sorted(set(charges) & set(duplicates))[:SHOWN]:
        yield f"booked and duplicates at once: {both}"
    if lost := sorted(expected.events_at - events):
        yield f"{len(lost)} events are neither booked nor duplicates, e.g. {lost[:SHOWN]}"
    if strange := sorted(events - expected.events_at):
        yield f"{len(strange)} records that are no events are booked or duplicates, e.g. {strange[:SHOWN]}"
    if beaten := sorted(at for at in expected.winner_at.values() if at not in charges)[:SHOWN]:
        yield f"the copy that counts is not the one that is booked: {beaten}"
    reasons = {(_int(row[0]), _int(row[1])): str(row[2]) for row in rows}
    if reasons != expected.refused:
        wrong = sorted(at for at in reasons.keys() | expected.refused if reasons.get(at) != expected.refused.get(at))
        at = wrong[0]
        yield (
            f"quarantine: {len(wrong)} records are wrong, e.g. {at}: {reasons.get(at)}, not {expected.refused.get(at)}"
        )


def _blocks(store: StoreClient, expected: Expected, topic_id: str) -> Iterator[str]:
    """Finished blocks tile every partition up to its end, each has its row, and each accounts for its records."""
    for partition, end in expected.ends.items():
        receipts = store.rows(
            "SELECT first_offset, last_offset, received, booked, duplicates, quarantined FROM block_receipts "
            f"WHERE topic = '{TOPIC}' AND topic_id = '{topic_id}' AND partition = {partition} ORDER BY first_offset"
        )
        intended = set(
            store.rows(
                "SELECT first_offset, last_offset FROM blocks "
                f"WHERE topic_id = '{topic_id}' AND partition = {partition}"
            )
        )
        position = 0
        for first, last, received, booked, duplicates, quarantined in (tuple(map(_int, row)) for row in receipts):
            block = f"block {partition}:{first}-{last}"
            if first != position:
                yield f"{block} does not follow offset {position - 1}"
            if (first, last) not in intended:
                yield f"{block} has no row in blocks"
            if received != last - first + 1 or received != booked + duplicates + quarantined:
                yield f"{block}: {received} received, {booked} booked, {duplicates} duplicates, {quarantined} refused"
            position = last + 1
        if position != end:
            yield f"partition {partition}: the blocks end at {position}, the log at {end}"


def _compare(name: str, booked: dict[Any, Sums], worth: dict[Any, Sums]) -> Iterator[str]:
    wrong = [key for key in booked.keys() | worth if booked.get(key) != worth.get(key)]
    if not wrong:
        return
    lost = sum(key not in booked for key in wrong)
    yield f"{name}: {len(wrong)} of {len(worth)} are wrong ({lost} are missing)"
    for key in sorted(wrong, key=str)[:SHOWN]:
        have, want = booked.get(key, {}), worth.get(key, {})
        parts = [
            f"{measure} {have.get(measure, 'absent')}, not {want.get(measure, 'there')}"
            for measure in MEASURES
            if have.get(measure) != want.get(measure)
        ]
        yield f"  {key}: {'; '.join(parts)}"


def _positions(store: StoreClient, sql: str) -> Counter[tuple[int, int]]:
    return Counter((_int(row[0]), _int(row[1])) for row in store.rows(sql))


def _key(values: tuple[Any, ...]) -> Key:
    time = values[0]
    return (time.replace(tzinfo=None) if hasattr(time, "tzinfo") else time, *values[1:])


def _sums(values: tuple[Any, ...]) -> Sums:
    return {
        name: int(_EXACT.multiply(Decimal(str(value)), PICO)) if name in FRACTIONS else int(value)
        for name, value in zip(MEASURES, values, strict=True)
    }


def _int(value: object) -> int:
    return int(str(value))
