"""From what a request says to a statement that may run: read by the engine, judged, and only then a Call.

Runs in a thread of a pool, never on the event loop: its time is linear in the length of the statement.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from stream_jobs.store.embedded.canonical import Token, canonical_text, read_tokens
from stream_jobs.store.embedded.clauses import check_input_format, check_output_format, outside
from stream_jobs.store.embedded.errors import EngineError, refusal
from stream_jobs.store.embedded.judge import STREAMED, Verdict, judge
from stream_jobs.store.embedded.literals import put_back, taken_out
from stream_jobs.store.embedded.names import names_table_function, with_names_filled
from stream_jobs.store.embedded.native_hello import HELLO
from stream_jobs.store.embedded.rights import Rights
from stream_jobs.store.embedded.setting_rules import check_setting, within_limits
from stream_jobs.store.embedded.statement import Insert, looks_like_insert, read_insert
from stream_jobs.store.embedded.vocabulary import Vocabulary

DEFAULT_FORMAT: Final = "TabSeparated"
STREAMED_FORMATS: Final = frozenset(
    {"Native", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "RowBinary", "JSONEachRow"}
)
"""Formats whose pieces can simply be joined. All others have a header or footer and are made in one go."""
_MAX_MATERIALIZED_BYTES: Final = 1024**3
_REMEMBERED: Final = 512
_COMPUTED_BYTES: Final = 65_536
_REMEMBERED_BYTES: Final = 8192


class Ask(Protocol):
    """A question to the engine: the answer's bytes. Raises EngineError."""

    def __call__(self, sql: str, output_format: str, parameters: Mapping[str, str] | None = None) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read completely. `text` is the statement as it came, `rows` what follows it if apart."""

    text: bytes
    rights: Rights
    query_id: str
    output_format: str | None = None  # of header or parameter
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[bytes, ...] = ()
    compress_answer: bool = False
    frame_answer: bool = False  # compress=1: ClickHouse's own framing
    client_revision: int | None = None  # of the native protocol that the client speaks

    @property
    def is_insert(self) -> bool:
        return looks_like_insert(self.text)

    @property
    def is_hello(self) -> bool:
        """Whether it is clickhouse-go's first question, whose answer has a format of its own."""
        return self.client_revision is not None and self.output_format == "Native" and self.text.strip() == HELLO


@dataclass(frozen=True, slots=True)
class Call:
    """One statement with everything around it. `parameters` are as in URLs: text escaped like TabSeparated.

    `sql` is the engine's own canonical text. An insert with rows has them apart, as bytes in `data_format`; the file
    that holds them is named at `rows_at`. `mark` finds the statement among the running ones: nobody else knows it.
    """

    sql: str
    verb: str
    rights: Rights
    query_id: str
    output_format: str = DEFAULT_FORMAT
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    data_format: str | None = None
    data: tuple[bytes, ...] = ()
    rows_at: int = 0
    mark: str = field(default_factory=lambda: os.urandom(16).hex())
    tag_seed: bytes = field(default_factory=lambda: os.urandom(16))  # marks an error in the middle of an answer

    @property
    def streamed(self) -> bool:
        return self.verb in STREAMED and self.output_format in STREAMED_FORMATS


