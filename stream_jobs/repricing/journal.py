"""The record of runs: who corrects the ledger now, what a run is about to post, and what it has posted.

Two inserts decide, both by their deduplication token, of which ClickHouse lets one in: who is next (so there is
one open run at a time, whoever starts one), and what a chunk posts (so whoever resumes a run posts the same entries).
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, cast

import pyarrow as pa

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import as_utc
from stream_jobs.base.money import usd_from_pico
from stream_jobs.ledger.columns import LEDGER_COLUMNS
from stream_jobs.ledger.packed import unpacked
from stream_jobs.ledger.runs import open_run
from stream_jobs.repricing.selection import Chunk, Selection
from stream_jobs.repricing.summary import Summary, total
from stream_jobs.store.arrow_stream import encoded
from stream_jobs.store.client import StoreClient
from stream_jobs.store.deadline import ServerClock
from stream_jobs.store.tables import arrow_table, insert

State = Literal["open", "done", "abandoned"]
_RUN_COLUMNS: Final = (
    "turn, run, at, kind, operator, note, since, until, filters, price_book_version, attribution_version, chunks"
)


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it was opened. `chunks` is its plan."""

    number: int
    run: str
    started_at: datetime
    selection: Selection
    operator: str
    note: str
    price_book_version: str
    attribution_version: str
    chunks: tuple[Chunk, ...]
    unprice: bool = False
    until_now: bool = False  # nobody said until when: two such selections are alike

    def posted_as(self, chunk: Chunk) -> str:
        """The `adjustment_run` of the entries of a chunk."""
        return f"{self.run}/{chunk.number}"

    def token(self, chunk: Chunk, what: str) -> str:
        return f"adjustment:{self.run}:{chunk.number}:{what}"


class RunIsOpenError(ConfigError):
    """Another run is not finished; two at once would both post the same difference."""

    def __init__(self, run: Run) -> None:
        self.open_run = run
        super().__init__(
            f"{describe(run)} is not finished. If nobody works on it any more, resume it with --resume {run.run}, "
            f"or end it where it is with --abandon {run.run}"
        )


def describe(run: Run) -> str:
    return f"run {run.run} ({run.selection.kind}, by {run.operator} since {run.started_at:%Y-%m-%d %H:%M:%S} UTC)"


@dataclass(frozen=True, slots=True)
class Planned:
    """What a chunk posts. `entries` is None when there is nothing to post."""

    run: Run
    chunk: Chunk
    at: datetime
    attempt: str
    summary: Summary
    entries: pa.Table | None

    @property
    def token(self) -> str:
        return self.run.token(self.chunk, "entries")


