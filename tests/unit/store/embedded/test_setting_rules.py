"""Which settings may come along, and how far they may go."""

import pytest

from stream_jobs.store.embedded.errors import EngineError
from stream_jobs.store.embedded.setting_rules import Limits, check_setting, within_limits

LIMITS = Limits(memory_bytes=1000, time_s=60, result_bytes=100, threads=2, disk_bytes=1000)


class Everything:
    def __contains__(self, name: object) -> bool:
        return True


def fits(name: str, value: str, *, write: bool = False) -> bool:
    try:
        check_setting(name, value, Everything(), may_write=write, limits=LIMITS)
    except EngineError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("max_memory_usage", ("1", "1000"), ("0", "1001", "-1", "1e2", "", "1000000000000000000000", "0x10", "nan")),
        ("max_execution_time", ("1", "59.5", "60"), ("0", "61", "inf")),
        ("max_threads", ("1", "64"), ("0", "65", "auto")),
        ("join_use_nulls", ("0", "1", "true"), ("2", "yes", "1; DROP")),
        ("result_overflow_mode", ("break", "throw"), ("whatever",)),
        ("output_format_json_quote_decimals", ("1",), ("x" * 65,)),
        ("output_format_schema", (), ("x",)),
        ("format_schema", (), ("x",)),
        ("format_template_row", (), ("x",)),
        ("format_avro_schema_registry_url", (), ("x",)),
        ("log_comment", (), ("",)),
        ("additional_result_filter", (), ("1",)),
        ("dialect", (), ("prql",)),
        ("something_new", (), ("1",)),
    ],
)
def test_the_read_user(name: str, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    """Limits can be made narrower in both directions; what shapes an answer may be chosen; nothing else may be set."""
    assert [value for value in good if not fits(name, value)] == []
    assert [value for value in bad if fits(name, value)] == []


@pytest.mark.parametrize(
    ("name", "value", "fine"),
    [
        ("insert_deduplication_token", "a/1/2-3", True),
        ("max_memory_usage", "0", True),
        ("index_granularity", "1024", True),
        ("index_granularity", "disk(type = local)", False),
        ("storage_policy", "x", False),
        ("disk", "x", False),
        ("input_format_record_errors_file_path", "/x", False),
        ("format_schema", "x", False),
        ("additional_table_filters", "x", False),
        ("dialect", "kusto", False),
        ("input_format_values_interpret_expressions", "1", False),
        ("log_comment", "", False),
        ("readonly", "0", False),
    ],
)
def test_the_write_user(name: str, value: str, fine: bool) -> None:
    """Limits, and what belongs to inserts and tables; no paths, no expressions, no other languages."""
    assert fits(name, value, write=True) is fine


@pytest.mark.parametrize(
    ("name", "value", "becomes"),
    [
        ("max_execution_time", "0", "60"),
        ("max_execution_time", "3600", "60"),
        ("max_execution_time", "5", "5"),
        ("max_memory_usage", "0", "1000"),
        ("max_execution_time", "soon", "soon"),
        ("max_threads", "0", "0"),
    ],
)
def test_limits_of_the_url_are_narrowed(name: str, value: str, becomes: str) -> None:
    assert within_limits(name, value, LIMITS) == becomes
