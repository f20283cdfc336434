"""Asking the job for a run, and waiting for it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic
from typing import Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import unix_micros
from stream_jobs.forecasts.grid import Step
from stream_jobs.forecasts.runs import request
from stream_jobs.runtime.retry import wait_until
from stream_jobs.store.client import StoreClient

BEGINS_WITHIN_S: Final = 60.0
DONE_WITHIN_S: Final = 660.0
_POLL_S: Final = 0.3


def run_now(
    store: StoreClient,
    grains: Sequence[Step],
    by: str,
    told: Callable[[str], None],
    done_within_s: float = DONE_WITHIN_S,
) -> None:
    """Until there is a run of each that began after it was asked for. Raises ConfigError where none begins, it fails or
    takes too long, StoreUnavailableError."""
    asked = {grain: request(store, grain, by) for grain in grains}
    begun = monotonic()

    def is_done() -> bool:
        said = {grain: _since(store, grain, asked[grain]) for grain in grains}
        waiting = [grain for grain in grains if "complete" not in said[grain]]
        seconds = int(monotonic() - begun)
        for grain in waiting:
            if {"running", "failed"} <= said[grain].keys():
                raise ConfigError(f"no forecast by the {grain}: {said[grain]['failed']}")
        under_way = [grain for grain in waiting if "running" in said[grain]]
        if waiting == [*grains] and not under_way and seconds > BEGINS_WITHIN_S:
            raise ConfigError(
                f"the job 'forecasts' has begun nothing within {BEGINS_WITHIN_S:g} s: does it run? It does with "
                "'spendstream up', or as 'spendstream worker forecasts'. What was asked for stays asked for"
            )
        for grain in under_way or waiting:
            told(f"{'forecasting' if under_way else 'waiting for the job to forecast'} by the {grain}, {seconds} s")
        return not waiting

    if not wait_until(is_done, done_within_s, _POLL_S):
        raise ConfigError(f"the run is not done after {done_within_s:g} s; the table forecast_runs says how far it is")


def _since(store: StoreClient, grain: Step, asked: datetime) -> dict[str, str]:
    """What became of runs that began after that: the error by the status."""
    rows = store.rows(
        "SELECT toString(status), argMax(error, at) FROM forecast_runs WHERE grain = {grain:String} "
        "AND status != 'requested' AND run >= fromUnixTimestamp64Micro({asked:Int64}, 'UTC') GROUP BY status",
        {"grain": grain, "asked": unix_micros(asked)},
    )
    return {str(status): str(error) for status, error in rows}
