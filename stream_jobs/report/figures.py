"""The figures that pages show. Sums of a period are those of the registry (stream_jobs/economics), which defines them;
what only pages show (single requests, curves, lists) is asked by name: sql/queries/internal/report_NAME.sql.

The report asks here, and the demo, which shows the report: the same figure is the same everywhere.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from stream_jobs.economics.asked import Question
from stream_jobs.economics.question import Answer, ask, ask_each, figures_named
from stream_jobs.store.client import rows_for_few_ids, store_errors
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
        with store_errors(str(self._client.uri)):
            result = self._client.query(_sql(name), parameters={**self.period, **parameters}, tz_mode="aware")
        return [tuple(row) for row in result.result_rows]

    def rows_for(self, name: str, ids: Iterable[str]) -> list[tuple[Any, ...]]:
        """Of a question about {ids:Array(String)}: the answers to parts of them, one after the other."""
        return rows_for_few_ids(self._client, _sql(name), ids, self.period)

    def registered(self, names: Sequence[str]) -> Answer:
        """Figures of the registry over the period."""
        return ask(_Asking(self._client), self._question(names))

    def registered_each(self, names: Sequence[str], dimensions: Sequence[str]) -> list[Answer]:
        """The same by each of these, all of one moment."""
        return ask_each(_Asking(self._client), self._question(names), [(name,) for name in dimensions])

    def _question(self, names: Sequence[str]) -> Question:
        return Question(figures_named(names), self.period["start"], self.period["end"])


def _sql(name: str) -> str:
    return read_sql(INTERNAL / f"report_{name}.sql").rstrip().removesuffix(";")


class _Asking:
    """What `ask` needs of a store."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def rows(self, sql: str, parameters: dict[str, object] | None = None) -> list[tuple[object, ...]]:
        with store_errors(str(self._client.uri)):
            return [tuple(row) for row in self._client.query(sql, parameters=parameters).result_rows]
