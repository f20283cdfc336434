"""Reading what was recorded of alerts, for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from stream_jobs.alerts.text import clean
from stream_jobs.output.escape import escaped
from stream_jobs.store.client import StoreClient

LIST_COLUMNS: Final = (
    *("alert_id", "kind", "name", "state", "severity", "level", "summary", "money_usd", "owner", "labels"),
    *("alert_group", "starts_at", "opened_at", "changed_at", "episode", "acknowledged_by", "silence_id", "receivers"),
)
_ALL: Final = (
    "(SELECT alert_id, kind, name, status AS state, severity, level, summary, money_usd, owner, labels, alert_group, "
    "starts_at, parseDateTime64BestEffort(JSONExtractString(document, 'opened_at'), 6, 'UTC') AS opened_at, "
    "at AS changed_at, episode, JSONExtractString(document, 'acknowledged_by') AS acknowledged_by, silence_id, "
    "receivers FROM alert_events WHERE (alert_id, position) IN (SELECT alert_id, max(position) FROM alert_events "
    "WHERE change != 'ack_refused' GROUP BY alert_id) AND episode > 0)"
)
_EVENTS: Final = ("at", "episode", "change", "status", "severity", "level", "money_usd", "by", "note", "silence_id")
_GROUP: Final = (
    "(alert_group = {group:String} OR alert_id IN (SELECT arrayJoin(told) FROM alert_deliveries "
    "WHERE group_id = {group:String} OR endsWith(group_id, concat('-', {group:String}))))"
)
"""A group, or what was told of one run of it, which messages name: by the whole of its id or by its end."""
MAX_ODD_IDS: Final = 10_000
_NOTIFIED: Final = ("at", "receiver", "state", "action", "attempt", "change", "answer")
_CONTAINS: Final = "position(id, {text:String}) > 0"
_ALERT_IDS: Final = (
    "SELECT alert_id AS id, argMax(status, position) AS status FROM alert_events WHERE {condition} AND episode > 0 "
    "GROUP BY id ORDER BY status = 'resolved', max(at) DESC"
)
_SILENCE_IDS: Final = (
    "SELECT silence_id AS id, min(ends_at) AS ends FROM alert_silences WHERE {condition} GROUP BY id "
    "ORDER BY ends <= now64(6, 'UTC'), ends"
)
MAX_LIKE: Final = 10
_SILENCES: Final = ("silence_id", "starts_at", "ends_at", "scope", "kinds", "alert_id", "by", "note")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts to list. The gravest and dearest come first."""

    kinds: Sequence[str] = ()
    severities: Sequence[str] = ()
    group: str | None = None
    ended: bool = False  # those that are over too
    limit: int = 50


def find(store: StoreClient, wanted: Filter) -> list[dict[str, Any]]:
    """Alerts by LIST_COLUMNS."""
    conditions, parameters = ["1"], dict[str, object]()
    for name, values in (("kind", wanted.kinds), ("severity", wanted.severities)):
        if values:
            conditions.append(f"{name} IN {{{name}:Array(String)}}")
            parameters[name] = list(values)
    if wanted.group is not None:
        conditions.append(_GROUP)
        parameters["group"] = clean(wanted.group)
    rows = store.rows(
        f"SELECT {', '.join(LIST_COLUMNS)} FROM {_ALL if wanted.ended else 'alerts_open'} "
        f"WHERE {' AND '.join(conditions)} "
        "ORDER BY state = 'resolved', indexOf(['critical', 'error', 'warning', 'info'], severity), money_usd DESC, "
        f"changed_at DESC, alert_id LIMIT {wanted.limit:d}",
        parameters,
    )
    return [dict(zip(LIST_COLUMNS, row, strict=True)) for row in rows]


def ids_like(store: StoreClient, text: str) -> list[str]:
    """The alert of this id, or else those whose id contains the text, open ones first; ten at most. The text may be an
    id as a table or a message shows it."""
    return _like(store, text, _ALERT_IDS)


def silences_like(store: StoreClient, text: str) -> list[str]:
    """The same for silences: those that have not ended first."""
    return _like(store, text, _SILENCE_IDS)


