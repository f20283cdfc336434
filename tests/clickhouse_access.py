"""infra/clickhouse/*.sql on the engine that we have: chDB, which is ClickHouse without a place to keep roles in.

It knows users and row policies from a file alone, and is always the user `default`. So the statements are read here and
written as that file, for one user with one role; grants, conditions and bounds go over word for word, and the engine
enforces them. That they are ClickHouse's SQL is asked of the engine too (`EXPLAIN AST`).
"""

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from stream_jobs.store.sql_text import split_statements

FOLDER: Final = Path(__file__).parents[1] / "infra" / "clickhouse"
ACCESS_DENIED: Final = 497
_NAMES: Final = r"[\w., ]+?"
_GRANT: Final = re.compile(rf"GRANT (?P<what>.+) TO (?P<to>{_NAMES})")
_ROLE: Final = re.compile(rf"CREATE ROLE IF NOT EXISTS (?P<names>{_NAMES})")
_POLICY: Final = re.compile(
    rf"CREATE ROW POLICY IF NOT EXISTS \w+ ON (?P<tables>{_NAMES}) USING (?P<condition>.+?) "
    rf"TO (?P<all>ALL EXCEPT )?(?P<to>{_NAMES})"
)
_PROFILE: Final = re.compile(
    rf"CREATE SETTINGS PROFILE IF NOT EXISTS \w+ SETTINGS (?P<settings>.+?) TO (?P<to>{_NAMES})", re.DOTALL
)
_SETTING: Final = re.compile(r"(?P<name>\w+) = (?P<value>\d+)(?: MIN (?P<min>\d+))?(?: MAX (?P<max>\d+))?")
_OTHERS: Final = re.compile(r"CREATE (DATABASE|QUOTA|USER) IF NOT EXISTS ")
_ENGINE: Final = """
import json, sys
import chdb
asked = json.load(sys.stdin)
handle = chdb.connect(asked["address"])
answers = []
for statement in asked["statements"]:
    try:
        result = handle.query(statement, "JSONCompactEachRow")
        text = result.bytes().decode() if result else ""
        answers.append([json.loads(line) for line in text.splitlines()])
    except Exception as error:
        answers.append(str(error))
handle.close()
json.dump(answers, sys.stdout)
"""


@dataclass(slots=True)
class Access:
    """What the files say."""

    statements: list[str] = field(default_factory=list)
    roles: set[str] = field(default_factory=set)
    grants: list[tuple[str, set[str]]] = field(default_factory=list)  # what, to whom; a role is a right too
    policies: list[tuple[set[str], str, bool, set[str]]] = field(
        default_factory=list
    )  # tables, condition, except, roles
    profiles: list[tuple[str, set[str]]] = field(default_factory=list)

    def held(self, role: str) -> set[str]:
        """The role and those that it brings along."""
        found = {role}
        while more := {what for what, to in self.grants if what in self.roles and to & found} - found:
            found |= more
        return found


def names(text: str) -> set[str]:
    return {name.strip() for name in text.split(",")}


def read_access(*files: Path) -> Access:
    """Raises AssertionError for a statement that is not understood here: it would not be tried."""
    access = Access()
    for file in files:
        for text in split_statements(file.read_text(encoding="utf-8")):
            access.statements.append(text)
            statement = " ".join(text.split())
            if found := _ROLE.fullmatch(statement):
                access.roles |= names(found["names"])
            elif found := _POLICY.fullmatch(statement):
                entry = (names(found["tables"]), found["condition"], bool(found["all"]), names(found["to"]))
                access.policies.append(entry)
            elif found := _PROFILE.fullmatch(statement):
                access.profiles.append((found["settings"], names(found["to"])))
            elif found := _GRANT.fullmatch(statement):
                access.grants.append((found["what"], names(found["to"])))
            else:
                assert _OTHERS.match(statement), statement
    return access


def users_file(access: Access, role: str) -> str:
    """users.xml in which `default` has this role and nothing else."""
    held = access.held(role)
    rights = [what for what, to in access.grants if to & held and what not in access.roles]
    conditions: dict[str, list[str]] = {}
    for tables, condition, all_but, roles in access.policies:
        if bool(roles & held) != all_but:
            for table in tables:
                conditions.setdefault(table.removeprefix("spendstream."), []).append(f"({condition})")
    filters = "".join(
        f"<{table}><filter>{escape(' OR '.join(parts))}</filter></{table}>" for table, parts in conditions.items()
    )
    settings = [found for text, to in access.profiles if to & held for found in _SETTING.finditer(text)]
    bounds = "".join(
        f"<{one['name']}>{''.join(f'<{end}>{one[end]}</{end}>' for end in ('min', 'max') if one[end])}</{one['name']}>"
        for one in settings
        if one["min"] or one["max"]
    )
    values = "".join(f"<{one['name']}>{one['value']}</{one['name']}>" for one in settings)
    grants = "".join(f"<query>GRANT {escape(right)}</query>" for right in rights)
    return textwrap.dedent(f"""\
        <clickhouse>
            <profiles><default>{values}<constraints>{bounds}</constraints></default></profiles>
            <quotas><default/></quotas>
            <users><default>
                <no_password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
                <grants>{grants}</grants>
                <databases><spendstream>{filters}</spendstream></databases>
            </default></users>
        </clickhouse>
        """)


ADMINISTRATOR: Final = """<clickhouse>
    <profiles><default/></profiles><quotas><default/></quotas>
    <users><default>
        <no_password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
        <grants><query>GRANT ALL ON *.*</query></grants>
    </default></users>
</clickhouse>
"""


def ask(data: Path, users: str, statements: Sequence[str]) -> list[Any]:
    """Each statement's rows, or its error as a text. In a process of its own, which has one engine and one user."""
    config = data.parent / "access-config.xml"
    (data.parent / "access-users.xml").write_text(users, encoding="utf-8")
    config.write_text(
        f"<clickhouse><users_config>{data.parent / 'access-users.xml'}</users_config></clickhouse>", encoding="utf-8"
    )
    asked = {"address": f"{data}?config-file={config}", "statements": list(statements)}
    done = subprocess.run(
        [sys.executable, "-c", _ENGINE],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = json.loads(done.stdout)
    assert isinstance(answers, list)
    return answers
