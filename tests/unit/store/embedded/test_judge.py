"""The verdict on canonical lines, without an engine."""

import pytest

from stream_jobs.store.embedded.canonical import read_tokens
from stream_jobs.store.embedded.errors import EngineError
from stream_jobs.store.embedded.judge import judge
from stream_jobs.store.embedded.names import names_table_function, with_names_filled
from stream_jobs.store.embedded.rights import Rights
from stream_jobs.store.embedded.setting_rules import Limits
from stream_jobs.store.embedded.vocabulary import Vocabulary

LIMITS = Limits(memory_bytes=10**9, time_s=60, result_bytes=10**6, threads=2, disk_bytes=10**6)
VOCABULARY = Vocabulary(
    callable=frozenset({"sum", "arraymap", "format", "decimal", "numbers", "values", "countif", "replace"}),
    aggregates=frozenset({"sum", "quantile"}),
    refused=frozenset({"file", "hascolumnintable"}),
    refused_calls=frozenset({"url", "s3"}),
    ambiguous=frozenset({"format"}),
    refused_tables=frozenset({"processes"}),
    settings=frozenset({"max_threads", "max_memory_usage", "limit", "additional_result_filter", "dialect", "readonly"}),
)


def rights(*, write: bool = False, database: str = "spendstream") -> Rights:
    return Rights(may_write=write, read_only=not write, limits=LIMITS, database=database)


def code_of(line: str, *, write: bool = False, database: str = "spendstream") -> int:
    """0 for a statement that may run, else the code of its refusal."""
    try:
        judge(read_tokens(line), rights(write=write, database=database), VOCABULARY)
    except EngineError as error:
        return error.code
    return 0


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("SELECT sum(a) FROM t", 0),
        ("SELECT sumIf(a, b), quantileOrNullState(0.5)(a) FROM t", 0),
        ("SELECT file FROM t", 344),
        ("SELECT FILE('x')", 344),
        ("SELECT arrayMap(file, [1])", 344),
        ("SELECT * APPLY file FROM t", 344),
        ("SELECT `file`('x')", 344),
        ("SELECT url FROM t", 0),
        ("SELECT * FROM url('x')", 344),
        ("SELECT nothing(1)", 46),
        ("SELECT f (1)", 46),
        ("SELECT a IN (1, 2), (1, 2) FROM t JOIN u USING (k)", 0),
        ("SELECT * FROM values((1, 2))", 0),
        ("SELECT * FROM values('a UInt8', 1)", 0),
        ("SELECT * FROM values('a UInt8, b String ALIAS file(1)', 1)", 344),
        ("SELECT * FROM values({s:String}, 1)", 344),
        ("SELECT {x:Array(String)}, {f:SomethingCalled(1)}", 0),
        ("SELECT 1 INTO OUTFILE '/x'", 344),
        ("SELECT 1 FORMAT JSON", 0),
        ("SELECT 1 FORMAT Template", 73),
        ("SELECT 1 SETTINGS max_threads = 1", 0),
        ("SELECT 1 SETTINGS max_memory_usage = 0", 452),
        ("SELECT 1 SETTINGS max_threads = 1, max_memory_usage = 0", 452),
        ("SELECT 1 SETTINGS limit = 1, additional_result_filter = 'x'", 452),
        ("SELECT 1 SETTINGS no_such = 1", 115),
        ("SELECT 1 SETTINGS max_threads = {x:UInt8}", 452),
        ("SELECT * FROM (SELECT 1 SETTINGS max_memory_usage = 0)", 452),
        ("SET readonly = 0", 164),
        ("SET readonly = 1", 0),
        ("SET ROLE NONE", 0),
        ("SET ROLE admin", 452),
        ("SHOW TABLES FROM x", 0),
        ("SHOW PROCESSLIST", 164),
        ("SHOW CREATE TABLE t", 0),
        ("SHOW CREATE USER default", 164),
        ("DROP TABLE t", 164),
        ("INSERT INTO t SELECT 1", 164),
        ("SELECT * FROM system.processes", 497),
        ("SELECT * FROM system.tables", 0),
        ("SELECT processes FROM t", 0),
        ("EXECUTE AS x SELECT 1", 164),
        ("BACKUP TABLE t TO Disk('x', 'y')", 164),
        ("SELECT 1 PARALLEL WITH SELECT 2", 344),
    ],
)
def test_what_the_read_user_may_do(line: str, code: int) -> None:
    assert code_of(line) == code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("INSERT INTO t SELECT 1", 0),
        ("INSERT INTO FUNCTION url('x') SELECT 1", 344),
        ("CREATE TABLE t (`a` Decimal(38, 12)) ENGINE = MergeTree ORDER BY a SETTINGS index_granularity = 1", 0),
        ("CREATE TABLE t (`a` Int8) ENGINE = File(CSV)", 344),
        ("CREATE TABLE t (`a` Int8) ENGINE = URL", 344),
        ("CREATE TABLE t (`a` Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local)", 46),
        ("CREATE TABLE t (`a` String DEFAULT file('x')) ENGINE = Memory", 344),
        ("CREATE FUNCTION f AS a -> a", 164),
        ("CREATE USER x", 164),
        ("CREATE DICTIONARY d (a Int8) PRIMARY KEY a", 164),
        ("SELECT 1 SETTINGS max_memory_usage = 0", 0),
        ("SELECT 1 SETTINGS dialect = 'prql'", 452),
        ("SELECT 1 SETTINGS additional_result_filter = 'x'", 452),
        ("SYSTEM SHUTDOWN", 164),
        ("SELECT * FROM system.processes WHERE engine = 'x'", 0),
    ],
)
def test_what_the_write_user_may_do(line: str, code: int) -> None:
    assert code_of(line, write=True) == code


