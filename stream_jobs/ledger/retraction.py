"""Retractions: the signed opposite of what is booked, so that the sum of all entries of an event becomes zero."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from stream_jobs.ledger.amounts import LEDGER_SIGNS, Signs
from stream_jobs.ledger.dedupe import Identified
from stream_jobs.streams.model import Block

_OPPOSITE: Final = {"charge": "retraction", "adjustment": "adjustment", "retraction": "adjustment"}


def retraction_rows(
    entries: Sequence[Mapping[str, Any]],
    corrections: Mapping[str, Identified],
    block: Block,
    signs: Signs = LEDGER_SIGNS,
) -> list[dict[str, Any]]:
    """The opposite of every entry that another one does not take back already.

    `corrections` holds the correcting event by event_id. Its position in Kafka becomes the position of the rows: the
    block that writes them must find them among its own when it is redone.
    """
    open_entries: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for entry in entries:
        if entry["revision"] >= corrections[entry["event_id"]].revision:
            continue  # an adjustment of what this very block charged, before it was redone
        others = open_entries.setdefault((entry["event_id"], entry["revision"]), [])
        match = next((index for index, other in enumerate(others) if signs.cancel(entry, other)), None)
        if match is None:
            others.append(entry)
        else:
            del others[match]
    return [
        _taken_back(entry, corrections[event_id], block, signs)
        for (event_id, _), kept in open_entries.items()
        for entry in kept
    ]


def _taken_back(entry: Mapping[str, Any], correction: Identified, block: Block, signs: Signs) -> dict[str, Any]:
    return signs.opposite(entry) | {
        "entry_kind": _OPPOSITE[entry["entry_kind"]],
        "booked_at": block.fixed_at,
        "reason_text": f"corrected by revision {correction.revision}",
        "topic_id": block.source.topic_id,
        "partition": block.source.partition,
        "offset": correction.record.offset,
    }
