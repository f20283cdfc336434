"""Statements that try to get out of the embedded store, a generator of more, and a guard that sees whether one did.

The guard does not look for what came back, which may be encoded: the kernel tells it of every opening of a secret file
and of every change in a folder (inotify), and a socket of every connection.
"""

import contextlib
import ctypes
import os
import random
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

_IN_OPEN, _IN_CREATE, _IN_MODIFY, _IN_DELETE, _IN_MOVED_TO = 0x20, 0x100, 0x2, 0x200, 0x80
_SECRET: Final = "the-secret-of-the-machine"


@dataclass(frozen=True, slots=True)
class Attack:
    """One request. `read_user` asks as the user without a password."""

    sql: str
    url: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class Guard:
    """A secret file, a folder that nothing may be written to, and a port that nobody may call."""

    def __init__(self, folder: Path) -> None:
        self.secret = folder / "secret.txt"
        self.outside = folder / "outside"
        self.outside.mkdir(parents=True)
        self.secret.write_text(f"{_SECRET}\n")
        (self.outside / "template.txt").write_text(_SECRET)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._udp.setblocking(False)
        libc = ctypes.CDLL(None, use_errno=True)
        self._notes = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._notes >= 0
        assert libc.inotify_add_watch(self._notes, os.fsencode(self.secret), _IN_OPEN | _IN_MODIFY) >= 0
        events = _IN_OPEN | _IN_CREATE | _IN_MODIFY | _IN_DELETE | _IN_MOVED_TO
        assert libc.inotify_add_watch(self._notes, os.fsencode(self.outside), events) >= 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._notes)
        self._listener.close()
        self._udp.close()

    def breaches(self) -> list[str]:
        """What got out since the last look."""
        found = []
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._notes, 65536)
            while data:
                _, mask, _, length = struct.unpack("iIII", data[:16])
                found.append(f"file event {mask:#x} {data[16 : 16 + length].rstrip(chr(0).encode())!r}")
                data = data[16 + length :]
        with contextlib.suppress(BlockingIOError):
            self._listener.accept()[0].close()
            found.append("a TCP connection")
        with contextlib.suppress(BlockingIOError):
            self._udp.recv(1)
            found.append("a datagram")
        return found

    def check_itself(self) -> None:
        """That it sees what it is there to see."""
        self.secret.read_text()
        socket.create_connection(("127.0.0.1", self.port)).close()
        (self.outside / "made").write_text("")
        seen = " ".join(self.breaches())
        assert "0x20" in seen, seen
        assert "0x100" in seen, seen
        assert "TCP" in seen, seen
        self.breaches()


