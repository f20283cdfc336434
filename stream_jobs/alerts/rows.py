"""Rows of the alert tables: what is recorded of changes, silences and deliveries."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

import pyarrow as pa
from pydantic import TypeAdapter

from spendstream_schemas.alert_feed import Silence
from stream_jobs.alerts.compose import Planned
from stream_jobs.alerts.model import Transition, packed
from stream_jobs.alerts.notification import Notification
from stream_jobs.store.tables import TABLES, arrow_table

DeliveryState = Literal["sending", "sent", "skipped", "failed"]
NOTIFICATION: Final[TypeAdapter[Notification]] = TypeAdapter(Notification)
MAX_ANSWER: Final = 1000
GIVEN_UP: Final = "given up: "
"""How the answer of what failed begins that is not tried again until it says something else."""


def event_rows(transitions: Sequence[Transition]) -> pa.Table:
    """One row per change, in columns: a storm makes 100,000 of them."""
    schema = TABLES["alert_events"]
    rows = [_event(transition) for transition in transitions]
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table([pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)], schema=schema)


def _event(transition: Transition) -> tuple[object, ...]:
    """In the order of the table's columns."""
    alert = transition.alert
    if alert is None:
        return (
            *(
                transition.alert_id,
                transition.position,
                0,
                transition.kind,
                transition.at,
                "",
                "",
                "",
                "",
                0,
                "",
                "",
                "",
                (),
                0,
            ),
            *(transition.at, transition.at, transition.by, transition.note, transition.request_id, "", (), ""),
        )
    signal = transition.signal or alert.unpacked()
    return (
        *(transition.alert_id, transition.position, alert.episode, transition.kind, transition.at),
        *(alert.status, alert.kind, signal.name, alert.severity, alert.level, alert.group),
        *(signal.summary, signal.owner or "", tuple(signal.labels.items()), alert.money_usd),
        *(
            alert.starts_at,
            alert.observed_at,
            transition.by,
            transition.note or signal.resolution or "",
            transition.request_id,
        ),
        *(alert.silenced_by or "", alert.to_notify, packed(alert)),
    )


def silence_rows(silences: Sequence[Silence], at: datetime) -> pa.Table:
    return arrow_table(
        "alert_silences",
        [
            {
                "silence_id": silence.silence_id,
                "at": at,
                "starts_at": silence.starts_at,
                "ends_at": silence.ends_at,
                "scope": silence.model_dump_json(include={"scope"}, exclude_none=True)[len('{"scope":') : -1],
                "kinds": silence.kinds,
                "alert_id": silence.alert_id or "",
                "by": silence.by,
                "note": silence.note,
                "document": silence.model_dump_json(exclude_none=True),
            }
            for silence in silences
        ],
    )


def delivery_row(planned: Planned, state: DeliveryState, at: datetime, attempt: int, answer: str = "") -> pa.Table:
    note = planned.notification
    notified = planned.notified if state != "failed" else ()
    over = planned.over if state != "failed" else ()
    row = {
        "receiver": planned.receiver,
        "group_id": note.group_id,
        "revision": note.revision,
        "at": at,
        "key": note.key,
        "state": state,
        "action": note.action,
        "attempt": attempt,
        "answer": answer[:MAX_ANSWER],
        "alert_group": planned.group,
        "severity": note.severity,
        "change": note.change,
        "open_alerts": note.open_alerts,
        "resolved_alerts": note.resolved_alerts,
        "money_usd": note.money_usd,
        "first_told": len(planned.notified),
        "position": planned.position,
        "told": [alert_id for alert_id, _ in notified],
        "told_episode": [episode for _, episode in notified],
        "over": [alert_id for alert_id, _ in over],
        "over_episode": [episode for _, episode in over],
        "notification": NOTIFICATION.dump_json(note).decode() if state == "sending" else "",
    }
    return arrow_table("alert_deliveries", [row])
