"""Why a finding is, looked for beside the job: by `explain`, over what the ledger holds of its stretch."""

import json
import logging
import shlex
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from stream_jobs.anomalies.evidence import OTHERS, Evidence, conditions_of
from stream_jobs.anomalies.grouping import pull, sign_of
from stream_jobs.anomalies.model import FindingRow
from stream_jobs.anomalies.reading import CARRIED, EXPLAINED, DearRequest, Reader
from stream_jobs.anomalies.words import series_name
from stream_jobs.base.errors import SpendstreamError
from stream_jobs.base.json_values import json_text
from stream_jobs.base.readable import clock, money, percent
from stream_jobs.explain import Explanation, cells_of, explain, sentences
from stream_jobs.explain.model import ExplainingSet
from stream_jobs.explain.sentences import WORDS
from stream_jobs.store.client import StoreClient

log = logging.getLogger(__name__)

MAX_SENTENCES: Final = 6
MAX_USERS: Final = 5
SHARED: Final = 0.95
"""A value that so much of the cost of a cause has is one of its labels."""
TELLING: Final = Decimal("0.1")
"""A single request is told of if it holds such a share of the excess."""
SET_SHARE: Final = Decimal("0.05")
"""Sets that hold less of the excess, or move against it, are kept and not told: nobody acts on them in time."""
LARGEST: Final = ("team", "feature", "model", "user_id", "customer")
"""Dimensions whose largest part of the excess is told."""
LARGEST_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Cause:
    """What was found out about a finding."""

    evidence: Evidence | None  # None: it could not be read, or is no longer in memory
    conditions: Mapping[str, str]  # what all entries have that are the cause: the series' own, and the first set's
    sentences: tuple[str, ...] = ()
    compared: str = ""  # what the expectation was made of
    shared: Mapping[str, str] = field(default_factory=dict)  # what nearly all of it has in common beside that
    excess_usd: Decimal | None = None  # more than expected in the stretch
    document: str = ""  # all of it but the evidence, for the column `cause`

    @classmethod
    def kept(cls, document: str, otherwise: Mapping[str, str]) -> "Cause":
        """What was kept before a restart; with the conditions `otherwise` where nothing was."""
        try:
            found = json.loads(document) if document else {}
            return cls(
                None,
                _texts(found["conditions"]) if "conditions" in found else otherwise,
                tuple(map(str, found.get("sentences", ()))),
                str(found.get("compared", "")),
                _texts(found.get("shared", {})),
                Decimal(found["excess_usd"]) if found.get("excess_usd") is not None else None,
                document,
            )
        except (ValueError, TypeError, ArithmeticError, AttributeError, RecursionError):  # of another version
            return cls(None, otherwise)


@dataclass(frozen=True, slots=True)
class Looking:
    """What is being looked into."""

    row: FindingRow
    future: "Future[Cause]"


class Causes:
    """Looks into one finding at a time, in a thread of its own. Used by one thread."""

    def __init__(self, store: StoreClient) -> None:
        self._reader = Reader(store)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="anomalies-cause")
        self._looking: Looking | None = None

    @property
    def busy(self) -> FindingRow | None:
        """What is looked into."""
        return None if self._looking is None else self._looking.row

    def look(self, row: FindingRow, end: datetime, also: Sequence[str] = ()) -> None:
        """Begin with one, while there is none; up to `end`."""
        assert self._looking is None
        self._looking = Looking(row, self._thread.submit(find, self._reader, row, end, also))

    def done(self) -> tuple[FindingRow, Cause] | None:
        """What was found out, once."""
        if self._looking is None or not self._looking.future.done():
            return None
        looked, self._looking = self._looking, None
        return looked.row, looked.future.result()

    def wait(self, timeout_s: float | None = None) -> None:
        """Until what is looked into is found out, or so long."""
        if self._looking is not None:
            self._looking.future.exception(timeout_s)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def find(reader: Reader, row: FindingRow, end: datetime, also: Sequence[str] = ()) -> Cause:
    """Never raises: a finding without its cause is better than none."""
    own = conditions_of(row.series)
    try:
        evidence = reader.read(row, end, also)
        explanation = explanation_of(row, evidence)
        conditions = own | first_set(row, explanation)
        dearest = row.direction == "up" and row.kind != "driver"
        dear = reader.dearest(conditions, evidence.start, evidence.end) if dearest else []
        return cause_of(row, evidence, explanation, conditions, dear)
    except SpendstreamError as error:
        log.warning("cannot look for the cause of %s: %s", row.finding_id, error)
    except Exception:
        log.exception("our own code fails on the cause of %s", row.finding_id)
    return Cause(None, own)


