"""Scores in ClickHouse: what was said of cells that are over by now, and how good forecasts were so far."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import numpy as np

from stream_jobs.base.instants import as_utc
from stream_jobs.forecasts.grid import Grid
from stream_jobs.forecasts.lease import Lease
from stream_jobs.forecasts.model import Key, Past
from stream_jobs.forecasts.scoring import Said, Score, scored
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table, insert

BACK: Final = {"hour": 48, "day": 7}
"""Cells: what was over for longer when the job came back is not scored."""
AT_ONCE: Final = 50_000
"""Rows of scores in one insert."""
_SERIES: Final = "budget_id, dims, vals, measure"


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one series, of late."""

    scored: int = 0
    error: float | None = None  # in units of the scale; 1: as good as naive
    coverage: float | None = None  # share within the band


NOTHING_SCORED: Final = Quality()


class Scores:
    """Raises StoreUnavailableError."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store

    def score(self, past: Past, lease: Lease, part: int) -> int:
        """What earlier runs said of the last cells of `past`, series by series on from where that was scored last;
        returns how many forecasts these were. Who scores a cell again replaces what was said before, so each forecast
        counts once whoever comes twice."""
        grid, first = past.grid, max(past.first, past.origin - BACK[past.grid.step])
        if first >= past.origin or not past.keys:
            return 0
        since = grid.start(first)
        last = self._last(grid, since)
        came = {
            (key, cell): float(past.values[place, cell - past.first])
            for place, key in enumerate(past.keys)
            for cell in range(max(first, last.get(key, first - 1) + 1), past.origin)
            if not np.isnan(past.values[place, cell - past.first])
        }
        if not came:
            return 0
        found = scored(grid.step, self._said(grid, since, grid.start(past.origin)), came)
        self._write(grid, found, lease, part)
        return sum(score.n for score in found.values())

    def quality(self, grid: Grid) -> dict[Key, Quality]:
        """By series, over all steps ahead; of the last weeks."""
        days = 28 if grid.step == "hour" else 120
        rows = self._store.rows(
            f"SELECT {_SERIES}, sum(n) AS said, sum(scaled) AS with_scale, sum(error), sum(inside) / said "
            "FROM forecast_scores FINAL WHERE grain = {grain:String} AND at >= now() - toIntervalDay({days:UInt32}) "
            f"GROUP BY {_SERIES}",
            {"grain": grid.step, "days": days},
        )
        return {
            _key(row): Quality(int(row[4]), float(row[6]) / int(row[5]) if int(row[5]) else None, float(row[7]))
            for row in cast(list[tuple[Any, ...]], rows)
        }

    def _last(self, grid: Grid, since: datetime) -> dict[Key, int]:
        """By series, the last cell that is scored."""
        rows = self._store.rows(
            f"SELECT {_SERIES}, max(at) FROM forecast_scores WHERE grain = {{grain:String}} "
            f"AND at >= fromUnixTimestamp({{since:Int64}}) GROUP BY {_SERIES}",
            {"grain": grid.step, "since": int(since.timestamp())},
        )
        return {_key(row): grid.cell_at(as_utc(row[4])) for row in cast(list[tuple[Any, ...]], rows)}

    def _said(self, grid: Grid, since: datetime, until: datetime) -> Iterable[Said]:
        """By complete runs, of the cells that begin in [since, until)."""
        rows = self._store.rows(
            "SELECT forecasts.budget_id, forecasts.dims, forecasts.vals, forecasts.measure, forecasts.at, "
            "runs.known_until, toFloat64(p10), toFloat64(p50), toFloat64(p90), forecast_series.scale "
            "FROM forecasts INNER JOIN ("
            "SELECT run, any(known_until) AS known_until FROM forecast_runs "
            "WHERE grain = {grain:String} AND status = 'complete' GROUP BY run) AS runs ON runs.run = forecasts.run "
            "LEFT JOIN forecast_series ON forecast_series.grain = forecasts.grain "
            "AND forecast_series.run = forecasts.run AND forecast_series.budget_id = forecasts.budget_id "
            "AND forecast_series.dims = forecasts.dims AND forecast_series.vals = forecasts.vals "
            "AND forecast_series.measure = forecasts.measure "
            "WHERE forecasts.grain = {grain:String} AND forecasts.at >= fromUnixTimestamp({since:Int64}) "
            "AND forecasts.at < fromUnixTimestamp({until:Int64})",
            {"grain": grid.step, "since": int(since.timestamp()), "until": int(until.timestamp())},
        )
        for row in cast(list[tuple[Any, ...]], rows):
            cell, origin = grid.cell_at(as_utc(row[4])), grid.cell_at(as_utc(row[5]))
            yield Said(_key(row), cell, cell - origin + 1, *map(float, row[6:10]))

    def _write(self, grid: Grid, found: Mapping[tuple[Key, int, int], Score], lease: Lease, part: int) -> None:
        rows: list[dict[str, Any]] = [
            {
                **{"grain": grid.step, "budget_id": key.budget_id, "dims": list(key.dims), "vals": list(key.vals)},
                **{"measure": key.measure, "ahead": ahead, "at": grid.start(cell)},
                **{"n": score.n, "inside": score.inside, "below": score.below, "above": score.above},
                **{"scaled": score.scaled, "error": score.error, "scored_at": lease.run},
            }
            for (key, cell, ahead), score in found.items()
        ]
        by_month: dict[tuple[int, int], list[dict[str, Any]]] = {}
        for row in rows:
            by_month.setdefault((row["at"].year, row["at"].month), []).append(row)
        for number, (month, some) in enumerate(sorted(by_month.items())):
            for at in range(0, len(some), AT_ONCE):
                table = arrow_table("forecast_scores", some[at : at + AT_ONCE])
                token = f"{lease.token('forecast_scores', part)} {month} {number} {at}"
                insert(self._store.client, "forecast_scores", table, token, lease.not_after)


def _key(row: tuple[Any, ...]) -> Key:
    return Key(str(row[0]), tuple(row[1]), tuple(row[2]), row[3])
