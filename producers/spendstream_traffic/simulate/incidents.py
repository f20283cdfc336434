"""Things that go wrong on request, with the truth about them.

spike                                    the kind's defaults, placed by itself within the run
double:start=2d:duration=3d              an offset from the start of the run, or an instant
night:factor=20:team=support             only a part of the traffic
runaway_user:customer=acme:user_id=acme-u17
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from spendstream_traffic.simulate.catalog import CELLS, CUSTOMERS, ENVIRONMENTS, Cell
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import parse_utc

Kind = Literal["double", "spike", "night", "ramp", "drop", "runaway_user", "cache_collapse", "tier_change"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class _Default:
    duration: timedelta
    factor: float
    scope: tuple[tuple[str, str], ...]
    changes: str
    about: str


_ROOT_USER: Final = f"{CUSTOMERS[0]}-u17"
_DEFAULTS: Final[dict[str, _Default]] = {
    "double": _Default(timedelta(days=3), 2, (), "events", "2 times the traffic for days"),
    "spike": _Default(timedelta(hours=1), 10, (("project", "search"),), "events", "10 times for an hour"),
    "night": _Default(timedelta(hours=3), 20, (("source", "support-bot"),), "events", "20 times at night"),
    "ramp": _Default(timedelta(days=7), 4, (("team", "agents"),), "events", "a slow ramp up to the factor"),
    "drop": _Default(timedelta(hours=2), 0, (("source", "search-api"),), "events", "drop to zero"),
    "runaway_user": _Default(
        timedelta(hours=2), 400, (("customer", CUSTOMERS[0]), ("user_id", _ROOT_USER)), "events", "one user runs away"
    ),
    "cache_collapse": _Default(
        timedelta(hours=6), 0.05, (("project", "search"),), "cache_hits", "the cache hit rate collapses"
    ),
    "tier_change": _Default(
        timedelta(hours=6), 1, (("source", "support-bot"),), "service_tier", "served at the priority tier and its price"
    ),
}
DESCRIPTIONS: Final = {kind: default.about for kind, default in _DEFAULTS.items()}

CELL_FIELDS: Final = ("source", "project", "team", "feature", "cost_center", "workload_type", "provider", "model")
EVENT_FIELDS: Final = ("customer", "environment", "user_id")
_MAX_FACTOR: Final = 100_000.0
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Incident:
    """One incident: from `start` (inclusive) to `end` (exclusive), in the events that match all of `scope`.

    `factor` multiplies the number of events (a ramp reaches it at its end) or, for cache_collapse, the share of cache
    hits; for tier_change it is 1, because neither changes.
    """

    kind: Kind
    start: datetime
    end: datetime
    factor: float
    scope: dict[str, str] = field(default_factory=dict)

    def label(self) -> dict[str, Any]:
        """The truth, as JSON values."""
        return {
            "kind": self.kind,
            "start": self.start.isoformat().replace("+00:00", "Z"),
            "end": self.end.isoformat().replace("+00:00", "Z"),
            "scope": dict(sorted(self.scope.items())),
            "factor": self.factor,
            "changes": _DEFAULTS[self.kind].changes,
        }

    @property
    def changes_volume(self) -> bool:
        return _DEFAULTS[self.kind].changes == "events"

    def covers(self, cell: Cell) -> bool:
        """Whether the cell's events can match the scope."""
        facts = {name: getattr(cell.workload, name, None) for name in CELL_FIELDS}
        facts["provider"], facts["model"] = cell.provider, cell.model.model if cell.model else None
        if not cell.workload.has_customers and {"customer", "user_id"} & self.scope.keys():
            return False
        return all(facts[name] == value for name, value in self.scope.items() if name in CELL_FIELDS)


