"""How unusual series were and what was expected of them, for plots: every hour of all, every five minutes of a few."""

from typing import Any, Final

import numpy as np
import pyarrow as pa

from stream_jobs.anomalies.watch import HOUR, Watch
from stream_jobs.completeness.watermark import start_of
from stream_jobs.detection.model import Floats
from stream_jobs.series.facts import Ints
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import TABLES, insert

OFTEN: Final = 5
MOST: Final = 1e30


class Scores:
    """Used by one thread."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store
        self._waiting: list[pa.Table] = []

    def collect(self, watch: Watch) -> None:
        """After a minute was judged."""
        if watch.next % OFTEN or not watch.registry.places:
            return
        if watch.next % HOUR == 0:
            places: Ints = np.arange(len(watch.registry.places))
        else:
            some = {watch.registry.find(series) for series in watch.rows.open_series()}
            total = {place for place, series in enumerate(watch.registry.places[:1]) if not series.dims}
            places = np.array(sorted((some | total) - {-1}), np.int64)
        if not len(places):
            return
        events, cost = watch.detector.hour()
        expected, low, high = watch.detector.bands()
        series = [watch.registry.places[place] for place in places.tolist()]
        columns: dict[str, Any] = {
            "dims": [list(one.dims) for one in series],
            "vals": [list(one.vals) for one in series],
            "at": [start_of(watch.next)] * len(series),
            "events": _held(events[places]),
            "actual": _held(cost[places]),
            "expected": _held(expected[places]),
            "low": _held(low[places]),
            "high": _held(high[places]),
            "score": _held(watch.detector.scores()[places]).astype(np.float32),
        }
        self._waiting.append(pa.table(columns, schema=TABLES["anomaly_scores"]))

    def write(self) -> None:
        """What was collected. Raises StoreUnavailableError, and then keeps it."""
        if self._waiting:
            rows = pa.concat_tables(self._waiting)
            first, last = rows["at"][0].as_py(), rows["at"][-1].as_py()
            if first.month != last.month:  # one insert goes into one partition
                for one in self._waiting:
                    insert(self._store.client, "anomaly_scores", one, f"{one['at'][0].as_py().isoformat()} alone")
            else:
                insert(self._store.client, "anomaly_scores", rows, f"{first.isoformat()} {last.isoformat()}")
            self._waiting = []


def _held(values: Floats) -> Floats:
    found: Floats = np.nan_to_num(values, nan=0.0, posinf=MOST, neginf=-MOST).astype(np.float64)
    return found