def explanation_of(row: FindingRow, evidence: Evidence) -> Explanation:
    """Of the finding's series, by the dimensions that people act on."""
    table = evidence.table.filter(evidence.mask(conditions_of(row.series)))
    dimensions = [name for name in evidence.dimensions if name in EXPLAINED or name in row.series.dims]
    amounts = [name for name in table.column_names if name not in evidence.dimensions]
    return explain(cells_of(table.select([*dimensions, *amounts])))


def first_set(row: FindingRow, explanation: Explanation) -> dict[str, str]:
    """The values that explain most of it, if some do."""
    named = [one for one in _news(row, explanation) if OTHERS not in one.values.values()]
    return dict(named[0].values) if named else {}


def _news(row: FindingRow, explanation: Explanation) -> list[ExplainingSet]:
    """The sets that moved as the finding did. Of a series that is no total they must have moved farther than it has as
    a whole, and hold half of that: else it is the series itself, wherever the most of it lies."""
    sign = sign_of(pull(row))
    moved = [one for one in explanation.sets if sign * one.excess > 0]
    if not row.series.dims:
        return moved
    whole = float(explanation.after / explanation.before) if explanation.before > 0 else None
    moved = [one for one in moved if whole is None or one.times is None or sign * (one.times - whole) > 0]
    half = 2 * sign * sum(one.explains for one in moved) >= sign * explanation.excess
    return moved if half else []


def cause_of(
    row: FindingRow,
    evidence: Evidence,
    explanation: Explanation,
    conditions: Mapping[str, str],
    dear: Sequence[DearRequest] = (),
) -> Cause:
    """As people read it, and as it is kept: `explanation` as `explain` has it, beside users and dear requests."""
    users = users_of(row, evidence, conditions)
    excess, shared = abs(row.excess), shared_by(evidence, conditions)
    excess_usd = Decimal(repr(round(evidence.excess_of(evidence.mask(conditions)), 6)))
    told = [one for one in dear if row.kind == "dear_request" or one.cost >= TELLING * excess > 0]
    why = list(
        sentences(_telling(row, explanation))
        if first_set(row, explanation) or not row.series.dims
        else _by_itself(row, explanation)
    )
    largest = _largest(row, evidence, conditions)
    said = [*why[: MAX_SENTENCES - bool(told) - bool(largest)], *largest, *(_request(one) for one in told[:1])]
    document: dict[str, Any] = {
        "explanation": asdict(explanation),
        "conditions": dict(conditions),
        "compared": evidence.compared,
        "shared": shared,
        "excess_usd": excess_usd,
        "from": evidence.start,
        "to": evidence.end,
        "users": [{"user_id": user, "excess": Decimal(repr(round(part, 6)))} for user, part in users],
        "requests": [asdict(one) for one in dear],
        "sentences": said,
    }
    return Cause(evidence, conditions, tuple(said), evidence.compared, shared, excess_usd, json_text(document))


def shared_by(evidence: Evidence, conditions: Mapping[str, str]) -> dict[str, str]:
    """What nearly all cost of the cause has in common: whose it is, for those who are told."""
    cells, found = evidence.mask(conditions), {}
    for name in (*EXPLAINED, *CARRIED):
        if name not in evidence.dimensions or name in conditions:
            continue
        sums = evidence.values(name, cells)
        value = max(sums, key=lambda one: (sums[one], one), default="")
        if value and value != OTHERS and sums[value] >= SHARED * sum(sums.values()) > 0:
            found[name] = value
    return found


