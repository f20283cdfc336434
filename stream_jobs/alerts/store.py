"""The alerts job and ClickHouse: what is recorded, and what is taken up from there at the start.

Calls block; the job makes them in threads. All raise StoreUnavailableError when the store is away.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

import pyarrow as pa

from spendstream_schemas.alert_feed import Silence
from stream_jobs.alerts.book import KEPT_REFUSED
from stream_jobs.alerts.grouping import Episode
from stream_jobs.alerts.model import Alert, unpacked
from stream_jobs.alerts.notified import COLUMNS, DeliveryRow, Run
from stream_jobs.alerts.outbox import Known
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert

POSITION_GAP: Final = 1_000_000
"""Whoever lost the topic may still record a bundle with the numbers that follow the last one. The new owner's are
higher, so that its rows are the later ones."""
PENDING_FOR: Final = timedelta(days=30)
"""A receiver that was away for longer is no longer told of what opened and was over in that time."""
_DONE: Final = "state IN ('sent', 'skipped')"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was recorded."""

    alerts: list[Alert]  # active ones
    silences: list[Silence]
    known: list[Known]
    pending: list[tuple[str, Alert]]  # alerts that were over before a receiver that was to know of them was told
    position: int  # all changes from now on have higher numbers
    refused: list[str]  # acknowledgements that were, lately


class AlertStore:
    def __init__(self, store: StoreClient) -> None:
        self._store = store

    def close(self) -> None:
        self._store.close()

    def insert(self, table: str, rows: pa.Table, token: str) -> None:
        """May be repeated with the same token."""
        insert(self._store.client, table, rows, token)

    def look_up(self, ids: Iterable[str]) -> list[Alert]:
        """The last state of those that are known."""
        rows = self._store.rows_for_ids(
            "SELECT argMax(document, position) FROM alert_events "
            "WHERE alert_id IN {ids:Array(String)} AND change != 'ack_refused' GROUP BY alert_id",
            ids,
        )
        return [unpacked(str(document)) for (document,) in rows]

    def load(self, now: datetime) -> Loaded:
        position = int(str(self._store.rows("SELECT max(position) FROM alert_events")[0][0]))
        # Two steps: the documents of all that ever was would be many.
        alerts = [
            unpacked(str(document))
            for (document,) in self._store.rows(
                "SELECT document FROM alert_events WHERE (alert_id, position) IN ("
                "SELECT alert_id, max(position) FROM alert_events WHERE change != 'ack_refused' "
                "GROUP BY alert_id HAVING argMax(status, position) != 'resolved') "
                "ORDER BY position LIMIT 1 BY alert_id"
            )
        ]
        silences = [
            Silence.model_validate_json(str(document))
            for (document,) in self._store.rows(
                "SELECT argMin(document, ends_at) FROM alert_silences GROUP BY silence_id "
                "HAVING min(ends_at) > {since:DateTime64(6, 'UTC')}",
                {"since": now - PENDING_FOR},  # one that was lifted is remembered: its first record may come again
            )
        ]
        known = self._known({alert.alert_id: alert.episode for alert in alerts})
        refused = self._store.rows(
            "SELECT request_id FROM alert_events WHERE change = 'ack_refused' AND at > {since:DateTime64(6, 'UTC')} "
            f"ORDER BY at DESC LIMIT {KEPT_REFUSED}",
            {"since": now - PENDING_FOR},
        )
        pending = self._pending(now - PENDING_FOR)
        return Loaded(alerts, silences, known, pending, position + POSITION_GAP, [str(name) for (name,) in refused])

    def _pending(self, since: datetime) -> list[tuple[str, Alert]]:
        rows = self._store.rows(
            "SELECT receiver, document FROM ("
            "SELECT arrayJoin(receivers) AS receiver, alert_id, episode, position, document FROM alert_events "
            "WHERE change = 'resolved' AND episode > 0 AND notEmpty(receivers) AND at > {since:DateTime64(6, 'UTC')}"
            ") WHERE (receiver, alert_id, episode) NOT IN ("
            "SELECT receiver, told_id, told_number FROM alert_deliveries "
            f"ARRAY JOIN told AS told_id, told_episode AS told_number WHERE {_DONE}"
            ") ORDER BY position LIMIT 1 BY receiver, alert_id, episode",
            {"since": since},
        )
        return [(str(receiver), unpacked(str(document))) for receiver, document in rows]

    def _known(self, active: Mapping[str, int]) -> list[Known]:
        """Of every run of a group that a receiver does not know to be over."""
        rows = self._store.rows(
            f"SELECT {', '.join(COLUMNS)} FROM alert_deliveries "
            "WHERE (receiver, group_id) IN (SELECT receiver, group_id FROM alert_deliveries GROUP BY ALL "
            f"HAVING argMaxIf(action, revision, {_DONE}) != 'resolve') ORDER BY receiver, group_id, revision, at"
        )
        runs: dict[tuple[str, str], Run] = {}
        for values in cast(list[tuple[Any, ...]], rows):
            row = DeliveryRow(*values)
            runs.setdefault((row.receiver, row.group_id), Run(row)).add(row)
        closed = {episode for run in runs.values() for episode in run.notified if active.get(episode[0]) != episode[1]}
        states = self._states(closed)
        return [run.known(states) for run in runs.values()]

    def _states(self, episodes: set[Episode]) -> dict[Episode, Alert]:
        if not episodes:
            return {}
        rows = self._store.rows_for_ids(
            "SELECT argMax(document, position) FROM alert_events WHERE alert_id IN {ids:Array(String)} "
            "AND change != 'ack_refused' GROUP BY alert_id, episode",
            sorted({alert_id for alert_id, _ in episodes}),
        )
        alerts = (unpacked(str(document)) for (document,) in rows)
        return {(alert.alert_id, alert.episode): alert for alert in alerts}


def new_token() -> str:
    """Of one insert and its repetitions. Not of the records in it: what is made of them again is something else."""
    return uuid.uuid4().hex
