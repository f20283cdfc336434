"""The configuration chDB is opened with: what its only user may do, and the bounds of a statement.

chDB has no users to log in with, but it obeys the grants of the one it runs as. They cover one database and reading the
system tables; no grant covers files, URLs, other servers, functions or users. So a statement that arrives over HTTP
can't reach the machine, whoever sent it. Read-only users are held by `SET readonly = 2` on top (see engine.py).

The caches, which may take half of the machine's memory by default, are small. Which granules a condition did not match
is not remembered: every block asks for ids that nobody asks for again, and in half an hour that were 100,000 entries.
An expression becomes machine code after a thousand uses, not three: of the little here that can (it is sums of
Decimal(38, ...), which cannot), three inserts made 0.5 s of compiling in every process that starts. Merges are few and
large; statistics of every column, which no question here gains from, are not kept.
"""

import os
from pathlib import Path
from typing import Final

DATABASE: Final = "spendstream"
COMPILED_USES: Final = 1_000
CONFIG_FILES: Final = ("engine-config.xml", "engine-users.xml")

_USERS: Final = """<clickhouse>
    <profiles>
        <default>
            <implicit_select>0</implicit_select>
            <async_insert>0</async_insert>
            <use_query_condition_cache>0</use_query_condition_cache>
            <max_query_size>16777216</max_query_size>
            <min_count_to_compile_expression>{compiled_uses}</min_count_to_compile_expression>
            <min_count_to_compile_aggregate_expression>{compiled_uses}</min_count_to_compile_aggregate_expression>
            <min_count_to_compile_sort_description>{compiled_uses}</min_count_to_compile_sort_description>
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
                <query>GRANT SHOW DATABASES, KILL QUERY, CREATE FUNCTION ON *.*</query>
            </grants>
        </default>
    </users>
</clickhouse>
"""  # noqa: E501 - a grant is one query
_SERVER: Final = """<clickhouse>
    <users_config>{users}</users_config>
    <user_directories><users_xml><path>{users}</path></users_xml></user_directories>
    <mark_cache_size>67108864</mark_cache_size>
    <index_mark_cache_size>33554432</index_mark_cache_size>
    <primary_index_cache_size>67108864</primary_index_cache_size>
    <query_cache><max_size_in_bytes>67108864</max_size_in_bytes></query_cache>
    <query_condition_cache_size>16777216</query_condition_cache_size>
    <compiled_expression_cache_size>33554432</compiled_expression_cache_size>
    <merges_mutations_memory_usage_soft_limit>536870912</merges_mutations_memory_usage_soft_limit>
    <merge_tree>
        <auto_statistics_types></auto_statistics_types>
        <compute_exact_num_defaults_for_sparse_columns>0</compute_exact_num_defaults_for_sparse_columns>
        <min_parts_to_merge_at_once>{merged_parts}</min_parts_to_merge_at_once>
        <min_age_to_force_merge_seconds>86400</min_age_to_force_merge_seconds>
        <min_age_to_force_merge_on_partition_only>1</min_age_to_force_merge_on_partition_only>
    </merge_tree>
</clickhouse>
"""


MERGED_PARTS: Final = 32
"""How many parts of like size one merge takes at least. A merge of the ledger costs about as much as inserting its rows
did; left alone the engine merges five small parts at a time, so each row four times within minutes. With 32 a row is
merged once per factor of 32 in size; questions read some dozens of parts more. A partition that nothing was written to
for a day (a month that is over) is merged into one."""


def write_engine_config(folder: Path, *, timeout_s: float, memory_share: float = 0.4) -> Path:
    """Write both files to `folder` and return the path to open the engine with.

    One statement may use `memory_share` of the machine's memory, and run for `timeout_s`.
    """
    memory_bytes = int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * memory_share)
    config, users = (folder / name for name in CONFIG_FILES)
    users.write_text(
        _USERS.format(
            memory_bytes=memory_bytes,
            timeout_s=max(1, round(timeout_s)),
            database=DATABASE,
            compiled_uses=COMPILED_USES,
        ),
        encoding="utf-8",
    )
    config.write_text(_SERVER.format(users=_xml(str(users)), merged_parts=MERGED_PARTS), encoding="utf-8")
    return config


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
