"""What people ask of the alerts job: `spendstream alerts ack` and `silence`."""

import argparse
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError

from spendstream_schemas.alert_feed import AlertAck, Silence
from stream_jobs.alerts.document import parse_duration
from stream_jobs.alerts.history import (
    answer_to,
    ids_like,
    silence_document,
    silence_is_recorded,
    silences,
    silences_like,
)
from stream_jobs.alerts.requests import ask
from stream_jobs.alerts.silences import MAX_SILENCES, TOO_MANY_SILENCES
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import parse_utc, utc_now
from stream_jobs.base.readable import clock
from stream_jobs.base.who import user
from stream_jobs.cli.exit_codes import FOUND
from stream_jobs.embedded.instance import find_kafka
from stream_jobs.output.lines import complain, say, say_json
from stream_jobs.runtime.record_producer import RecordProducer
from stream_jobs.series.conditions import conditions
from stream_jobs.store.client import StoreClient

_Record = TypeVar("_Record", AlertAck, Silence)
_Answer = TypeVar("_Answer")


def the_one(store: StoreClient, text: str) -> str:
    """The id of the alert that was meant. Raises ConfigError."""
    return _one(text, ids_like(store, text), "alert", "spendstream alerts list --all")


def _one(text: str, found: list[str], what: str, see: str) -> str:
    if not found:
        raise ConfigError(f"no {what} {text!r}; see '{see}'")
    if len(found) > 1:
        raise ConfigError(f"{text!r} is a part of several ids; give one of: {', '.join(found)}")
    return found[0]


def acknowledge(store: StoreClient, args: argparse.Namespace) -> int:
    """Exit code 0 once it is recorded, 1 when it is refused."""
    request_id = str(uuid.uuid4())
    alert_id = the_one(store, args.id)
    record = _made(AlertAck, request_id=request_id, alert_id=alert_id, by=_who(args), note=args.note, at=utc_now())
    change, note = _asked(args, record, lambda: answer_to(store, request_id))
    if args.json:
        say_json({"alert_id": alert_id, "change": change, "note": note})
    elif change == "acknowledged":
        say(f"{alert_id} is looked after by {record.by}")
    else:
        complain(f"spendstream alerts: {alert_id} cannot be acknowledged: {note}")
    return 0 if change == "acknowledged" else FOUND


def silence(store: StoreClient, args: argparse.Namespace) -> int:
    """Make one or lift one; exit code 0 once that is recorded."""
    record = _lifted(store, args) if args.lift else _new_silence(store, args)
    _asked(args, record, lambda: silence_is_recorded(store, record.silence_id, record.ends_at))
    if args.json:
        say_json(record.model_dump(exclude_none=True))
    elif args.lift:
        say(f"silence {record.silence_id} has ended")
    else:
        say(f"silence {record.silence_id} holds until {clock(record.ends_at)} UTC")
    return 0


def _new_silence(store: StoreClient, args: argparse.Namespace) -> Silence:
    now = utc_now()
    if (args.lasts is None) == (args.until is None):
        raise ConfigError("say how long: --for 2h or --until 2026-01-31T08:00")
    if not (args.scope or args.kind or args.alert):
        raise ConfigError("say of what: --scope NAME=VALUE, --kind NAME or --alert ID; 'project=*' is any project")
    try:
        ends_at = now + parse_duration(args.lasts) if args.lasts else parse_utc(args.until)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{'--for' if args.lasts else '--until'}: {error}") from None
    if ends_at <= now:
        raise ConfigError(f"--until {args.until} is over")
    if len(silences(store, now)) >= MAX_SILENCES:
        raise ConfigError(TOO_MANY_SILENCES)
    return _made(
        Silence,
        silence_id=uuid.uuid4().hex[:12],
        scope=conditions(args.scope, "--scope"),
        kinds=tuple(dict.fromkeys(args.kind)),
        alert_id=the_one(store, args.alert) if args.alert else None,
        starts_at=now,
        ends_at=ends_at,
        by=_who(args),
        note=args.note,
    )


def _lifted(store: StoreClient, args: argparse.Namespace) -> Silence:
    silence_id = _one(args.lift, silences_like(store, args.lift), "silence", "spendstream alerts silences")
    document = silence_document(store, silence_id)
    assert document is not None
    known = Silence.model_validate_json(document)
    if known.ends_at <= utc_now():
        raise ConfigError(f"silence {silence_id} has ended already, at {clock(known.ends_at)} UTC")
    changes = {"ends_at": utc_now(), "by": _who(args)}
    return known.model_copy(update=changes | ({"note": args.note} if args.note else {}))


def _made(model: type[_Record], **values: Any) -> _Record:
    """A record. Raises ConfigError with what is wrong with what was given."""
    try:
        return model(**values)
    except ValidationError as error:
        raise ConfigError(
            [
                f"{'.'.join(str(part) for part in item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
                for item in error.errors(include_url=False, include_context=False, include_input=False)
            ]
        ) from None


def _asked(args: argparse.Namespace, record: AlertAck | Silence, answer: Callable[[], _Answer | None]) -> _Answer:
    producer = RecordProducer(find_kafka(args.bootstrap, args.data_dir))
    try:
        return ask(producer, record, answer)
    finally:
        producer.close()


def _who(args: argparse.Namespace) -> str:
    return str(args.by or user())