class Journal:
    """adjustment_runs and adjustment_chunks; a `Journal` of `ledger.posting`. Every call may raise
    StoreUnavailableError and may be repeated."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store
        self.clock = ServerClock(store)
        self.attempt = uuid.uuid4().hex
        """Names this process: is what stands in the journal ours?"""

    def now(self) -> datetime:
        """By the store's clock: runs on several machines, and what workers book meanwhile, are compared by it."""
        return self.clock.now()

    def latest(self) -> tuple[Run, State] | None:
        """The run that had the last number."""
        rows = self._store.rows(
            f"SELECT {_RUN_COLUMNS} FROM adjustment_runs WHERE state = 'open' ORDER BY turn DESC, at LIMIT 1"
        )
        if not rows:
            return None
        run = _run(rows[0])
        return run, self.state(run)

    def find(self, name: str) -> Run:
        """Raises ConfigError if there is no such run."""
        rows = self._store.rows(
            f"SELECT {_RUN_COLUMNS} FROM adjustment_runs WHERE state = 'open' AND run = {{run:String}} LIMIT 1",
            {"run": name},
        )
        if not rows:
            raise ConfigError(f"there is no run {name!r}; see SELECT * FROM adjustment_history")
        return _run(rows[0])

    def state(self, run: Run) -> State:
        rows = self._store.rows(
            "SELECT toString(state) FROM adjustment_runs WHERE run = {run:String} AND state != 'open' LIMIT 1",
            {"run": run.run},
        )
        return cast(State, rows[0][0]) if rows else "open"

    def last_seen(self, run: Run) -> datetime:
        """When something was last done for a run."""
        rows = self._store.rows(
            "SELECT count(), max(at) FROM adjustment_chunks WHERE run = {run:String}", {"run": run.run}
        )
        count, at = cast(tuple[int, datetime], rows[0])
        return as_utc(at) if count else run.started_at

    def open(self, wanted: Run) -> Run:
        """Take the next number. Raises RunIsOpenError if another run has it."""
        latest = self.latest()
        if latest is not None and latest[1] == "open":
            raise RunIsOpenError(latest[0])
        number = latest[0].number + 1 if latest else 1
        run = replace(wanted, number=number)
        row = self._row(run, "open", run.started_at, chunks=run.chunks)
        if not open_run(self._store, "adjustment_runs", row, f"adjustment-turn:{number}", "run"):
            holder = self.latest()
            assert holder is not None
            raise RunIsOpenError(holder[0])
        return run

    def abandon(self, run: Run) -> Summary:
        """End a run where it is: the chunks that were posted stay, each as a whole."""
        summary = total(self.posted(run).values())
        self.close(run, "abandoned", summary)
        return summary

    def close(self, run: Run, state: State, summary: Summary) -> None:
        """End the run; the first to end it says how."""
        row = self._row(run, state, self.now(), summary=summary)
        insert(
            self._store.client, "adjustment_runs", arrow_table("adjustment_runs", [row]), f"adjustment-end:{run.run}"
        )

    def _row(
        self, run: Run, state: State, at: datetime, *, chunks: tuple[Chunk, ...] = (), summary: Summary | None = None
    ) -> dict[str, Any]:
        selection = run.selection
        options = {name: "true" for name in ("unprice", "until_now") if getattr(run, name)}
        listed, contracted, effective = summary.difference() if summary else (0, 0, 0)
        return {
            "turn": run.number,
            "run": run.run,
            "state": state,
            "at": at,
            "kind": selection.kind,
            "operator": run.operator,
            "note": run.note,
            "since": selection.since,
            "until": selection.until,
            "filters": list((selection.filters() | options).items()),
            "price_book_version": run.price_book_version,
            "attribution_version": run.attribution_version,
            "chunks": json.dumps([list(asdict(chunk).values()) for chunk in chunks]) if chunks else "",
            "events": summary.events if summary else 0,
            "adjusted": summary.adjusted if summary else 0,
            "entries": summary.entries if summary else 0,
            "list_cost": usd_from_pico(listed),
            "contracted_cost": usd_from_pico(contracted),
            "effective_cost": usd_from_pico(effective),
            "details": summary.to_json() if summary else "",
        }

    def posted(self, run: Run) -> dict[int, Summary]:
        """What came of the chunks that are finished."""
        rows = self._store.rows(
            "SELECT chunk, any(details) FROM adjustment_chunks WHERE run = {run:String} AND state = 'posted' "
            "GROUP BY chunk",
            {"run": run.run},
        )
        return {cast(int, chunk): Summary.from_json(cast(str, details)) for chunk, details in rows}

    def planned(self, run: Run, chunk: Chunk) -> Planned | None:
        """The plan that counts: the first."""
        rows = self._store.rows(
            "SELECT at, attempt, details, base64Encode(entries) FROM adjustment_chunks WHERE run = {run:String} "
            "AND chunk = {chunk:UInt32} AND state = 'planned' ORDER BY at, attempt LIMIT 1",
            {"run": run.run, "chunk": chunk.number},
        )
        if not rows:
            return None
        at, attempt, details, entries = cast(tuple[datetime, str, str, str], rows[0])
        posted = unpacked(entries, LEDGER_COLUMNS) if entries else None
        return Planned(run, chunk, as_utc(at), attempt, Summary.from_json(details), posted)

    def plan(self, plan: Planned) -> Planned:
        """Write down what the chunk posts, unless it is what another process wrote. Returns the plan that counts."""
        if plan.attempt != self.attempt:
            return plan
        self._write_chunk("planned", plan)
        rows = self._store.rows(
            "SELECT attempt FROM adjustment_chunks WHERE run = {run:String} AND chunk = {chunk:UInt32} "
            "AND state = 'planned' ORDER BY at, attempt LIMIT 1",
            {"run": plan.run.run, "chunk": plan.chunk.number},
        )
        if rows and rows[0][0] == plan.attempt:
            return plan
        counts = self.planned(plan.run, plan.chunk)
        if counts is None:
            raise ConfigError(f"run {plan.run.run} is over: its journal has been cleaned up")
        return counts

    def awaits(self, plan: Planned) -> bool:
        """Whether the chunk may be missing. Of a run that is done none is: another process of it was faster.

        Raises ConfigError when the run was abandoned.
        """
        state = self.state(plan.run)
        if state not in ("open", "done"):
            raise ConfigError(f"run {plan.run.run} was ended by somebody else")
        return state == "open"

    def mark_posted(self, plan: Planned) -> None:
        self._write_chunk("posted", replace(plan, at=self.now(), attempt=self.attempt, entries=None))

    def _write_chunk(self, state: str, plan: Planned) -> None:
        row = {
            "run": plan.run.run,
            "chunk": plan.chunk.number,
            "state": state,
            "at": plan.at,
            "attempt": plan.attempt,
            "events": plan.summary.events,
            "adjusted": plan.summary.adjusted,
            "entry_count": plan.summary.entries,
            "details": plan.summary.to_json(),
            "entries": encoded(plan.entries) if plan.entries is not None else b"",
        }
        token = plan.run.token(plan.chunk, state)
        insert(self._store.client, "adjustment_chunks", arrow_table("adjustment_chunks", [row]), token)


def _run(row: tuple[object, ...]) -> Run:
    number, name, at, kind, operator, note, since, until, filters, book, rules, chunks = cast(tuple[Any, ...], row)
    filters = cast(Mapping[str, str], filters)
    return Run(
        number=number,
        run=name,
        started_at=as_utc(at),
        selection=Selection.from_record(kind, as_utc(since), as_utc(until), filters),
        operator=operator,
        note=note,
        price_book_version=book,
        attribution_version=rules,
        chunks=tuple(Chunk(*values) for values in json.loads(chunks or "[]")),
        unprice="unprice" in filters,
        until_now="until_now" in filters,
    )