def users_of(row: FindingRow, evidence: Evidence, conditions: Mapping[str, str]) -> list[tuple[str, float]]:
    """Whose cost moved most in the direction of the finding, and by how much, in USD; none if it is one user's."""
    if "user_id" not in evidence.dimensions or "user_id" in conditions:
        return []
    cells, sign = evidence.mask(conditions), sign_of(pull(row))
    named = [user for user in evidence.values("user_id", cells) if user and user != OTHERS]
    moved = evidence.moved_by("user_id", cells)
    ranked = sorted(((sign * moved[user], user) for user in named), key=lambda one: (-one[0], one[1]))
    return [(user, sign * part) for part, user in ranked[:MAX_USERS] if part > 0]


def _telling(row: FindingRow, explanation: Explanation) -> Explanation:
    """Without the sets that nobody would act on; what they explain is unexplained, then. Those that are told are named
    with what the finding's series is cut by: whose it is is the first part of the cause, and the rest lies within."""
    sign, own = sign_of(pull(row)), conditions_of(row.series)
    least = SET_SHARE * abs(explanation.excess)
    sets = [one for one in _news(row, explanation) if sign * one.explains >= least]
    hidden = sum((one.explains for one in explanation.sets if one not in sets), Decimal(0))
    named = tuple(replace(one, values=own | dict(one.values)) for one in sets)
    return replace(explanation, sets=named, unexplained=explanation.unexplained + hidden)


def _largest(row: FindingRow, evidence: Evidence, conditions: Mapping[str, str]) -> list[str]:
    """One sentence: of the cause, the value of each dimension that holds most of the excess."""
    sign, own = sign_of(pull(row)), conditions_of(row.series)
    found: list[str] = []
    cells = evidence.mask(conditions)
    if 2 * sign * evidence.excess_of(cells) < sign * evidence.excess_of(evidence.mask(own)):
        conditions, cells = own, evidence.mask(own)  # a set that holds little of it hides where the most is
    whole = evidence.excess_of(cells)
    for name in LARGEST:
        if name not in evidence.dimensions or name in conditions or sign * whole <= 0:
            continue
        moved = {value: part for value, part in evidence.moved_by(name, cells).items() if value not in ("", OTHERS)}
        value = max(moved, key=lambda one: (sign * moved[one], one), default="")
        if value and moved[value] / whole >= LARGEST_SHARE:
            part, of = (Decimal(repr(round(one, 6))) for one in (moved[value], whole))
            found.append(f"{name} {value} {'+' if part >= 0 else ''}{money(part)} ({percent(abs(part), abs(of))})")
    return [f"largest parts: {', '.join(found)}"] if found else []


def _texts(found: Mapping[str, object]) -> dict[str, str]:
    return {str(name): str(value) for name, value in found.items()}


def _by_itself(row: FindingRow, explanation: Explanation) -> tuple[str, ...]:
    """Of a series in which nothing stands out: it is the cause, and this is by what."""
    name, factor = series_name(conditions_of(row.series)), explanation.factor
    sign = "+" if explanation.excess >= 0 else ""
    text = f"{name}, as a whole: {sign}{money(explanation.excess)}"
    if factor is None:
        return (text,)
    part = explanation.decomposition[factor]
    return (f"{text}, most by {WORDS[factor]} ({'+' if part >= 0 else ''}{money(part)})",)


def _request(one: DearRequest) -> str:
    """With what shows all of it."""
    who = f", user {one.user_id}" if one.user_id else ""
    show = shlex.join(("spendstream", "event", "show", one.event_id))
    return (
        f"the dearest request: {money(one.cost)} at {clock(one.at)} UTC, model {one.model or '(none)'}{who}: `{show}`"
    )
