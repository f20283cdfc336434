"""The figures that pages show. Sums of a period are those of the registry (stream_jobs/economics), which defines them;
what only pages show (single requests, curves, lists) is asked by name: sql/queries/internal/report_NAME.sql.

The report asks here, and the demo, which shows the report: the same figure is the same everywhere.
"""

from collections.abc import Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from stream_jobs.economics.question import Answer, Question, ask, figures_named
from stream_jobs.store.client import store_errors
from stream_jobs.store.queries import INTERNAL
from stream_jobs.store.sql_files import read_sql

SHARES: Final = ("effective_cost", "contracted_cost", "list_cost", "events", "unpriced_events")
"""Of each value of a dimension."""


class Figures:
    """Figures by name, with the period filled in. Raises StoreUnavailableError when ClickHouse does not answer."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.period: dict[str, Any] = {}

    def rows(self, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
        sql = read_sql(INTERNAL / f"report_{name}.sql").rstrip().removesuffix(";")
        with store_errors(str(self._client.uri)):
            result = self._client.query(sql, parameters={**self.period, **parameters}, tz_mode="aware")
        return [tuple(row) for row in result.result_rows]

    def registered(self, names: Sequence[str], by: Sequence[str] = ()) -> Answer:
        """Figures of the registry over the period."""
        question = Question(figures_named(names), self.period["start"], self.period["end"], by)
        return ask(_Asking(self._client), question)


class _Asking:
    """What `ask` needs of a store."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def rows(self, sql: str, parameters: dict[str, object] | None = None) -> list[tuple[object, ...]]:
        with store_errors(str(self._client.uri)):
            return [tuple(row) for row in self._client.query(sql, parameters=parameters).result_rows]
