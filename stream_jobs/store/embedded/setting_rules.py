"""Which settings a statement may bring along, in its URL and in SETTINGS, and between which bounds.

The read user has an allow-list: limits it may make narrower, never wider or none at all (0 lifts a limit in
ClickHouse, so 0 is out of bounds), and settings that shape the answer. The write user may set what the engine knows,
except for what names a file, a schema, a server or another disk.
"""

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Final

from stream_jobs.store.embedded.errors import EngineError, refusal
from stream_jobs.store.embedded.vocabulary import read_names

Rule = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one statement of the read user may take: bytes, seconds, rows."""

    memory_bytes: int
    time_s: float
    result_bytes: int  # of an answer that is made in one go; those that are streamed take no memory
    threads: int

    def defaults(self) -> dict[str, str]:
        """As settings of the engine."""
        return {
            "max_memory_usage": str(self.memory_bytes),
            "max_execution_time": str(max(1, round(self.time_s))),
            "max_threads": str(self.threads),
        }


def _number(low: float, high: float) -> Rule:
    def fits(value: str) -> bool:
        return re.fullmatch(r"\d{1,18}(\.\d{1,6})?", value) is not None and low <= float(value) <= high

    return fits


def _among(*words: str) -> Rule:
    return lambda value: value.lower() in words


def _short(value: str) -> bool:
    return len(value) <= 64


_FLAG: Final = _among("0", "1", "true", "false")
_OVERFLOW: Final = _among("throw", "break", "any")
_ROWS: Final = _number(1, 10**18)
_ANY_NUMBER: Final = _number(0, 10**18)

_KINDS: Final[Mapping[str, Rule]] = {"flag": _FLAG, "count": _number(0, 10**18), "overflow": _OVERFLOW, "text": _short}
_SHAPES: Final[Mapping[str, Rule]] = {
    name: _KINDS[kind] for name, kind in (line.split() for line in sorted(read_names("read_settings")))
}
_ANSWER_FORMATS: Final = re.compile(
    r"output_format_(json|csv|tsv|pretty|arrow|parquet|orc|avro|native|binary|values|xml|markdown|bson|msgpack|"
    r"sql_insert|decimal|date|enable_streaming|write_statistics)[a-z0-9_]*"
)
_REACHES_OUT: Final = re.compile(
    r"schema(?!_inference)|template|regexp|registry|url|disk|storage|path|file(?!_size)|script|s3|hdfs|azure|iceberg|"
    r"^log_comment$|^readonly$|remote|cluster|named_collection|dictionary|allow_experimental_eval|introspection|user|"
    r"profile|workload"
)


def check_setting(name: str, value: str, known: Container[str], *, may_write: bool, limits: Limits) -> None:
    """Raises EngineError (452, 164) for a setting that this user may not set, or not to this value, and 115 for one
    that is not among those the engine knows."""
    if name not in known and not may_write:  # of a table there are others
        raise refusal(115, "UNKNOWN_SETTING", f"Unknown setting '{name[:64]}'")
    if name == "readonly" and value not in ("1", "2"):
        raise refusal(164, "READONLY", "Cannot modify 'readonly' setting in readonly mode")
    if may_write:
        if _REACHES_OUT.search(name):
            raise _refused(f"Setting {name[:64]} is not allowed in the embedded store")
        return
    rule = _bounds(limits).get(name) or _SHAPES.get(name)
    if rule is None and _ANSWER_FORMATS.fullmatch(name) and "path" not in name and "schema" not in name:
        rule = _short
    if rule is None:
        raise _refused(f"Setting {name[:64]} is not one that the read user may set")
    if not rule(value):
        raise _refused(f"Setting {name} = {value[:64]!r} is out of the read user's bounds")


def within_limits(name: str, value: str, limits: Limits) -> str:
    """A limit that came in the URL, no wider than it may be: clients send 0 (none) and long times of themselves."""
    largest = {"max_memory_usage": limits.memory_bytes, "max_execution_time": limits.time_s}.get(name)
    if largest is None or not _ANY_NUMBER(value) or 0 < float(value) <= largest:
        return value
    return f"{largest:.0f}"


def _bounds(limits: Limits) -> dict[str, Rule]:
    return {
        "max_memory_usage": _number(1, limits.memory_bytes),
        "max_memory_usage_for_user": _number(1, limits.memory_bytes),
        "max_execution_time": _number(0.001, limits.time_s),
        "max_result_bytes": _ROWS,
        "max_threads": _number(1, 64),
        "readonly": _among("1", "2"),
        "max_query_size": _number(1, 262_144),
        "max_block_size": _number(1, 10**7),
        "max_subquery_depth": _number(1, 100),
        "max_ast_depth": _number(1, 1000),
        "max_ast_elements": _number(1, 50_000),
        "max_expanded_ast_elements": _number(1, 500_000),
        "priority": _number(0, 100),
    }


def _refused(message: str) -> EngineError:
    return refusal(452, "SETTING_CONSTRAINT_VIOLATION", message)
