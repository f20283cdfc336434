"""Retractions: the signed opposite of what is booked, so that the sum of all entries of an event becomes zero."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from spendstream_schemas import METERS
from stream_jobs.blocks.model import Block
from stream_jobs.store.tables import TOOL_COLUMNS

_SIGNED: Final = (
    *METERS,
    *TOOL_COLUMNS,
    "list_cost",
    "contracted_cost",
    "effective_cost",
    "avoided_cost",
    "events",
    "unpriced",
)
_SIGNED_LISTS: Final = ("line_quantity", "line_list_cost", "line_cost", "line_effective_cost")
_OPPOSITE: Final = {"charge": "retraction", "adjustment": "adjustment"}


def retraction_rows(
    entries: Sequence[Mapping[str, Any]], revisions: Mapping[str, int], block: Block
) -> list[dict[str, Any]]:
    """The opposite of every entry that is not taken back yet. `revisions` names the correcting revision by event."""
    open_entries: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for entry in entries:
        key = (entry["event_id"], entry["revision"])
        if entry["entry_kind"] == "retraction":
            open_entries.pop(key, None)
        else:
            open_entries.setdefault(key, []).append(entry)
    return [
        _opposite(entry, revisions[event_id], block) for (event_id, _), kept in open_entries.items() for entry in kept
    ]


def _opposite(entry: Mapping[str, Any], correcting_revision: int, block: Block) -> dict[str, Any]:
    row = dict(entry)
    row["entry_kind"] = _OPPOSITE[entry["entry_kind"]]
    row["booked_at"] = block.fixed_at
    row["reason_text"] = f"corrected by revision {correcting_revision}"
    for name in _SIGNED:
        row[name] = None if entry[name] is None else -entry[name]
    for name in _SIGNED_LISTS:
        row[name] = [-value for value in entry[name]]
    return row