def attacks(guard: Guard) -> list[Attack]:
    """Known ways out, one of each kind; all of them worked on some version of the store or of the engine."""
    secret, out, port = str(guard.secret), f"{guard.outside}/made", guard.port
    line = f"'{secret}', 'LineAsString'"
    texts = [
        f"SELECT file('{secret}')",
        f"SELECT `fil\\x65`('{secret}')",
        f'SELECT "f\\x69le"(\'{secret}\')',
        f"SELECT FILE('{secret}')",
        f"SELECT arrayMap(file, ['{secret}'])",
        f"SELECT arrayMap(`fil\\x65`, ['{secret}'])",
        f"SELECT arrayMap(x -> file(x), ['{secret}'])",
        f"SELECT '{secret}' AS a APPLY file",
        f"SELECT * APPLY(file) FROM (SELECT '{secret}' AS a)",
        f"SELECT * REPLACE(file(a) AS a) FROM (SELECT '{secret}' AS a)",
        f"WITH (x -> file(x)) AS f SELECT f('{secret}')",
        f"SELECT a, b FROM values('a UInt8, b String ALIAS file(''{secret}'')', 1)",
        f"SELECT a, b FROM values(('a UInt8, b String ALIAS file(''{secret}'')'), 1)",
        f"SELECT a, b FROM values((('a UInt8, b String ALIAS file(''{secret}'')')), 1)",
        f"SELECT a, b FROM values(('a UInt8, b String ALIAS file(''{secret}'')', 1).1, 1)",
        f"SELECT a, b FROM values(('a UInt8, b String ALIAS file(''{secret}'')' || ''), 1)",
        f"SHOW TABLES WHERE (SELECT * FROM format(Values, 'a String', '(file(''{secret}''))')) LIKE 'the%'",
        f"SHOW COLUMNS FROM t WHERE (SELECT count() FROM format(Values, 'a String', '(file(''{secret}''))'))",
        f"SHOW TABLES FROM `x\nFunction format (` WHERE 1 IN format(Values, 'a String', '(file(''{secret}''))')",
        f"SHOW TABLES SETTINGS additional_result_filter = 'length(file(''{secret}'')) > 0'",
        f"SHOW DATABASES SETTINGS additional_result_filter = 'length(file(''{secret}'')) > 0'",
        f"SHOW COLUMNS FROM t SETTINGS additional_result_filter = 'length(file(''{secret}'')) > 0'",
        f"SHOW CHANGED SETTINGS LIKE '%' SETTINGS additional_result_filter = 'length(file(''{secret}'')) > 0'",
        f"SELECT a, b FROM generateRandom('a UInt8, b String ALIAS file(''{secret}'')') LIMIT 1",
        f"SELECT a, b FROM null('a UInt8, b String DEFAULT file(''{secret}'')')",
        f"SELECT * FROM format(Values, 'a String', '(file(''{secret}''))')",
        f"SELECT * FROM eval('SELECT file(''{secret}'')') SETTINGS allow_experimental_eval_table_function = 1",
        f"SELECT * FROM view(SELECT file('{secret}'))",
        f"SELECT * FROM file({line})",
        f"SELECT * FROM fileCluster('default', {line})",
        f"SELECT * FROM filesystem('{secret}')",
        f"SELECT * FROM `{secret}`",
        f"SELECT * FROM default.`{secret}`",
        "SELECT * FROM merge('default', '.*')",
        f"DESCRIBE file('{secret}')",
        f"EXPLAIN SYNTAX run_query_tree_passes = 1 SELECT file('{secret}')",
        f"EXPLAIN PLAN SELECT * FROM file({line})",
        f"SELECT 1 WHERE 1 IN (SELECT length(file('{secret}')))",
        f"SELECT 1 AS \u2018, file('{secret}') AS \u2019",
        f"SELECT \u2018 \u2019 AS a, 1 INTO OUTFILE \u2018{out}\u2019",
        f"SELECT '{'x' * 3000}', file('{secret}')",
        f"SELECT /* '{'x' * 3000}' */ file('{secret}')",
        f"SELECT \u2018'{'x' * 3000}\u2019, file('{secret}'), \u2018'\u2019",
        f"SELECT file('{'/.' * 1500}{secret}')",
        f"SELECT a, b FROM values('a UInt8, b String ALIAS file(''{'/.' * 1500}{secret}'')', 1)",
        f"SELECT 1 INTO OUTFILE '{out}'",
        f"SELECT 1 INTO OUTFILE '{out}' APPEND AND STDOUT",
        f"SELECT $$'$$, file('{secret}'), $$'$$",
        f"SELECT /* ' */ file('{secret}') /* ' */",
        f"SELECT 1 -- '\n, file('{secret}') -- '",
        f"SELECT 1 # '\n, file('{secret}') # '",
        f"SELECT * FROM url('http://127.0.0.1:{port}/x', 'CSV', 'a String')",
        f"SELECT * FROM s3('http://127.0.0.1:{port}/b/x', 'CSV', 'a String')",
        f"SELECT * FROM remote('127.0.0.1:{port}', system.one)",
        f"SELECT * FROM remoteSecure('127.0.0.1:{port}', 'system', 'one')",
        f"SELECT hasColumnInTable('127.0.0.1:{port}', 'default', '', 'system', 'one', 'dummy')",
        f"SELECT * FROM mysql('127.0.0.1:{port}', 'a', 'b', 'c', 'd')",
        f"SELECT * FROM postgresql('127.0.0.1:{port}', 'a', 'b', 'c', 'd')",
        f"SELECT * FROM mongodb('127.0.0.1:{port}', 'a', 'b', 'c', 'd', 'e String')",
        f"SELECT * FROM redis('127.0.0.1:{port}', 'a', 'a String, b String')",
        f"SELECT * FROM sqlite('{secret}', 't')",
        f"SELECT * FROM executable('cat {secret}', 'CSV', 'a String')",
        "SELECT * FROM python('import os')",
        f"SELECT * FROM iceberg('http://127.0.0.1:{port}/b')",
        f"SELECT * FROM hdfs('hdfs://127.0.0.1:{port}/x', 'CSV', 'a String')",
        f"SELECT * FROM deltaLakeLocal('{guard.outside}')",
        f"SELECT * FROM icebergLocal('{guard.outside}')",
        "SELECT aiGenerate('x', 'y')",
        f"SELECT formatRow('Template', 1) SETTINGS format_template_row = '{secret}'",
        f"INSERT INTO t FROM INFILE '{secret}' FORMAT LineAsString",
        f"INSERT INTO FUNCTION file('{out}', 'CSV') SELECT 1",
        f"INSERT INTO FUNCTION url('http://127.0.0.1:{port}/', 'CSV', 'a UInt8') SELECT 1",
        f"INSERT INTO t VALUES (file('{secret}'))",
        f"INSERT INTO t VALUES ('x'), (concat('', file('{secret}')))",
        f"INSERT INTO t VALUES ((SELECT a FROM format(Values, 'a String', '(file(''{secret}''))')))",
        f"INSERT INTO t VALUES (arrayMap(file, ['{secret}'])[1]); SELECT 1",
        f"CREATE TABLE leak (a String) ENGINE = File('CSV', '{secret}')",
        f"CREATE TABLE leak ENGINE = File(CSV, '{out}') AS SELECT 1",
        f"CREATE TABLE leak (a String DEFAULT file('{secret}')) ENGINE = Memory",
        f"CREATE TABLE leak (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local, path = '{out}/')",
        f"CREATE TABLE leak (a String) ENGINE = URL('http://127.0.0.1:{port}/', 'CSV')",
        f"CREATE DATABASE leak ENGINE = Filesystem('{guard.outside}')",
        f"CREATE DATABASE leak ENGINE = MySQL('127.0.0.1:{port}', 'a', 'b', 'c')",
        f"CREATE DICTIONARY leak (a String) PRIMARY KEY a SOURCE(FILE(path '{secret}' format 'CSV')) LAYOUT(FLAT())",
        "CREATE FUNCTION leak AS (a) -> file(a)",
        "CREATE USER intruder",
        f"ALTER TABLE t ADD COLUMN b String DEFAULT file('{secret}')",
        f"ALTER TABLE t UPDATE a = file('{secret}') WHERE 1",
        f"BACKUP TABLE t TO File('{out}')",
        f"RESTORE TABLE t FROM File('{secret}')",
        "SYSTEM SHUTDOWN",
        f"ATTACH TABLE leak FROM '{guard.outside}' (a Int8) ENGINE = MergeTree ORDER BY a",
        f"SELECT 1 PARALLEL WITH SELECT file('{secret}')",
        f"SELECT 1 FROM t SETTINGS additional_table_filters = {{'t' : 'length(file(''{secret}'')) > 0'}}",
        f"SELECT 1 SETTINGS parallel_replicas_custom_key = 'length(file(''{secret}''))'",
        f"SELECT 1 SETTINGS implicit_table_at_top_level = '{secret}'",
        f"SELECT a FROM t SETTINGS additional_table_filters = {{'t' : 'length(`fil\\\\x65`(''{secret}'')) > 0 -- '}}",
        "SELECT a FROM t SETTINGS additional_table_filters = {'t' : '1', 't' : 'file(a) = a'}",
        "SELECT a FROM t SETTINGS additional_table_filters = '{''t'' : ''file(a) = a''}'",
        f"SELECT 1 SETTINGS additional_result_filter = 'length(file(''{secret}'')) > 0'",
    ]  # fmt: skip
    template = str(guard.outside / "template.txt")
    in_url = [
        {"default_format": "Template", "format_template_row": secret},
        {"default_format": "Template", "format_template_resultset": template},
        {"default_format": "Protobuf", "format_schema": f"{secret}:X"},
        {"default_format": "CapnProto", "format_schema": secret},
        {"default_format": "Protobuf", "output_format_schema": out, "format_protobuf_use_autogenerated_schema": "1"},
        {"default_format": "CapnProto", "output_format_schema": out, "format_capn_proto_use_autogenerated_schema": "1"},
        {"default_format": "AvroConfluent", "format_avro_schema_registry_url": f"http://127.0.0.1:{port}"},
        {"additional_result_filter": f"length(file('{secret}')) > 0"},
        {"additional_table_filters": f"{{'one' : 'length(file(\\'{secret}\\')) > 0'}}"},
        {"default_format": "MySQLWire"},
        {"dialect": "prql", "allow_experimental_prql_dialect": "1"},
        {"dialect": "kusto", "allow_experimental_kusto_dialect": "1"},
    ]
    names = [
        Attack("SELECT {f:Identifier}('x')", {"param_f": "file"}),
        Attack("SELECT arrayMap({f:Identifier}, [{x:String}])", {"param_f": "file", "param_x": secret}),
        Attack("SELECT * FROM {t:Identifier}", {"param_t": secret}),
        Attack("SELECT * FROM {d:Identifier}.{t:Identifier}", {"param_d": "default", "param_t": secret}),
        Attack("SELECT a, b FROM values({s:String}, 1)", {"param_s": f"a UInt8, b String ALIAS file('{secret}')"}),
        Attack("SELECT a, b FROM values(({s:String}), 1)", {"param_s": f"a UInt8, b String ALIAS file('{secret}')"}),
        Attack("SELECT * FROM t", {"database": "default", "param_x": secret}),
        Attack(f"SELECT * FROM `{secret}`", {"database": "default"}),
        Attack("SELECT 1", {}, {"X-ClickHouse-Format": "Template"}),
    ]
    return [
        *(Attack(text) for text in texts),
        *(Attack("SELECT 1 AS a FROM system.one", url) for url in in_url),
        *(Attack(f"SELECT 1 AS a FROM system.one SETTINGS {_assignments(url)} FORMAT {url['default_format']}", {})
          for url in in_url if "default_format" in url),
        *names,
    ]  # fmt: skip