def _like(store: StoreClient, text: str, ids: str) -> list[str]:
    """`ids`: a query of the names, with a place for a condition on `id`."""

    def ask(condition: str, value: str, limit: int) -> list[str]:
        question = f"{ids.format(condition=condition)} LIMIT {limit}"
        return [str(name) for (name, *_) in store.rows(question, {"text": value})]

    for wanted in dict.fromkeys((text, clean(text))):
        if wanted and (found := ask("id = {text:String}", wanted, 1) or ask(_CONTAINS, wanted, MAX_LIKE)):
            return found
    # Names of others may hold what is not shown as it is: those are compared as they are shown.
    odd = ask("NOT match(id, '^[ -~]*$') AND {text:String} != ''", text, MAX_ODD_IDS)
    shown = {name: {escaped(name), clean(name)} for name in odd}
    same = [name for name in odd if text in shown[name]]
    return same[:1] or [name for name in odd if any(text in one for one in shown[name])][:MAX_LIKE]


def document_of(store: StoreClient, alert_id: str) -> str | None:
    """The alert as it stands, see model.unpacked."""
    rows = store.rows(
        "SELECT document FROM alert_events WHERE alert_id = {id:String} AND change != 'ack_refused' "
        "ORDER BY position DESC LIMIT 1",
        {"id": alert_id},
    )
    return str(rows[0][0]) if rows else None


def events_of(store: StoreClient, alert_id: str) -> list[dict[str, Any]]:
    """Its history, the beginning first."""
    rows = store.rows(
        f"SELECT {', '.join(_EVENTS)} FROM alert_events WHERE alert_id = {{id:String}} ORDER BY position",
        {"id": alert_id},
    )
    return [dict(zip(_EVENTS, row, strict=True)) for row in rows]


def deliveries_of(store: StoreClient, alert_id: str) -> list[dict[str, Any]]:
    """What was told of the groups that it was told in, the beginning first."""
    rows = store.rows(
        f"SELECT {', '.join(_NOTIFIED)} FROM alert_deliveries WHERE state != 'sending' AND (receiver, group_id) IN ("
        "SELECT receiver, group_id FROM alert_deliveries WHERE has(told, {id:String})) ORDER BY at LIMIT 200",
        {"id": alert_id},
    )
    return [dict(zip(_NOTIFIED, row, strict=True)) for row in rows]


def silences(store: StoreClient, now: datetime, *, ended: bool = False) -> list[dict[str, Any]]:
    """Silences that hold now or later; with `ended`, all that are kept. Of the rows of one the first end counts."""
    condition = "1" if ended else "ends_at > {now:DateTime64(6, 'UTC')} AND ends_at > starts_at"
    rows = store.rows(
        f"SELECT * FROM (SELECT {', '.join(_SILENCES)} FROM alert_silences ORDER BY ends_at, at LIMIT 1 BY silence_id) "
        f"WHERE {condition} ORDER BY ends_at",
        {"now": now},
    )
    return [dict(zip(_SILENCES, row, strict=True)) for row in rows]


def silence_document(store: StoreClient, silence_id: str) -> str | None:
    """Its record, the one that ends first if there are several."""
    rows = store.rows(
        "SELECT document FROM alert_silences WHERE silence_id = {id:String} ORDER BY ends_at, at LIMIT 1",
        {"id": silence_id},
    )
    return str(rows[0][0]) if rows else None


def answer_to(store: StoreClient, request_id: str) -> tuple[str, str] | None:
    """What became of an acknowledgement: acknowledged or ack_refused, and the note."""
    rows = store.rows(
        "SELECT change, note FROM alert_events WHERE request_id = {id:String} ORDER BY position LIMIT 1",
        {"id": request_id},
    )
    return (str(rows[0][0]), str(rows[0][1])) if rows else None


def silence_is_recorded(store: StoreClient, silence_id: str, ends_at: datetime) -> bool:
    rows = store.rows(
        "SELECT count() FROM alert_silences WHERE silence_id = {id:String} AND ends_at <= {end:DateTime64(6, 'UTC')}",
        {"id": silence_id, "end": ends_at},
    )
    return bool(rows[0][0])
