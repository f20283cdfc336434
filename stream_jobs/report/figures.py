"""The figures that pages show, by name: each is asked by one piece of SQL, sql/queries/internal/report_NAME.sql.

The report asks here, and the demo, which shows the report: the same figure is the same everywhere.
"""

from typing import Any

from clickhouse_connect.driver.client import Client

from stream_jobs.store.client import store_errors
from stream_jobs.store.queries import INTERNAL
from stream_jobs.store.sql_files import read_sql


class Figures:
    """Figures by name, with the period filled in."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.period: dict[str, Any] = {}

    def rows(self, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
        sql = read_sql(INTERNAL / f"report_{name}.sql").rstrip().removesuffix(";")
        with store_errors(str(self._client.uri)):
            result = self._client.query(sql, parameters={**self.period, **parameters}, tz_mode="aware")
        return [tuple(row) for row in result.result_rows]