def _assignments(url: dict[str, str]) -> str:
    given = [f"{name} = '{value}'" for name, value in url.items() if name != "default_format"]
    return ", ".join(given or ["max_threads = 1"])


_QUOTES: Final = ("'", '"', "`", "\u2018", "\u2019", "\u201c", "\u201d", "''", "\\'", "$$", "$a$", "\u00b4")
_COMMENTS: Final = ("/*", "*/", "--", "#!", "# ", "\n", "//", ";", "\0", "\ufeff", "\u00a0", "\u2028", "\\", "\r", "\t")
_WORDS: Final = (
    *(
        "SELECT",
        "FROM",
        "WHERE",
        "IN",
        "AS",
        "APPLY",
        "FORMAT",
        "SETTINGS",
        "INTO OUTFILE",
        "FROM INFILE",
        "WITH",
        "UNION ALL",
    ),
    *(
        "INSERT INTO t",
        "VALUES",
        "DESCRIBE",
        "EXPLAIN",
        "SHOW",
        "SET",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ".",
        "=",
        "->",
        "::",
    ),
)


def made_up(guard: Guard, chance: random.Random) -> Iterator[Attack]:
    """Known attacks, cut, joined, and hidden behind quotes of every kind, escapes, comments and encodings."""
    known = attacks(guard)
    while True:
        attack = chance.choice(known)
        text = attack.sql
        for _ in range(chance.randint(1, 4)):
            text = chance.choice(_CHANGES)(text, chance, known)
        url = dict(chance.choice(known).url) if chance.random() < 0.2 else dict(attack.url)
        if chance.random() < 0.1:
            url["query"] = text[: chance.randint(0, len(text))]
        yield Attack(text, {name: value for name, value in url.items() if "\0" not in value}, attack.headers)


