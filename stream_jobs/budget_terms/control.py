"""Budgets that people change while the pipeline runs: the records of `budget.control.v1`, and what became of them.

The job takes a change up, writes it into budget_definitions, and from there it counts, also after a restart and on a
broker that forgets. A command knows by its change_id that it was taken up, or why not.
"""

import contextlib
import hashlib
import json
import logging
import time
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, cast

from pydantic import Field, ValidationError

from spendstream_schemas.budget_feed import BudgetId
from spendstream_schemas.types import MAX_MESSAGE_BYTES, Instant, Message, Text128
from stream_jobs.base.errors import ConfigError, SpendstreamError
from stream_jobs.base.instants import as_utc
from stream_jobs.budget_terms.credits import Credit, CreditRow, Credits, as_row, credited_period, read_credits
from stream_jobs.budget_terms.document import FILE_NAME, Budget
from stream_jobs.budget_terms.notes import REFUSED
from stream_jobs.budget_terms.resolve import (
    Budgets,
    budget_from_json,
    budget_to_json,
    load_budgets,
    merge,
    merge_fitting,
)
from stream_jobs.store.client import StoreClient
from stream_jobs.store.fitting import printable
from stream_jobs.store.tables import arrow_table, insert

log = logging.getLogger(__name__)

FILE: Final = "file"
CONTROL: Final = "control"
ROWS_AT_ONCE: Final = 1_000
SLICE_S: Final = 0.2
MAX_SET: Final = 2_000
"""How many budgets may be set or removed while the pipeline runs; of the file there may be more."""
LATELY: Final = timedelta(days=1)
"""Whatever follows from another definition is done within that time, unless the job was stopped."""
_MICROSECOND: Final = timedelta(microseconds=1)
_CHANGE_IDS: Final = (
    "SELECT DISTINCT change_id FROM budget_definitions UNION DISTINCT SELECT change_id FROM budget_credits"
)


class BudgetChange(Message):
    """One record: a budget is set, or removed. Key: its id."""

    schema_version: int = Field(1, ge=1, le=1)
    change_id: Text128
    budget_id: BudgetId
    at: Instant
    by: Text128
    note: Annotated[str, Field(max_length=1000)] = ""
    budget: dict[str, Any] | None = None  # as in budgets.yaml; none: removed
    reset: bool = False  # what was set or removed no longer counts: the file does
    credit: Credit | None = None  # in place of all that: only the amount of one period changes, by so much


def change_to_json(change: BudgetChange) -> bytes:
    return change.model_dump_json().encode()


def change_from_json(raw: bytes) -> BudgetChange:
    """Raises ConfigError."""
    if len(raw) > MAX_MESSAGE_BYTES:
        raise ConfigError(f"not a change of a budget: {len(raw)} bytes, at most {MAX_MESSAGE_BYTES} are allowed")
    try:
        raw.decode().encode()  # json.loads takes other encodings too
        # Numbers stay the text they are: a float would lose digits of an amount.
        return BudgetChange.model_validate(json.loads(raw, parse_float=str))
    except ValidationError as error:
        raise ConfigError(f"not a change of a budget: {error.errors(include_url=False)[0]['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not a change of a budget: {error}") from None


@dataclass(frozen=True, slots=True)
class Definition:
    """A row of budget_definitions."""

    budget_id: str
    at: datetime
    change_id: str
    origin: str
    removed: bool
    changed_by: str
    note: str
    definition: str


