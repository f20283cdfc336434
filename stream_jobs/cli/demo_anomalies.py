"""What the demo shows of the incident: what the job `anomalies` found, once it is explained and its alert is here."""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from stream_jobs.cli.demo_receiver import DemoReceiver
from stream_jobs.output.console import Console
from stream_jobs.runtime.retry import wait_until

if TYPE_CHECKING:
    from stream_jobs.anomalies.found import Found
    from stream_jobs.store.client import StoreClient

WAIT_S: Final = 120.0
_POLL_S: Final = 0.2
# As alerts do it (signals.head_of): the narrowest of those that rose nearly as far as the one that rose most.
_RISES: Final = (
    "SELECT finding_id, abs(excess) < 0.8 * max(abs(excess)) OVER () AS part FROM anomalies "
    "WHERE direction = 'up' AND measure = 'effective_cost' AND silenced_by = '' AND cause != '' AND group_id != '' "
    "AND starts_at < {end:DateTime64(6, 'UTC')} AND (ends_at IS NULL OR ends_at > {start:DateTime64(6, 'UTC')}) "
    "AND detected_at > {start:DateTime64(6, 'UTC')} "
    "ORDER BY indexOf(['critical', 'error', 'warning', 'info'], severity), part, expected, finding_id LIMIT 1"
)
_TOLD: Final = (
    "SELECT alert_id, argMax(level, position) FROM alert_events WHERE kind = 'anomaly' AND episode > 0 "
    "GROUP BY alert_id"
)


def wait_until_found(
    store: "StoreClient", receiver: DemoReceiver, start: datetime, end: datetime, wait_s: float = WAIT_S
) -> "Found | None":
    """Who rose most between the two instants, explained, with all alerts of anomalies arrived. None after `wait_s`."""
    from stream_jobs.anomalies.found import the_one

    found: list[Found] = []

    def is_here() -> bool:
        rows = store.rows(_RISES, {"start": start, "end": end})
        if not rows:
            return False
        found[:] = [the_one(store, str(rows[0][0]))]
        told = store.rows(_TOLD)
        return bool(told) and all(receiver.level(str(alert)) >= int(str(level)) for alert, level in told)

    wait_until(is_here, wait_s, _POLL_S)
    return found[0] if found else None


def show_finding(console: Console, store: "StoreClient", found: "Found") -> None:
    """As `spendstream anomalies show` does."""
    from stream_jobs.anomalies.terminal import look_at, print_finding

    print_finding(console, look_at(store, found))
