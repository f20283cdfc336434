"""Alerts, rules and receivers to test with."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from spendstream_schemas.alert_feed import AlertAck, AlertSignal, Silence
from stream_jobs.alerts.book import AlertBook, Parsed
from stream_jobs.alerts.document import AlertsDocument
from stream_jobs.alerts.routing import Routing

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def signal(alert_id: str = "a", seconds: float = 0, **changes: Any) -> AlertSignal:
    """Firing, observed so many seconds after NOW."""
    values: dict[str, Any] = {
        "alert_id": alert_id,
        "kind": "budget",
        "name": "BudgetThreshold",
        "status": "firing",
        "severity": "warning",
        "observed_at": at(seconds),
        "starts_at": NOW,
        "group": "g",
        "summary": f"{alert_id} has used 80 % of its budget",
    }
    return AlertSignal(**values | changes)


def over(alert_id: str = "a", seconds: float = 0, **changes: Any) -> AlertSignal:
    return signal(alert_id, seconds, status="resolved", **changes)


def ack(alert_id: str = "a", request_id: str = "r1", **changes: Any) -> AlertAck:
    return AlertAck(request_id=request_id, alert_id=alert_id, by="ann", at=NOW, **changes)


def silence(silence_id: str = "s1", begin_s: float = 0, end_s: float = 60, **changes: Any) -> Silence:
    return Silence(silence_id=silence_id, starts_at=at(begin_s), ends_at=at(end_s), by="ann", **changes)


def parsed(record: AlertSignal | AlertAck | Silence) -> Parsed:
    """As the job parses it."""
    raw = record.model_dump_json(exclude_defaults=True).encode() if isinstance(record, AlertSignal) else b""
    return Parsed(record, raw)


def document(*names: str, **changes: Any) -> AlertsDocument:
    """Webhooks of these names, each told of everything unless the changes say otherwise."""
    values: dict[str, Any] = {
        "receivers": [{"name": name, "type": "webhook", "url": "http://127.0.0.1:9/"} for name in names],
        "default": names,
        "amend_percent": Decimal(20),
    }
    return AlertsDocument.model_validate(values | changes)


def book(**changes: Any) -> AlertBook:
    return AlertBook(Routing(document("slack", **changes)))