def _inserted(text: str, chance: random.Random, known: list[Attack]) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(_QUOTES + _COMMENTS + _WORDS) + text[at:]


def _wrapped(text: str, chance: random.Random, known: list[Attack]) -> str:
    quote = chance.choice(_QUOTES)
    return f"SELECT {quote}{text}{quote}, {chance.choice(_COMMENTS)} {text}"


def _escaped(text: str, chance: random.Random, known: list[Attack]) -> str:
    """A letter of a word written in another way."""
    places = [at for at, letter in enumerate(text) if letter.isalpha()]
    if not places:
        return text
    at = chance.choice(places)
    letter = text[at]
    forms = (
        f"\\x{ord(letter) & 255:02x}",
        letter.swapcase(),
        f"`{letter}`",
        f"\\{letter}",
        chr(0xFEE0 + ord(letter) & 0xFFFF),
    )
    return text[:at] + chance.choice(forms) + text[at + 1 :]


def _requoted(text: str, chance: random.Random, known: list[Attack]) -> str:
    quote = chance.choice(("'", '"', "`"))
    return text.replace(quote, chance.choice(_QUOTES), chance.choice((1, 2, -1)))


def _crossed(text: str, chance: random.Random, known: list[Attack]) -> str:
    other = chance.choice(known).sql
    return text[: chance.randint(0, len(text))] + other[chance.randint(0, len(other)) :]


def _nested(text: str, chance: random.Random, known: list[Attack]) -> str:
    frames = (
        "SELECT * FROM ({})", "WITH a AS ({}) SELECT * FROM a", "EXPLAIN {}", "SELECT ({})", "({})",
        "{} UNION ALL SELECT 1", "SELECT 1 WHERE exists({})", "CREATE VIEW v AS {}", "INSERT INTO t {}",
        "SELECT * FROM view({})", "DESCRIBE ({})", "SELECT arrayMap(x -> ({}), [1])", "EXPLAIN AST {}",
    )  # fmt: skip
    return chance.choice(frames).format(text.replace("{", "").replace("}", ""))


_CHANGES: Final = (_inserted, _inserted, _wrapped, _escaped, _escaped, _requoted, _crossed, _nested)
