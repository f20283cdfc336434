"""Rows become usage events: what is the same for the whole run is filled in, and the contract is checked."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import ValidationError

from spendstream_schemas import ATTRIBUTION_FIELDS, SCHEMA_VERSION, UsageEvent, invalid_message
from spendstream_traffic.replay.assign import Assigner
from spendstream_traffic.replay.identity import EventIds
from spendstream_traffic.replay.rows import BadRow, Row
from stream_jobs.base.errors import ConfigError


@dataclass(frozen=True)
class RunFacts:
    """What holds for every event of a run. What a row says itself about source, provider or model wins."""

    ids: EventIds
    source: str
    provider: str | None = None
    model: str | None = None
    attribution: Mapping[str, str] = field(default_factory=dict)  # wins over what the row and the rules say
    rules: Assigner | None = None
    first_at: datetime | None = None  # all times are shifted so that the first event happens then


def to_events(rows: Iterable[Row | BadRow], facts: RunFacts) -> Iterator[UsageEvent | BadRow]:
    """One valid event per row, or the reason why it is none."""
    shift: timedelta | None = timedelta(0) if facts.first_at is None else None
    number = 0
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        payload = {
            "schema_version": SCHEMA_VERSION,
            "event_id": facts.ids.of(row.line, row.part),
            "source": facts.source,
            **({"provider": facts.provider} if facts.provider else {}),
            **({"model": facts.model} if facts.model else {}),
            **row.payload,
        }
        attribution = dict(payload.get("attribution") or {})
        if facts.rules is not None:
            facts.rules.fill(attribution, payload["event_id"], number)
        labels = {**attribution.get("labels", {}), **labels_of(facts.attribution)}
        attribution.update({name: value for name, value in facts.attribution.items() if name in ATTRIBUTION_FIELDS})
        if labels:
            attribution["labels"] = labels
        payload["attribution"] = attribution
        try:
            occurred_at = payload.get("occurred_at")
            if isinstance(occurred_at, datetime):
                if shift is None:
                    assert facts.first_at is not None
                    shift = facts.first_at - occurred_at
                payload["occurred_at"] = occurred_at + shift
            event = UsageEvent.model_validate(payload)
        except ValidationError as error:
            yield BadRow(row.line, str(invalid_message(error)))
        except OverflowError:
            yield BadRow(row.line, "occurred_at is out of range after the shift to --start")
        else:
            number += 1
            yield event


def labels_of(attribution: Mapping[str, str]) -> dict[str, str]:
    """{'labels.tier': 'gold'} -> {'tier': 'gold'}."""
    return {name.removeprefix("labels."): value for name, value in attribution.items() if name.startswith("labels.")}


def attribution_constants(pairs: Iterable[str]) -> dict[str, str]:
    """['team=search', 'labels.tier=gold'] as a mapping. Raises ConfigError that names every wrong one."""
    found: dict[str, str] = {}
    problems = []
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not value:
            problems.append(f"--attribution {pair}: expected KEY=VALUE")
        elif name not in ATTRIBUTION_FIELDS and name.removeprefix("labels.") in ("", name):
            problems.append(
                f"--attribution {pair}: {name!r} is no attribution field; "
                f"use one of {', '.join(ATTRIBUTION_FIELDS)}, or labels.NAME"
            )
        else:
            found[name] = value
    if problems:
        raise ConfigError(problems)
    return found