class Reader:
    """Reads statements with the help of the engine. Use it from any thread."""

    def __init__(self, ask: Ask, vocabulary: Vocabulary) -> None:
        self._ask = ask
        self._vocabulary = vocabulary
        self._known: OrderedDict[tuple[str, Rights], tuple[str, tuple[Token, ...], Verdict]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, asked: Asked) -> Call:
        """Raises EngineError for what the engine cannot read, and for what this user may not do."""
        rights = asked.rights
        if not rights.may_write:
            within = {name: within_limits(name, value, rights.limits) for name, value in asked.settings.items()}
            asked = replace(asked, settings=within)
        for name, value in asked.settings.items():
            check_setting(name, value, self._vocabulary.settings, may_write=rights.may_write, limits=rights.limits)
        insert = self._insert_with_rows(asked)
        if insert is not None:
            return self._insert(asked, insert)
        text = b"\n".join([asked.text, b"".join(asked.rows)]) if asked.rows else asked.text
        sql, found, verdict = self._statement(text.decode("utf-8", errors="replace"), asked)
        if verdict.verb == "INSERT" and _expects_rows(found):
            raise refusal(62, "SYNTAX_ERROR", "Syntax error: an INSERT without rows")
        output_format = check_output_format(verdict.output_format or asked.output_format or DEFAULT_FORMAT)
        settings = self._settings(asked, output_format, verdict)
        return Call(
            sql=sql,
            verb=verdict.verb,
            rights=asked.rights,
            query_id=asked.query_id,
            output_format=output_format,
            settings=settings,
            parameters=asked.parameters,
        )

    def _statement(self, text: str, asked: Asked) -> tuple[str, tuple[Token, ...], Verdict]:
        if asked.rights.may_write:  # jobs ask for a megabyte of ids at a time
            short, literals = taken_out(text)
            if literals:
                with suppress(EngineError):  # what looks like a text may be none
                    sql, found, verdict = self._judged(short, asked)
                    if (whole := put_back(sql, found, literals)) is not None:
                        return whole, found, verdict
        return self._judged(text, asked)

    def _settings(self, asked: Asked, output_format: str, verdict: Verdict) -> dict[str, str]:
        settings = dict(asked.settings)
        if not asked.rights.may_write:
            limits = asked.rights.limits
            settings = limits.defaults() | settings
            if not (verdict.verb in STREAMED and output_format in STREAMED_FORMATS):
                wanted = int(settings.get("max_result_bytes", limits.result_bytes))
                settings["max_result_bytes"] = str(min(wanted, limits.result_bytes))
        elif verdict.reads_only and output_format not in STREAMED_FORMATS:
            settings.setdefault("max_result_bytes", str(_MAX_MATERIALIZED_BYTES))
        return settings

    def _insert_with_rows(self, asked: Asked) -> Insert | None:
        if not asked.is_insert:
            return None
        if not asked.rights.may_write or asked.rights.read_only:
            return None  # refused as an INSERT once the engine has read it
        with suppress(EngineError):  # the body may complete it
            insert = read_insert(asked.text)
            if insert is not None and not insert.data:
                return Insert(insert.head, insert.data_format, asked.rows)
        return read_insert(b"\n".join([asked.text, b"".join(asked.rows)]) if asked.rows else asked.text)

    def _insert(self, asked: Asked, insert: Insert) -> Call:
        if asked.parameters:
            raise refusal(48, "NOT_IMPLEMENTED", "Parameters are not supported in an INSERT with rows")
        check_input_format(insert.data_format)
        sql, found, verdict = self._judged(f"{insert.head} FORMAT {insert.data_format}", asked)
        if verdict.verb != "INSERT" or not _expects_rows(found) or verdict.output_format != insert.data_format:
            raise refusal(62, "SYNTAX_ERROR", "Syntax error: the rows of an INSERT do not follow a FORMAT or VALUES")
        settings = dict(asked.settings)
        if insert.data_format == "Values":
            settings["input_format_values_interpret_expressions"] = "1" if self._may_compute(insert, asked) else "0"
        return Call(
            sql=sql,
            verb="INSERT",
            rights=asked.rights,
            query_id=asked.query_id,
            settings=settings,
            data_format=insert.data_format,
            data=insert.data,
            rows_at=_rows_at(found),
        )

    def _may_compute(self, insert: Insert, asked: Asked) -> bool:
        """Whether the rows may hold expressions (`now()`), which the engine evaluates: it must have read them as such,
        and they must have been judged. What it cannot read so is data, and stays data."""
        if sum(map(len, insert.data)) > _COMPUTED_BYTES:
            return False
        try:
            _, found = self._canonical("SELECT " + b"".join(insert.data).decode("utf-8", errors="replace"))
            verdict = judge(found, asked.rights, self._vocabulary)
        except EngineError:
            return False
        return not verdict.asks_about and not any(token.value == "{" for token in found)

    def _judged(self, text: str, asked: Asked) -> tuple[str, tuple[Token, ...], Verdict]:
        key = (text, asked.rights)
        short = len(text) <= _REMEMBERED_BYTES
        if short:
            with self._lock:
                if key in self._known:
                    self._known.move_to_end(key)
                    return self._known[key]
        sql, found = self._canonical(text)
        filled = with_names_filled(sql, found, asked.parameters)
        if filled is not None:
            sql, found = self._canonical(filled)
        verdict = self._verdict(sql, found, asked)
        judged = (sql, found, verdict)
        if short and filled is None and not verdict.asks_about and not verdict.conditions:
            with self._lock:
                self._known[key] = judged
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return judged

    def _verdict(self, sql: str, found: tuple[Token, ...], asked: Asked) -> Verdict:
        verdict = judge(found, asked.rights, self._vocabulary)
        if verdict.asks_about:
            tree = self._ask(f"EXPLAIN AST {sql}", "TabSeparatedRaw", asked.parameters).decode("utf-8", "replace")
            if names_table_function(tree, found, verdict.asks_about):
                raise refusal(344, "SUPPORT_IS_DISABLED", f"Table function {min(verdict.asks_about)} is not allowed")
        for condition in verdict.conditions:
            inner, words = self._canonical(f"SELECT (\n{condition}\n)")  # a comment in it ends with its line
            self._verdict(inner, words, asked)
        return verdict

    def _canonical(self, text: str) -> tuple[str, tuple[Token, ...]]:
        line = canonical_text(self._ask, text)
        return line, tuple(read_tokens(line))


def _expects_rows(found: tuple[Token, ...]) -> bool:
    """Whether an INSERT takes rows: no SELECT follows its table."""
    return not any(token.value in ("SELECT", "WITH", "FROM", "WATCH") for _, token in outside(found))


def _rows_at(found: tuple[Token, ...]) -> int:
    """Where FROM INFILE may stand in the text: before SETTINGS and FORMAT. A table may be called SETTINGS, too."""
    place = 0
    for at, token in outside(found):
        if token.value == "SETTINGS" and at + 2 < len(found) and found[at + 2].value == "=":
            return token.start
        if token.value == "FORMAT":
            place = token.start
    return place
