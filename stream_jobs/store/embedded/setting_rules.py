"""Which settings a statement may bring along, in its URL and in SETTINGS, and between which bounds.

The read user has an allow-list: limits it may make narrower, never wider or none at all (0 lifts a limit in
ClickHouse, so 0 is out of bounds), and settings that shape the answer. The write user may set limits as it likes, and
what belongs to inserts, mutations and tables.
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
    disk_bytes: int  # what does not fit into memory while it is sorted or grouped
    nice: int = 0  # of its threads: what jobs ask and insert comes first. Only where the process may take it back

    def defaults(self) -> dict[str, str]:
        """As settings of the engine."""
        return {
            "max_memory_usage": str(self.memory_bytes),
            "max_execution_time": str(max(1, round(self.time_s))),
            "max_threads": str(self.threads),
            "max_temporary_data_on_disk_size_for_query": str(self.disk_bytes),  # else grouping could fill the disk
            **({"os_threads_nice_value_query": str(self.nice)} if self.nice else {}),
        }


def _number(low: float, high: float) -> Rule:
    def fits(value: str) -> bool:
        return re.fullmatch(r"\d{1,18}(\.\d{1,6})?", value) is not None and low <= float(value) <= high

    return fits


def _among(*words: str) -> Rule:
    return lambda value: value.lower() in words


def _short(value: str) -> bool:
    return len(value) <= 64


_MAX_TEXT: Final = 512
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
_OF_WRITING: Final = re.compile(
    r"(max|min)_[a-z0-9_]+|insert_(deduplicat|null|quorum|allow)[a-z_]*|deduplicate_[a-z_]+|optimize_[a-z_]+|"
    r"(async_insert|wait_for_async_insert|mutations_sync|alter_sync|lightweight_deletes_sync|parallel_view_processing|"
    r"materialize_ttl_after_modify|materialized_views_[a-z_]+|throw_on_max_partitions_per_insert_block|"
    r"input_format_(csv|tsv|json|native|parquet|arrow|orc|null|skip|defaults|with|import|parallel|binary|bson)[a-z0-9_]*)"
)
"""Settings of inserts, mutations and limits. None holds an expression, as `additional_result_filter` does, names a
file, or chooses another language for statements, as `dialect` does."""
_OF_A_TABLE: Final = re.compile(
    r"index_granularity|[a-z_]*deduplication_window[a-z_]*|ttl_only_drop_parts|merge_with_[a-z_]*ttl_timeout|"
    r"(max|min)_[a-z0-9_]+|parts_to_[a-z_]+|enable_[a-z_]+|allow_nullable_key|ratio_of_[a-z_]+|number_of_free_[a-z_]+"
)
_PATHS: Final = re.compile(r"path|schema(?!_inference)|disk|url|file(?!_size)")


def check_setting(name: str, value: str, known: Container[str], *, may_write: bool, limits: Limits) -> None:
    """Raises EngineError (452, 164) for a setting that this user may not set, or not to this value; 115 for one
    that is not among those the engine knows."""
    if name == "readonly" and value not in ("1", "2"):
        raise refusal(164, "READONLY", "Cannot modify 'readonly' setting in readonly mode")
    if may_write and _may_set_to_write(name, value):
        return
    if name not in known:
        raise refusal(115, "UNKNOWN_SETTING", f"Unknown setting '{name[:64]}'")
    rule = (None if may_write else _bounds(limits).get(name)) or _SHAPES.get(name)
    if rule is None and _ANSWER_FORMATS.fullmatch(name) and "path" not in name and "schema" not in name:
        rule = _short
    if rule is None:
        raise _refused(f"Setting {name[:64]} is not one that may be set in the embedded store")
    if not rule(value):
        raise _refused(f"Setting {name} = {value[:64]!r} is out of bounds")


def _may_set_to_write(name: str, value: str) -> bool:
    if _PATHS.search(name):
        return False
    if name == "max_threads" or _OF_WRITING.fullmatch(name):
        return len(value) <= _MAX_TEXT
    return _OF_A_TABLE.fullmatch(name) is not None and _ANY_NUMBER(value)


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
