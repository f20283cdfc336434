"""What a restart goes on with: snapshots of what is learned, and which blocks were counted when a minute was judged.

The order of writes of a minute: `judged` row ▸ the minute goes through the detector ▸ findings. A crash after the row:
the minute is judged anew, of the same blocks, with the same result. A crash before it: nobody has heard anything of
the minute, and it is judged of what is counted then. Of two processes that take themselves for the reader the one that
began last counts: it has read what the other wrote before that, and what the other writes later is passed over.
"""

import base64
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import msgspec
import pyarrow as pa

from stream_jobs.anomalies.model import Series, Steer
from stream_jobs.base.instants import as_utc, from_unix_micros, unix_micros
from stream_jobs.series.delta import Origin
from stream_jobs.series.sums import Vector
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table, insert

log = logging.getLogger(__name__)

FORMAT: Final = 3
"""Of a snapshot: raised when what `Watch.dump` says means something else."""
PART_BYTES: Final = 4_000_000
MAX_STATE_BYTES: Final = 2_000_000_000
MAX_LOOKED_AT: Final = 5
"""Snapshots that a start tries, the latest first."""


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """What a minute was, or is about to be, judged of."""

    minute: int
    vector: Vector
    known: bool = True
    steers: Sequence[Steer] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`state`: see Watch.dump."""

    minute: int  # the first that is not judged
    written_at: datetime
    run: datetime
    vector: Vector
    state: dict[str, Any]


class States:
    """Raises StoreUnavailableError when ClickHouse does not answer."""

    def __init__(self, store: StoreClient, run: datetime) -> None:
        """`run`: when this process began, by the store's clock."""
        self._store = store
        self._run = run

    def judged(self, rows: Iterable[JudgedRow], now: datetime) -> None:
        """These minutes are about to be judged. May be repeated."""
        rows = list(rows)
        if not rows:
            return
        table = [
            {
                **self._row("judged", row.minute, now, 0, 1, row.vector, row.steers),
                "known": row.known,
                "state": b"",
            }
            for row in rows
        ]
        # With `now`: who learns anew judges the same minutes twice, and an insert with a known token is dropped.
        token = f"judged {self._run.isoformat()} {now.isoformat()} {rows[0].minute}-{rows[-1].minute}"
        insert(self._store.client, "anomaly_states", arrow_table("anomaly_states", table), token)

    def write(self, minute: int, vector: Vector, state: dict[str, Any], now: datetime) -> int:
        """A snapshot; returns how many bytes it takes. May be repeated."""
        raw = msgspec.msgpack.encode(state)
        packed = pa.Codec("zstd").compress(raw, asbytes=True)
        body = len(raw).to_bytes(8, "little") + packed
        pieces = [body[at : at + PART_BYTES] for at in range(0, len(body), PART_BYTES)]
        rows = [
            {**self._row("snapshot", minute, now, part, len(pieces), vector, ()), "known": True, "state": piece}
            for part, piece in enumerate(pieces)
        ]
        token = f"snapshot {self._run.isoformat()} {now.isoformat()} {minute}"  # with `now` as above
        insert(self._store.client, "anomaly_states", arrow_table("anomaly_states", rows), token)
        return len(body)

    def _row(
        self, kind: str, minute: int, now: datetime, part: int, parts: int, vector: Vector, steers: Sequence[Steer]
    ) -> dict[str, Any]:
        return {
            "kind": kind,
            "minute": minute,
            "written_at": now,
            "run": self._run,
            "format": FORMAT,
            "part": part,
            "parts": parts,
            "vector": json.dumps({"counted": _listed(vector), **({"said": _said(steers)} if steers else {})}),
        }

    def latest(
        self, since: datetime, usable: Callable[[int, datetime], bool] | None = None
    ) -> tuple[Snapshot | None, list[JudgedRow]]:
        """The last snapshot that can be used and was written `since`, and the minutes that were judged after it, as
        far as they follow each other. `usable`: by its minute, and when it was written."""
        heads = cast(
            list[tuple[int, datetime, datetime]],
            self._store.rows(
                "SELECT minute, run, written_at FROM anomaly_states "
                "WHERE kind = 'snapshot' AND format = {format:UInt16} "
                "AND written_at > fromUnixTimestamp64Micro({since:Int64}, 'UTC') GROUP BY minute, run, written_at "
                "HAVING count() = any(parts) ORDER BY written_at DESC, run DESC",
                {"format": FORMAT, "since": unix_micros(since)},
            ),
        )
        runs = cast(
            list[tuple[datetime, datetime]],
            self._store.rows("SELECT run, min(written_at) FROM anomaly_states GROUP BY run"),
        )
        looked_at = 0
        for minute, run, written_at in heads:
            if any(other > run and first < written_at for other, first in runs):
                continue  # of a process that was the reader no more
            if usable is not None and not usable(minute, as_utc(written_at)):
                continue
            looked_at += 1
            if looked_at > MAX_LOOKED_AT:
                break
            try:
                found = self._read(minute, as_utc(run), as_utc(written_at))
            except ValueError as error:
                log.warning("a snapshot of what is learned cannot be used: %s", error)
                continue
            return found, self._judged_after(found)
        return None, []

    def said(self, since: int) -> dict[int, list[Steer]]:
        """What people had said before these minutes were judged, from minute `since` on: of snapshots of any format."""
        rows = self._store.rows(
            "SELECT minute, argMax(vector, (run, written_at)) FROM anomaly_states "
            "WHERE kind = 'judged' AND minute >= {minute:UInt32} GROUP BY minute",
            {"minute": since},
        )
        found = {minute: _steers(json.loads(vector)) for minute, vector in cast(list[tuple[int, str]], rows)}
        return {minute: steers for minute, steers in found.items() if steers}

    def _judged_after(self, snapshot: Snapshot) -> list[JudgedRow]:
        """Of each minute the row of the process that began last."""
        rows = self._store.rows(
            "SELECT minute, argMax(vector, (run, written_at)), argMax(known, (run, written_at)) FROM anomaly_states "
            "WHERE kind = 'judged' AND minute >= {minute:UInt32} "
            "AND written_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') GROUP BY minute ORDER BY minute",
            {"minute": snapshot.minute, "since": unix_micros(snapshot.written_at)},
        )
        found: list[JudgedRow] = []
        for minute, vector, known in cast(list[tuple[int, str, bool]], rows):
            if minute != snapshot.minute + len(found):
                break  # nothing of what follows can have been told by who went on from this snapshot
            said = json.loads(vector)
            found.append(JudgedRow(minute, _vector(said["counted"]), bool(known), _steers(said)))
        return found

    def _read(self, minute: int, run: datetime, written_at: datetime) -> Snapshot:
        rows = self._store.arrow(
            "SELECT part, vector, base64Encode(anomaly_states.state) AS state FROM anomaly_states "
            "WHERE kind = 'snapshot' AND minute = {minute:UInt32} "
            "AND run = fromUnixTimestamp64Micro({run:Int64}, 'UTC') "
            "AND written_at = fromUnixTimestamp64Micro({at:Int64}, 'UTC') ORDER BY part",
            {"minute": minute, "run": unix_micros(run), "at": unix_micros(written_at)},
        )
        body = b"".join(map(base64.b64decode, rows["state"].to_pylist()))
        try:
            size = int.from_bytes(body[:8], "little")
            if size > MAX_STATE_BYTES:
                raise ValueError(f"unpacks to {size} bytes")
            raw = pa.Codec("zstd").decompress(body[8:], size, asbytes=True)
            state = msgspec.msgpack.decode(raw, type=dict[str, Any])
            vector = _vector(json.loads(rows["vector"][0].as_py())["counted"])
        except (pa.ArrowException, OSError, msgspec.MsgspecError, KeyError, IndexError, TypeError) as error:
            raise ValueError(f"of minute {minute}: {error!r}"[:300]) from error
        return Snapshot(minute, written_at, run, vector, state)


def _listed(vector: Vector) -> list[list[Any]]:
    return [[origin.topic_id, origin.partition, unix_micros(at)] for origin, at in vector.items()]


def _vector(listed: Iterable[Sequence[Any]]) -> dict[Origin, datetime]:
    return {Origin(str(topic), int(partition)): from_unix_micros(int(at)) for topic, partition, at in listed}


def _said(steers: Iterable[Steer]) -> list[list[Any]]:
    return [[list(one.series.dims), list(one.series.vals)] for one in steers]


def _steers(row: Mapping[str, Any]) -> list[Steer]:
    return [Steer(Series(tuple(dims), tuple(vals))) for dims, vals in row.get("said", ())]