def test_names_without_a_database_are_those_of_the_request() -> None:
    """With `database=system` in the URL a bare name is a table of it."""
    assert code_of("SELECT * FROM processes", database="system") == 497
    assert code_of("SELECT * FROM tables", database="system") == 0


def test_a_get_request_of_the_write_user_reads() -> None:
    reading = Rights(may_write=True, read_only=True, limits=LIMITS, database="spendstream")
    with pytest.raises(EngineError, match="GET"):
        judge(read_tokens("DROP TABLE t"), reading, VOCABULARY)


def test_a_name_that_is_a_table_function_too_is_asked_about() -> None:
    """`format` computes a text, and as a table function evaluates expressions: the syntax tree tells which it is."""
    found = read_tokens("SELECT format('{}', a) FROM t")
    names = frozenset({"format"})
    assert judge(found, rights(), VOCABULARY).asks_about == names
    assert names_table_function("x\n     TableExpression (children 1)\n      Function format (alias b)", found, names)
    assert not names_table_function("x\n    ExpressionList (children 1)\n     Function format", found, names)


def test_a_tree_that_shows_less_than_the_text_proves_nothing() -> None:
    """The tree of SHOW TABLES WHERE lacks the condition, and a name with a line break may look like a call."""
    names = frozenset({"format"})
    hidden = read_tokens("SHOW TABLES WHERE (SELECT * FROM format(Values, 'a String', '(1)'))")
    assert names_table_function("ShowTables (children 1)", hidden, names)
    forged = read_tokens(
        r"SHOW TABLES FROM `x\nFunction format` WHERE (SELECT * FROM format(Values, 'a String', '(1)'))"
    )
    assert names_table_function("ShowTables\n Identifier x\nFunction format", forged, names)


@pytest.mark.parametrize(
    "arguments",
    ["('a String DEFAULT f()'), 1", "(('a String')), 1", "({s:String}), 1", "('a', 1).1, 1", "'a String' = '', 1", "("],
)
def test_what_could_become_a_structure_is_refused(arguments: str) -> None:
    """Only a plain text, a number or a row of several values may come first, each by itself."""
    with pytest.raises(EngineError, match="structure"):
        judge(read_tokens(f"SELECT * FROM values({arguments})"), rights(), VOCABULARY)


