"""The configuration chDB is opened with: what its only user may do, and the bounds of a statement.

chDB has no users to log in with, but it obeys the grants of the one it runs as. They cover one database and reading the
system tables; no grant covers files, URLs, other servers, functions or users. So a statement that arrives over HTTP
can't reach the machine, whoever sent it. Read-only users are held by `SET readonly = 2` on top (see engine.py).
"""

import os
from pathlib import Path
from typing import Final

DATABASE: Final = "spendstream"

_USERS: Final = """<clickhouse>
    <profiles>
        <default>
            <implicit_select>0</implicit_select>
            <async_insert>0</async_insert>
            <max_query_size>16777216</max_query_size>
            <max_memory_usage>{memory_bytes}</max_memory_usage>
            <max_execution_time>{timeout_s}</max_execution_time>
            <constraints>
                <max_memory_usage><max>{memory_bytes}</max></max_memory_usage>
                <max_execution_time><min>1</min><max>{timeout_s}</max></max_execution_time>
            </constraints>
        </default>
    </profiles>
    <quotas><default/></quotas>
    <users>
        <default>
            <password></password>
            <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <grants>
                <query>GRANT CREATE DATABASE, SHOW, SELECT, INSERT, ALTER, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, TRUNCATE, OPTIMIZE, CHECK ON {database}.*</query>
                <query>GRANT SHOW, SELECT ON system.*</query>
                <query>GRANT SHOW, SELECT ON information_schema.*</query>
                <query>GRANT SHOW, SELECT ON INFORMATION_SCHEMA.*</query>
                <query>GRANT SHOW DATABASES, KILL QUERY ON *.*</query>
            </grants>
        </default>
    </users>
</clickhouse>
"""  # noqa: E501 - a grant is one query
_SERVER: Final = """<clickhouse>
    <users_config>{users}</users_config>
    <user_directories><users_xml><path>{users}</path></users_xml></user_directories>
</clickhouse>
"""


def write_engine_config(folder: Path, *, timeout_s: float, memory_share: float = 0.4) -> Path:
    """Write both files to `folder` and return the path to open the engine with.

    One statement may use `memory_share` of the machine's memory, and run for `timeout_s`.
    """
    memory_bytes = int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * memory_share)
    users = folder / "engine-users.xml"
    config = folder / "engine-config.xml"
    users.write_text(
        _USERS.format(memory_bytes=memory_bytes, timeout_s=max(1, round(timeout_s)), database=DATABASE),
        encoding="utf-8",
    )
    config.write_text(_SERVER.format(users=_xml(str(users))), encoding="utf-8")
    return config


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
