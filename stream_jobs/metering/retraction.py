"""Retractions: the signed opposite of what is booked, so that the sum of all entries of an event becomes zero."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from spendstream_schemas import METERS
from stream_jobs.blocks.model import Block
from stream_jobs.metering.decode import DecodedEvent
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
_OPPOSITE: Final = {"charge": "retraction", "adjustment": "adjustment", "retraction": "adjustment"}


def retraction_rows(
    entries: Sequence[Mapping[str, Any]], corrections: Mapping[str, DecodedEvent], block: Block
) -> list[dict[str, Any]]:
    """The opposite of every entry that another one does not take back already.

    `corrections` holds the correcting event by event_id. Its position in Kafka becomes the position of the rows: the
    block that writes them must find them among its own when it is redone.
    """
    open_entries: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for entry in entries:
        others = open_entries.setdefault((entry["event_id"], entry["revision"]), [])
        match = next((index for index, other in enumerate(others) if _cancel(entry, other)), None)
        if match is None:
            others.append(entry)
        else:
            del others[match]
    return [
        _opposite(entry, corrections[event_id], block) for (event_id, _), kept in open_entries.items() for entry in kept
    ]


def _cancel(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[name] == _negated(other[name]) for name in _SIGNED) and all(
        list(one[name]) == [-value for value in other[name]] for name in _SIGNED_LISTS
    )


def _opposite(entry: Mapping[str, Any], correction: DecodedEvent, block: Block) -> dict[str, Any]:
    row = dict(entry)
    row["entry_kind"] = _OPPOSITE[entry["entry_kind"]]
    row["booked_at"] = block.fixed_at
    row["reason_text"] = f"corrected by revision {correction.event.revision}"
    row["topic_id"] = block.source.topic_id
    row["partition"] = block.source.partition
    row["offset"] = correction.record.offset
    for name in _SIGNED:
        row[name] = _negated(entry[name])
    for name in _SIGNED_LISTS:
        row[name] = [-value for value in entry[name]]
    return row


def _negated(value: Any) -> Any:
    return None if value is None else -value