class Definitions:
    """The file's budgets under those that people set. Used by one thread; raises StoreUnavailableError."""

    def __init__(self, store: StoreClient, config_dir: Path | None) -> None:
        self._store = store
        self._config_dir = config_dir
        self._overrides: dict[str, Budget | None] = {}
        self._known: set[str] = set()  # change ids
        self._waiting: deque[list[BudgetChange]] = deque()
        self._unwritten: list[Definition] = []
        self._unwritten_credits: list[CreditRow] = []
        self.credited: list[CreditRow] = []  # what is in the store
        self.last_at: datetime | None = None  # of the definitions that were written
        self.changed: set[str] = set()  # what looks elsewhere, perhaps: by the file, or lately, before a crash
        self._file = load_budgets(config_dir)
        self.budgets = self._file

    def load(self, now: datetime) -> Budgets:
        """What counts now: the file, and the latest that was set of each budget."""
        with contextlib.suppress(ConfigError):  # who looks for changed files says it
            self._file = load_budgets(self._config_dir)  # another process may have taken it up already
        self.credited = read_credits(self._store)
        self._file = self._file.with_credits(Credits(self.credited))
        latest = self._latest()
        self.changed |= {item.budget_id for item in latest if as_utc(item.at) > now - LATELY}
        # All of them: the topic is read from its beginning, and what was superseded or refused stays so.
        self._known = {str(change_id) for (change_id,) in self._store.rows(_CHANGE_IDS)}
        self._unwritten, self._unwritten_credits = [], []
        self._waiting.clear()  # the topic is read again
        self._overrides = {}
        for item in latest:
            if item.origin == CONTROL:
                try:
                    self._overrides[item.budget_id] = None if item.removed else budget_from_json(item.definition)
                except ConfigError as error:
                    log.error(
                        "budget %s, as it was set at %s, cannot be used any more: %s", item.budget_id, item.at, error
                    )
        self._put_together(now)
        self._record_file(latest, now)
        return self.budgets

    def use_file(self, file: Budgets, now: datetime) -> None:
        """Take up budgets.yaml as it is now."""
        if file.version != self._file.version:
            latest = self._latest()
            self._file = file.with_credits(self._file.credits)
            self._put_together(now)
            self._record_file(latest, now)

    def known_ids(self) -> set[str]:
        """Every budget that there is or ever was."""
        return {
            str(budget_id) for (budget_id,) in self._store.rows("SELECT DISTINCT budget_id FROM budget_definitions")
        }

    @property
    def waiting(self) -> bool:
        """Whether changes wait for the next call of `take_up`."""
        return bool(self._waiting)

    def take_up(self, changes: Iterable[BudgetChange], now: datetime) -> bool:
        """Changes in the order in which they came; those that do not fit are refused, by a row that says why. Returns
        whether any counts now. What could not be written is written by the next call.

        Checking budgets against each other takes the longer the more there are, so changes are tried together, and by
        halves where one does not fit; after SLICE_S the rest waits for the next call, for the job has more to do.
        """
        if group := list(changes):
            self._waiting.append(group)
        rows: list[Definition] = []
        taken = False
        ends = time.monotonic() + SLICE_S
        while self._waiting and (time.monotonic() < ends or not rows):
            group = _distinct(self._waiting.popleft(), self._known)
            together = self._together(group, now) if len(group) > 1 else None
            if together is not None:
                found = [(budget, "") for budget in together]
            elif len(group) > 1:
                middle = len(group) // 2
                self._waiting.extendleft((group[middle:], group[:middle]))
                continue
            else:
                found = [self._tried(change, now) for change in group]
            for change, (budget, why) in zip(group, found, strict=True):
                taken = taken or not why
                if change.credit is None or why:
                    rows.append(_definition(change, budget, why, now))
                self._known.add(change.change_id)
        self._write(rows)
        self._write_credits()
        return taken

    def _together(self, changes: list[BudgetChange], now: datetime) -> list[Budget | None] | None:
        """The budgets that count now, if all changes fit as they are; None, and nothing changed, if one may not."""
        fresh: dict[str, Budget | None] = {}
        found: list[Budget | None] = []
        try:
            for change in changes:
                budget = None if change.budget is None else budget_from_json(json.dumps(change.budget))
                known = fresh.get(change.budget_id, self.budgets.get(change.budget_id)) is not None
                if (
                    change.credit is not None
                    or change.reset
                    or (not known if budget is None else budget.id != change.budget_id)
                ):
                    return None
                fresh[change.budget_id] = budget
                found.append(budget)
            if len(self._overrides.keys() | fresh.keys()) > MAX_SET:
                return None
            budgets = merge(self.budgets, fresh, now=now)
        except ConfigError:
            return None
        except (SpendstreamError, MemoryError):
            raise
        except Exception:
            log.exception("%d changes of budgets cannot be taken up together", len(changes))
            return None
        self.budgets = budgets
        self._overrides |= fresh
        return found

    def _tried(self, change: BudgetChange, now: datetime) -> tuple[Budget | None, str]:
        before, file = (self.budgets, dict(self._overrides)), self._file
        try:
            budget, why = self._try(change, now)
        except (SpendstreamError, MemoryError):
            raise
        except Exception as error:
            log.exception("the change %s of budget %s cannot be taken up", change.change_id, change.budget_id)
            self.budgets, self._overrides = before
            self._file = file
            budget, why = None, f"our own code fails on it, see the log: {error!r}"
        return budget, printable(why)

    def _try(self, change: BudgetChange, now: datetime) -> tuple[Budget | None, str]:
        """The budget that counts now under this id, and why the change is refused if it is."""
        budget_id = change.budget_id
        try:
            if change.credit is not None or change.reset:
                credit = change.credit
                return self._reset(budget_id, now) if credit is None else self._credit(change, credit, now)
            budget = None if change.budget is None else budget_from_json(json.dumps(change.budget))
            if budget is not None and budget.id != budget_id:
                return None, f"the budget is {budget.id}, the record's key {budget_id}"
            if budget is None and budget_id not in self.budgets:
                return None, "there is no such budget"
            if budget_id not in self._overrides and len(self._overrides) >= MAX_SET:
                return None, f"{MAX_SET} budgets are set or removed while running already: put them into {FILE_NAME}"
            self.budgets = merge(self.budgets, {budget_id: budget}, now=now)
        except ConfigError as error:
            return None, "; ".join(error.problems)
        self._overrides[budget_id] = budget
        return budget, ""

    def _reset(self, budget_id: str, now: datetime) -> tuple[Budget | None, str]:
        if budget_id not in self._overrides:
            return None, "nothing was set or removed while running"
        overrides = {one: budget for one, budget in self._overrides.items() if one != budget_id}
        self.budgets = merge(self._file, overrides, now=now)
        self._overrides = overrides
        return self._file.get(budget_id), ""

    def _credit(self, change: BudgetChange, credit: Credit, now: datetime) -> tuple[Budget | None, str]:
        """Raises ConfigError."""
        budget = self.budgets.get(change.budget_id)
        if change.budget is not None or change.reset:
            return None, "a credit changes nothing else"
        if budget is None:
            return None, "there is no such budget"
        calendar = self.budgets.calendar_of(budget)
        period = credited_period(budget, calendar, credit, now)
        about = (calendar.period_key(period), period.start, credit.values, credit.amount)
        row = CreditRow(budget.id, now, change.change_id, *about, change.by, change.note)
        credited = Credits([row], before=self._file.credits)
        self._file, self.budgets = self._file.with_credits(credited), self.budgets.with_credits(credited)
        self._unwritten_credits.append(row)
        return budget, ""

    def _write_credits(self) -> None:
        while self._unwritten_credits:
            part = self._unwritten_credits[:ROWS_AT_ONCE]
            table = arrow_table("budget_credits", [as_row(row) for row in part])
            token = "\0".join(f"{row.budget_id}/{row.change_id}" for row in part)
            insert(self._store.client, "budget_credits", table, hashlib.sha256(token.encode()).hexdigest())
            del self._unwritten_credits[: len(part)]

    def _put_together(self, now: datetime) -> None:
        self.budgets, problems = merge_fitting(self._file, self._overrides, now=now)
        for problem in problems:
            log.error("a budget that was set while running does not fit the file any more and is left out: %s", problem)

    def _latest(self) -> list[Definition]:
        """The last row of each budget that was not refused."""
        rows = self._store.rows(
            "SELECT budget_id, at, change_id, toString(origin), removed, changed_by, note, definition "
            "FROM budget_definitions WHERE NOT startsWith(note, {refused:String}) "
            "ORDER BY budget_id, at DESC LIMIT 1 BY budget_id",
            {"refused": REFUSED},
        )
        return [Definition(*cast(tuple[Any, ...], row)) for row in rows]

    def _record_file(self, latest: list[Definition], now: datetime) -> None:
        """Rows for what the file has changed since: a budget that is new, different or gone."""
        before = {item.budget_id: item for item in latest}
        rows = []
        for budget in self._file:
            text = budget_to_json(budget)
            known = before.get(budget.id)
            if budget.id not in self._overrides and (known is None or known.removed or known.definition != text):
                self.changed.add(budget.id)
                rows.append(Definition(budget.id, now, self._file.version, FILE, False, FILE, "", text))
        rows += [
            Definition(item.budget_id, now, self._file.version, FILE, True, FILE, "", "")
            for item in latest
            if item.origin == FILE and not item.removed and item.budget_id not in self._file
        ]
        self._write(rows)

    def _write(self, rows: list[Definition]) -> None:
        """Each later than the one before: the latest of a budget counts."""
        for number, row in enumerate(rows, 1 - len(rows)):
            at = row.at + number * _MICROSECOND
            if self.last_at is not None:
                at = max(at, self.last_at + _MICROSECOND)
            self.last_at = at
            self._unwritten.append(replace(row, at=at))
        while self._unwritten:
            part = self._unwritten[:ROWS_AT_ONCE]
            table = arrow_table("budget_definitions", [_row(row) for row in part])
            token = "\0".join(f"{row.budget_id}/{row.change_id}/{row.at.isoformat()}" for row in part)
            insert(self._store.client, "budget_definitions", table, hashlib.sha256(token.encode()).hexdigest())
            del self._unwritten[: len(part)]


def _distinct(changes: list[BudgetChange], known: Collection[str]) -> list[BudgetChange]:
    """The first of each change_id, but for those that were decided already."""
    return list({change.change_id: change for change in reversed(changes) if change.change_id not in known}.values())[
        ::-1
    ]


def _definition(change: BudgetChange, budget: Budget | None, why: str, now: datetime) -> Definition:
    return Definition(
        change.budget_id,
        now,
        change.change_id,
        FILE if change.reset else CONTROL,
        budget is None,
        change.by,
        REFUSED + why if why else f" {change.note}" if change.note.startswith(REFUSED) else change.note,
        "" if budget is None else budget_to_json(budget),
    )


def _row(item: Definition) -> dict[str, Any]:
    return {name: getattr(item, name) for name in Definition.__dataclass_fields__}