@pytest.mark.parametrize(
    "arguments", ["'a String', 'x'", "(1, 'x'), (2, 'y')", "((1, 2), 3), ((4, 5), 6)", "1, 2", "1"]
)
def test_rows_and_plain_structures_are_answered(arguments: str) -> None:
    """What people write."""
    assert judge(read_tokens(f"SELECT * FROM values({arguments})"), rights(), VOCABULARY).verb == "SELECT"


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW TABLES SETTINGS additional_result_filter = '0'",
        "SHOW SETTINGS LIKE 'a' SETTINGS max_memory_usage = 0",
        "SHOW CHANGED SETTINGS LIKE 'a' SETTINGS max_memory_usage = 0",
        "SHOW CREATE TABLE t SETTINGS log_comment = ''",
    ],
)
def test_settings_of_show_are_judged(sql: str) -> None:
    """SHOW takes settings as any statement does."""
    with pytest.raises(EngineError, match=r"setting|Setting"):
        judge(read_tokens(sql), rights(), VOCABULARY)
    for plain in ("SHOW SETTINGS LIKE 'a'", "SHOW CHANGED SETTINGS LIKE 'a'", "SHOW CHANGED SETTINGS ILIKE 'a'"):
        assert judge(read_tokens(plain), rights(), VOCABULARY).verb == "SHOW"


def test_identifiers_are_filled_in_before_the_verdict() -> None:
    """{name:Identifier} becomes the name it stands for, whatever that holds; values stay parameters."""
    line = "SELECT {f:Identifier}, {v:String} FROM {t:Identifier}"
    filled = with_names_filled(line, read_tokens(line), {"f": "fi\\x6ce`", "t": "a.b"})
    assert filled == "SELECT `file\\``, {v:String} FROM `a.b`"
    assert with_names_filled("SELECT {v:String}", read_tokens("SELECT {v:String}"), {}) is None
    with pytest.raises(EngineError, match="not set"):
        with_names_filled(line, read_tokens(line), {})


@pytest.mark.parametrize(
    ("setting", "conditions"),
    [
        ("{'t':'a = \\'x\\'', 'u':'1'}, max_threads = 1", ("a = 'x'", "1")),
        ("{}", ()),
        ("{'t':'1'}", ("1",)),
        ("'{}'", None),
        ("{'t':1}", None),
        ("{'t':'1' 'u':'2'}", None),
        ("{'t':'1'", None),
        ("{x:String}", None),
    ],
)
def test_conditions_that_a_setting_adds_are_read_too(setting: str, conditions: tuple[str, ...] | None) -> None:
    """Grafana's ad-hoc filters are SQL within texts: each is handed on to be judged, or the map is refused."""
    line = f"SELECT 1 FROM t SETTINGS additional_table_filters = {setting}"
    if conditions is None:
        with pytest.raises(EngineError, match="additional_table_filters"):
            judge(read_tokens(line), rights(), VOCABULARY)
    else:
        assert judge(read_tokens(line), rights(), VOCABULARY).conditions == conditions


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("SELECT a FROM (SELECT 1) AS v (a)", 0),
        ("SELECT a FROM (SELECT 1) AS v(a)", 0),
        ("EXPLAIN CREATE TABLE x AS url('http://x')", 344),
        ("EXPLAIN CREATE TABLE x AS file('x')", 344),
        ("SELECT 1 FORMAT json", 0),
        ("SELECT 1 FORMAT template", 73),
    ],
)
def test_aliases_with_columns_and_formats_in_any_case(line: str, code: int) -> None:
    """The name behind AS is nobody's function, unless it is one that must not be called."""
    assert code_of(line) == code
