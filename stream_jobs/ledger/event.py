"""Everything that is known of one event, for whoever asks what it cost and why: `spendstream event show`.

The ledger is not searched: `booked_ids` says where an event's entries are.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final, NamedTuple

import pyarrow as pa

from stream_jobs.attribution.rules import AppliedRule
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import as_utc
from stream_jobs.ledger.columns import LEDGER_COLUMNS
from stream_jobs.ledger.entries import Entries
from stream_jobs.ledger.reader import entries_of
from stream_jobs.ledger.rebuild import reported_facts
from stream_jobs.ledger.versions import recorded_rules
from stream_jobs.store.client import StoreClient
from stream_jobs.store.fitting import as_table
from stream_jobs.store.tables import TABLES

_COSTS: Final = ("list_cost", "contracted_cost", "effective_cost", "avoided_cost")
_MAPS: Final = frozenset(field.name for field in TABLES["ledger"] if pa.types.is_map(field.type))
_PLACE: Final = "topic_id, partition, offset"


class _Beside(NamedTuple):
    """Rows about an event that are not in the ledger."""

    columns: str
    table: str
    order: str
    known_by: str = ""  # the table that says whether there are any, if not the table itself
    condition: str = "event_id = {id:String}"


_BESIDE: Final[Mapping[str, _Beside]] = {
    "copies": _Beside(
        "seen_at, source, revision, topic, topic_id, partition, offset, first_booked_at", "duplicates", "seen_at"
    ),
    "refused": _Beside(
        f"quarantined_at, source, reason, path, detail, topic, {_PLACE}", "quarantine", "quarantined_at"
    ),
    "reconciled": _Beside(
        "found_at, event_id, cause, source, response_id, kept_event_id, kept_source, copies, events, effective_cost",
        *("reconciliation_findings", "found_at", ""),
        "(event_id = {id:String} OR kept_event_id = {id:String})",
    ),
    "outcomes": _Beside(
        "entry_kind, revision, events, occurred_at, booked_at, source, outcome, quantity, value_usd, reason_text, "
        f"{_PLACE}",
        *("outcomes", "booked_at, entry_kind", "outcome_ids"),
    ),
}
_WHERE_ELSE: Final = " UNION ALL ".join(
    f"(SELECT '{name}' FROM {known.known_by or known.table} WHERE {known.condition} LIMIT 1)"
    for name, known in _BESIDE.items()
)


@dataclass(frozen=True, slots=True)
class EventStory:
    """One event. Rows are mappings by column; amounts are USD, NULL (None) where nothing has a price."""

    event_id: str
    entries: Sequence[Mapping[str, Any]]  # of the ledger, oldest first: charges, adjustments, retractions
    attributed_by: Sequence[AppliedRule]  # of the rules that say whose it is now: the changes, in order
    attribution_problem: str  # why those cannot be said; empty where they are
    runs: Sequence[Mapping[str, Any]]  # of corrections that posted adjustments, each as it stands now
    copies: Sequence[Mapping[str, Any]]  # that were dropped: who else sent this id
    refused: Sequence[Mapping[str, Any]]  # records with this id in the quarantine
    reconciled: Sequence[Mapping[str, Any]]  # calls that were reported twice: which event counts
    outcomes: Sequence[Mapping[str, Any]]

    @property
    def known(self) -> bool:
        """Whether there is anything at all."""
        return any((self.entries, self.copies, self.refused, self.reconciled, self.outcomes))

    @property
    def state(self) -> str:
        """``booked``, ``taken back`` (its entries add up to no event), ``refused`` or ``unknown``; of an id that only
        outcomes have, theirs."""
        if booked := self.entries or self.outcomes:
            return "booked" if sum(entry["events"] for entry in booked) > 0 else "taken back"
        return "refused" if self.refused else "unknown"

    @property
    def has_no_price(self) -> bool:
        """Whether it is booked and nobody knows what it costs now, whatever was booked before."""
        return int(sum(entry["unpriced"] for entry in self.entries)) > 0

    def cost(self, name: str) -> Decimal | None:
        """The sum of a cost over all entries; None while the event has no price."""
        if self.has_no_price and name != "avoided_cost":
            return None
        amounts = [entry[name] for entry in self.entries if entry[name] is not None]
        return sum(amounts, Decimal(0)) if amounts else None

    @property
    def costs(self) -> dict[str, Decimal | None]:
        return {name: self.cost(name) for name in _COSTS}


def event_story(store: StoreClient, event_id: str) -> EventStory:
    """What the store knows of the event. Raises StoreUnavailableError and StoreQueryError."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(_beside, store, event_id)  # meanwhile
        entries = [_with_maps(entry) for entry in entries_of(store, [event_id])]
        applied, problem = _attribution(store, entries)
        runs = sorted({entry["adjustment_run"].partition("/")[0] for entry in entries} - {""})
        return EventStory(event_id, entries, applied, problem, _runs(store, runs), **asked.result())


def _beside(store: StoreClient, event_id: str) -> dict[str, list[dict[str, Any]]]:
    """Most events are only in the ledger: one question says where else."""
    parameters: dict[str, object] = {"id": event_id}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in _BESIDE}
    for (name,) in store.rows(_WHERE_ELSE, parameters):
        columns, table, order, _, condition = _BESIDE[str(name)]
        found[str(name)] = _rows(store, columns, f"{table} WHERE {condition} ORDER BY {order}", parameters)
    return found


def _with_maps(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Labels and conditions by name: they are read as pairs."""
    return {name: dict(value) if name in _MAPS else value for name, value in entry.items()}


def _rows(store: StoreClient, columns: str, rest: str, parameters: dict[str, object]) -> list[dict[str, Any]]:
    names = columns.split(", ")
    rows = store.rows(f"SELECT {columns} FROM {rest}", parameters)
    return [
        {name: as_utc(value) if isinstance(value, datetime) else value for name, value in zip(names, row, strict=True)}
        for row in rows
    ]


def _runs(store: StoreClient, runs: list[str]) -> list[dict[str, Any]]:
    if not runs:
        return []
    return _rows(
        store, "run, kind, operator, note, at, state",
        "(SELECT run, kind, operator, note, started_at AS at, state FROM adjustment_history "
        "WHERE run IN {runs:Array(String)}) ORDER BY at", {"runs": runs},
    )  # fmt: skip


def _attribution(store: StoreClient, entries: Sequence[Mapping[str, Any]]) -> tuple[Sequence[AppliedRule], str]:
    """What the rules of the last entry that counts it, its charge or a re-attribution, change of what was sent."""
    counting = sorted((entry for entry in entries if entry["events"] > 0), key=itemgetter("revision"))
    if not counting:
        return (), ""
    try:
        rules = recorded_rules(store, counting[-1]["attribution_version"])
    except ConfigError as error:
        return (), str(error)
    last = Entries(as_table(LEDGER_COLUMNS, [dict(counting[-1])]))
    return rules.explain(reported_facts(last)(0))[1], ""