def parse_duration(text: str) -> timedelta:
    """'90s', '15m', '1h', '30d', '2w', '1h30m'. Raises ConfigError."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ConfigError(f"{text!r} is not a duration; write for instance 15m, 1h, 1h30m or 30d")
    try:
        return sum((timedelta(**{_UNITS[unit]: float(number)}) for number, unit in parts), timedelta(0))
    except OverflowError:
        raise ConfigError(f"{text!r} is too long") from None


def parse_incident(text: str, run_start: datetime, run_end: datetime) -> Incident:
    """'KIND[:key=value...]' within a run. Keys: start, end, duration, factor, and the fields of the scope.

    Raises ConfigError that names what is wrong and what is possible.
    """
    kind, *pairs = re.split(r":(?=[a-z_]+=)", text)
    if kind not in _DEFAULTS:
        raise ConfigError(f"--incident {text}: unknown kind {kind!r}; use one of {', '.join(KINDS)}")
    given = dict(pair.split("=", 1) for pair in pairs)
    try:
        return _incident(kind, given, run_start, run_end)
    except ConfigError as error:
        raise ConfigError([f"--incident {text}: {problem}" for problem in error.problems]) from None


def _incident(kind: str, given: dict[str, str], run_start: datetime, run_end: datetime) -> Incident:
    default = _DEFAULTS[kind]
    problems = [
        f"unknown key {key!r}; use start, end, duration, factor, {', '.join(CELL_FIELDS + EVENT_FIELDS)}"
        for key in given
        if key not in ("start", "end", "duration", "factor", *CELL_FIELDS, *EVENT_FIELDS)
    ]
    if "end" in given and "duration" in given:
        problems.append("give end or duration, not both")
    if problems:
        raise ConfigError(problems)
    duration = parse_duration(given["duration"]) if "duration" in given else default.duration
    if "duration" not in given:
        duration = min(duration, (run_end - run_start) / 3)
    start = _instant(given["start"], run_start) if "start" in given else _place(kind, duration, run_start, run_end)
    end = _instant(given["end"], run_start) if "end" in given else start + duration
    if not run_start <= start < end or end > run_end:
        raise ConfigError(f"lies from {start} to {end}, which is not within the run ({run_start} to {run_end})")
    scope = {key: value for key, value in given.items() if key in CELL_FIELDS + EVENT_FIELDS} or dict(default.scope)
    incident = Incident(kind, start, end, _factor(kind, given.get("factor"), default.factor), scope)  # type: ignore[arg-type]
    check_scope(incident)
    return incident


def check_scope(incident: Incident) -> None:
    """Raises ConfigError when no traffic can match, or a user is not given with the right customer."""
    scope = incident.scope
    user = scope.get("user_id")
    if user is not None:
        customer, _, rank = user.rpartition("-u")
        if not customer or not rank.isdecimal() or customer not in CUSTOMERS:
            raise ConfigError(f"user_id {user!r} does not exist; users are called like {_ROOT_USER}")
        if scope.setdefault("customer", customer) != customer:
            raise ConfigError(f"user {user!r} does not belong to customer {scope['customer']!r}")
    if "customer" in scope and scope["customer"] not in CUSTOMERS:
        raise ConfigError(f"unknown customer {scope['customer']!r}; use one of {', '.join(CUSTOMERS)}")
    if "environment" in scope and scope["environment"] not in ENVIRONMENTS:
        raise ConfigError(f"unknown environment {scope['environment']!r}; use one of {', '.join(ENVIRONMENTS)}")
    if not any(incident.covers(cell) for cell in CELLS):
        wanted = ", ".join(f"{key}={value}" for key, value in scope.items())
        raise ConfigError(f"no simulated traffic has {wanted}")


def _factor(kind: str, text: str | None, default: float) -> float:
    if text is None:
        return default
    try:
        factor = float(text)
    except ValueError:
        factor = -1.0
    if not 0 <= factor <= _MAX_FACTOR:
        raise ConfigError(f"factor must be a number from 0 to {_MAX_FACTOR:g}, not {text!r}")
    if kind == "tier_change":
        raise ConfigError("tier_change takes no factor: the tier's price decides")
    return factor


def _instant(text: str, run_start: datetime) -> datetime:
    if re.fullmatch(r"(\d+(\.\d+)?[smhdw])+", text):
        return run_start + parse_duration(text)
    try:
        return parse_utc(text)
    except ValueError:
        raise ConfigError(
            f"{text!r} is neither an offset such as 2h nor an instant such as 2026-06-01T12:00Z"
        ) from None


def _place(kind: str, duration: timedelta, run_start: datetime, run_end: datetime) -> datetime:
    """Somewhat past the middle of the run; `night` at 1:00 UTC of the first night past the middle, if there is one."""
    start = run_start + (run_end - run_start) * 0.55
    if kind == "night":
        night = start.replace(hour=1, minute=0, second=0, microsecond=0)
        night += timedelta(days=1) if night < start else timedelta(0)
        if night + duration <= run_end:
            return night
        if night - timedelta(days=1) >= run_start:
            return night - timedelta(days=1)
    start = min(start, run_end - duration)
    return start.replace(microsecond=0) if start.replace(microsecond=0) >= run_start else start
