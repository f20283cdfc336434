"""What the anomalies job has counted, found and told, against the ledger and a job that nothing ever happened to.

Every block counts once, in its minute or as late, through it all. What is found follows from what each minute holds:
late deltas are judged again, so in the end the findings are those of a job that had everything in time, was never
restarted, and began with the same past. What differs: which finding was told first, and so its id and when it was
detected; findings that were told and were not so are taken back; and late entries of little money (`Fresh.matters`)
change figures without being judged again, so of what is recorded only findings of MUCH are compared.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, cast

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.anomalies.corrections import Corrections
from stream_jobs.anomalies.exact import floats
from stream_jobs.anomalies.findings import Findings
from stream_jobs.anomalies.ledger import LedgerMinutes
from stream_jobs.anomalies.model import FindingRow, Series
from stream_jobs.anomalies.settings import AnomaliesSettings
from stream_jobs.anomalies.signals import alert_id
from stream_jobs.anomalies.start import Start
from stream_jobs.anomalies.states import States
from stream_jobs.anomalies.watch import Watch, restored
from stream_jobs.base.instants import from_unix_micros
from stream_jobs.completeness.watermark import minute_of, start_of
from stream_jobs.detection.detector import CostDetector
from stream_jobs.series.sums import LedgerSums
from stream_jobs.store.client import StoreClient
from tests.chaos.traffic import RUNAWAY

HOUR: Final = 60
KEPT: Final = timedelta(days=8)
SETTINGS: Final = AnomaliesSettings(history_days=7)
MUCH: Final = Decimal(20)
"""USD more or less than expected."""
_OF_WARM: Final = timedelta(hours=2, minutes=59)
"""A snapshot of a warm start is of a time so long before it was written."""


def told_differences(store: StoreClient) -> list[str]:
    """Of what is recorded, while the job runs."""
    ((judged,),) = store.rows("SELECT max(minute) FROM anomaly_states WHERE kind = 'judged'")
    undisturbed = _undisturbed(store, int(str(judged)) + 1)
    if undisturbed is None:
        return ["anomalies: nothing was learned"]
    recorded = [row for row in Findings(store).last(store.now() - KEPT) if row.closing != "corrected"]
    found = {_what(row) for row in recorded if _is_much(row)}
    expected = {_what(row) for row in undisturbed if _is_much(row)}
    problems = []
    if found != expected:
        problems.append(f"anomalies: found and not so {found - expected}, not found {expected - found}")
    if not any(RUNAWAY in row.series.vals and row.direction == "up" for row in recorded):
        problems.append("anomalies: the incident was not found")
    return [*problems, *_twice(recorded)]


def _twice(rows: Iterable[FindingRow]) -> Iterator[str]:
    there = Counter(
        (row.series, row.direction, row.measure, row.kind == "driver") for row in rows if row.state == "open"
    )
    yield from (f"anomalies: {what[0].name} is open {times} times" for what, times in there.items() if times > 1)


def alert_differences(store: StoreClient, log: Sequence[bytes | None]) -> list[str]:
    """Of what was sent: what stands is told as it stands, and nothing under two ids."""
    signals: dict[str, list[AlertSignal]] = defaultdict(list)
    for value in log:
        signal = AlertSignal.model_validate_json(value or b"")
        signals[signal.alert_id].append(signal)
    groups: dict[str, list[FindingRow]] = defaultdict(list)
    for row in Findings(store).last(store.now() - KEPT):
        groups[alert_id(row.group_id)].append(row)
    problems = [f"anomalies: nobody knows what {one} is about" for one in signals if one not in groups]
    for identity, rows in groups.items():
        told = signals.get(identity, [])
        is_open = any(row.state == "open" for row in rows)
        goes_on = any(row.state == "open" and not row.is_calm for row in rows)  # a burst that is calm may be over
        if told and not (is_open if told[-1].status == "firing" else not goes_on):
            problems.append(f"anomalies: {identity} was last told to be {told[-1].status}")
        much = any(abs(row.excess) >= MUCH and row.measure == "effective_cost" for row in rows if row.state == "open")
        if much and not told:
            problems.append(f"anomalies: nobody was told of {identity}")
    return problems


def begun_differences(store: StoreClient) -> Iterator[str]:
    """Of what a job has that begins now, and judges again what came late."""
    now = store.now()
    start = Start(store, SETTINGS, States(store, now), LedgerMinutes(store, SETTINGS.levels))
    recorded = Findings(store).last(now - KEPT)
    vector = LedgerSums(store).vector()
    watch = start.begin(vector, recorded, now)
    if not start.from_snapshot:
        yield "anomalies: nothing was written down that can be gone on from"
        return
    held, booked = _held(watch), _booked(store, watch.next - HOUR)
    over = _taken_out(recorded)
    wrong = {start_of(minute): (held[minute], booked[minute]) for minute in sorted({*held, *booked} - over)
             if held[minute] != booked[minute]}  # fmt: skip
    if wrong:
        yield f"anomalies: {len(wrong)} minutes do not hold what the ledger has: {dict(list(wrong.items())[:5])}"
    known = {one.finding_id for one in watch.rows.all.values()}
    lost = [row.series.name for row in recorded if row.state == "open" and row.finding_id not in known]
    if lost:
        yield f"anomalies: open findings are lost: {lost}"
    there = {row.finding_id: row for row in recorded}
    _correct(store, watch)
    there |= {change.after.finding_id: change.after for change in watch.rows.settle(watch.next - 1, now)}
    yield from _twice(there.values())
    first = watch.fresh.first
    again = None if first is None else start.again(watch, first, lambda _: True, vector, now)
    undisturbed = _undisturbed(store, watch.next)
    if undisturbed is None:
        yield "anomalies: nothing was learned"
        return
    found = {_what(row) for row in _rows(store, again or watch)}
    expected = {_what(row) for row in undisturbed}
    if found != expected:
        yield f"anomalies: not as undisturbed: more {found - expected}, less {expected - found}"


def _undisturbed(store: StoreClient, upto: int) -> list[FindingRow] | None:
    """What is found by who learned what the last warm start learned, and had all of it in time."""
    rows = store.rows(
        "SELECT minute, toUnixTimestamp64Micro(written_at) AS at FROM anomaly_states WHERE kind = 'snapshot' "
        "GROUP BY minute, at ORDER BY at"
    )
    warm = {
        (int(str(minute)), at)
        for minute, micros in rows
        if (at := from_unix_micros(int(str(micros)))) - start_of(int(str(minute))) > _OF_WARM
    }
    if not warm:
        return None
    last = max(warm, key=lambda one: one[1])
    now = store.now()
    snapshot, _ = States(store, now).latest(now - KEPT, lambda minute, at: (minute, at) == last)
    if snapshot is None:
        return None
    state = snapshot.state
    watch = restored(state, SETTINGS.levels, SETTINGS.max_series, CostDetector.load(state["detector"]), ())
    for level, facts in LedgerMinutes(store, SETTINGS.levels).booked_by(
        LedgerSums(store).vector(), start_of(snapshot.minute)
    ):
        watch.add(facts, [level])
    while watch.next < upto:
        watch.judge(now)
    return _rows(store, watch)


def _correct(store: StoreClient, watch: Watch) -> None:
    """What reconciliation took back is part of what is found."""
    Corrections(LedgerSums(store), LedgerMinutes(store, SETTINGS.levels)).look(watch, store.now())


def _rows(store: StoreClient, watch: Watch) -> list[FindingRow]:
    """Everything that is found, as it would be told now."""
    watch.rows.quiet = True
    _correct(store, watch)
    for tracked in watch.rows.all.values():
        tracked.row = None
    changes = watch.rows.settle(watch.next - 1, start_of(watch.next))
    return [change.after for change in changes if change.after.closing != "corrected"]


def _what(row: FindingRow) -> tuple[Any, ...]:
    return (row.series, row.direction, row.measure, row.kind == "dear_request", row.state)


def _is_much(row: FindingRow) -> bool:
    return abs(row.excess) >= MUCH and row.measure == "effective_cost"


def _taken_out(recorded: Iterable[FindingRow]) -> set[int]:
    """Minutes of findings of the total that are over: the detector holds them as usual ones from then on, and those
    after them, too, until it said so, at the latest as the next one began."""
    total = sorted((row for row in recorded if row.series == Series()), key=lambda row: row.starts_at)
    following = [row.starts_at for row in total[1:]]
    found: set[int] = set()
    for row, begins in zip(total, [*following, None], strict=True):
        if row.ends_at is not None:
            found.update(range(minute_of(row.starts_at), minute_of(max(row.ends_at, begins or row.ends_at))))
    return found


def _held(watch: Watch) -> "Counter[int]":
    """Events by minute since an hour before the first that is not judged."""
    found: Counter[int] = Counter()
    detector = cast(CostDetector, watch.detector)
    late = watch.rows._late.get(Series(), {})
    for minute in range(watch.next - HOUR, watch.next):
        found[minute] = round(float(detector.frame.state.ring_x[1, minute % HOUR, 0]))
        if minute in late:
            found[minute] += late[minute].events
    total = watch.registry.names.find(Series())
    for minute in range(watch.next, (watch._minutes.latest or watch.next) + 1):
        sums = watch._minutes.take(minute)
        rows = sums.ids == total
        found[minute] = round(float(floats(sums.sums[rows], "events").sum()))
    return found


def _booked(store: StoreClient, since: int) -> "Counter[int]":
    rows = store.rows(
        "SELECT intDiv(toUnixTimestamp(occurred_at), 60) AS minute, sum(events) FROM ledger "
        "WHERE adjustment_run = '' AND occurred_at >= {since:DateTime('UTC')} GROUP BY minute",
        {"since": start_of(since)},
    )
    return Counter({int(minute): int(events) for minute, events in cast(list[tuple[int, int]], rows)})
