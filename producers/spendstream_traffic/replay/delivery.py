"""The way that replay, emit and simulate share: send, wait for the fates if asked to, and say what happened."""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from spendstream_traffic.replay.pace import Pace, parse_speed
from stream_jobs.base.errors import ConfigError, SpendstreamError
from stream_jobs.base.files import folder_of
from stream_jobs.output.lines import complain, say_json, say_text

if TYPE_CHECKING:
    from spendstream_traffic.replay.fates import FateCounts, Fates
    from spendstream_traffic.replay.outbox import Outbox, Sendable
    from spendstream_traffic.replay.ranges import SentRanges
    from stream_jobs.output.console import Progress
    from stream_jobs.store.client import StoreClient

EXIT_OK: Final = 0
EXIT_BAD_ROWS: Final = 1
EXIT_INTERRUPTED: Final = 130
_SHOW_EVERY: Final = 500
DEFAULT_TIMEOUT_S: Final = 60.0
_AGAIN: Final = "To send the rest, run the same command again: what arrived already is dropped as a duplicate."

Timed = tuple["Sendable", datetime | None]  # a message, and when its event happened (None: send it now)


@dataclass(frozen=True)
class Summary:
    """What a run did. `fates` is None when it was not waited for."""

    sent: int
    bad_rows: int
    seconds: float
    fates: "FateCounts | None" = None

    def as_json(self) -> dict[str, Any]:
        """`booked`, `duplicates`, `quarantined` and `unpriced` are there only when they are known."""
        found: dict[str, Any] = {"sent": self.sent}
        if self.fates is not None:
            found |= {
                "booked": self.fates.booked,
                "duplicates": self.fates.duplicates,
                "quarantined": self.fates.quarantined,
                "unpriced": self.fates.unpriced,
            }
        return found | {"bad_rows": self.bad_rows, "seconds": round(self.seconds, 3)}

    def as_text(self, what: str = "events") -> str:
        rate = f"{self.sent / self.seconds:,.0f}/s" if self.seconds > 0 else ""
        lines = [f"sent {self.sent:,} {what} in {self.seconds:.1f} s {rate}".rstrip()]
        if self.fates is not None:
            unpriced = f" (of which unpriced {self.fates.unpriced:,})" if what == "events" else ""
            lines.append(
                f"booked {self.fates.booked:,}{unpriced}, "
                f"duplicates {self.fates.duplicates:,}, quarantined {self.fates.quarantined:,}"
            )
        if self.bad_rows:
            lines.append(f"{self.bad_rows:,} rows could not be read and were not sent")
        return "\n".join(lines)


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to send and what to wait for."""
    target = parser.add_argument_group("where to")
    target.add_argument(
        "--bootstrap",
        metavar="HOST:PORT",
        help="Kafka (default: of --data-dir, else SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS, else the one 'spendstream up' "
        "that runs on this machine)",
    )
    target.add_argument("--data-dir", type=folder_of, metavar="DIR", help="data folder of a running 'spendstream up'")
    target.add_argument("--clickhouse-url", metavar="URL", help="for --wait (default: found in the same way)")
    target.add_argument(
        "--wait",
        action="store_true",
        help="return when every event is booked, dropped as a duplicate or quarantined, and say how many of each",
    )
    target.add_argument(
        "--timeout",
        type=float,
        default=DEFAULT_TIMEOUT_S,
        metavar="SECONDS",
        help="give up when nothing moves for this long (default: %(default)g)",
    )
    target.add_argument("--json", action="store_true", help="print the summary as JSON")


def deliver(
    messages: Iterable[Timed],
    args: argparse.Namespace,
    *,
    topic: str,
    source: str,
    total: int | None = None,
    bad_rows: Callable[[], int] = lambda: 0,
    raw: bool = False,
    repeatable: bool = True,
    show: bool = True,
) -> tuple[Summary | None, int]:
    """Send all messages of one topic and print the summary (`show`). Returns it and the exit code.

    `repeatable`: the same command makes the same event ids again. Ctrl-C is answered with what was delivered, and
    exit code 130 (then there is no summary).
    """
    if not 0 < args.timeout <= 86_400:
        raise ConfigError(f"--timeout {args.timeout:g}: expected seconds, above 0 and at most 86400")
    from spendstream_traffic.replay.fates import StoreFates
    from spendstream_traffic.replay.outbox import UNKNOWN_TOPIC, ProducerOutbox, RawOutbox
    from stream_jobs.embedded.instance import find_kafka
    from stream_jobs.output.console import progress_bars
    from stream_jobs.runtime.kafka import topic_start

    pace = Pace(parse_speed(getattr(args, "speed", "max")))
    kafka = find_kafka(args.bootstrap, args.data_dir)

    def topic_id() -> str:
        return topic_start(kafka, topic).topic_id

    topic_id()  # fail now, not after a minute, when Kafka or the topic is not there
    with store_of(args) as store:
        hint = _AGAIN if repeatable else ""
        outbox: Outbox = (
            RawOutbox(kafka, topic, args.timeout, topic_id)
            if raw
            else ProducerOutbox(kafka.bootstrap_servers, topic, source, args.timeout, topic_id, hint)
        )
        started = time.monotonic()
        sent: SentRanges | None = None
        try:
            with progress_bars() as progress:
                sent = send_all(messages, outbox, pace, args.timeout, progress, total)
                counts = None
                if store is not None:
                    if UNKNOWN_TOPIC in outbox.topic_ids:
                        raise SpendstreamError(
                            f"topic {topic} was deleted and made again while we sent: all {sent.count} messages are "
                            "delivered, but what became of each can't be told by offset; see 'spendstream status'"
                        )
                    counts = wait_with_bar(StoreFates(store, *outbox.topic_ids), sent, args.timeout, progress)
        except KeyboardInterrupt:
            complain(interrupted(outbox, sent, hint))
            return None, EXIT_INTERRUPTED
        finally:
            outbox.close()
    summary = Summary(outbox.delivered, bad_rows(), time.monotonic() - started, counts)
    if show:
        tell(summary, as_json=args.json)
    return summary, EXIT_BAD_ROWS if summary.bad_rows else EXIT_OK


def tell(summary: Summary, *, as_json: bool, outcomes: Summary | None = None) -> None:
    """Print what a run did; `outcomes` were sent beside the usage."""
    if as_json:
        say_json(summary.as_json() | ({} if outcomes is None else {"outcomes": outcomes.as_json()}))
        return
    say_text(summary.as_text() + "\n")
    if outcomes is not None:
        say_text(outcomes.as_text("outcomes") + "\n")


def send_all(
    messages: Iterable[Timed], outbox: "Outbox", pace: Pace, timeout_s: float, progress: "Progress", total: int | None
) -> "SentRanges":
    """Send in order, at the given pace, and wait for every acknowledgement."""
    bar = progress.add_task("sending", total=total)
    for number, (message, occurred_at) in enumerate(messages, 1):
        if occurred_at is not None:
            pace.wait_for(occurred_at)
        outbox.send(message)
        if number % _SHOW_EVERY == 0:
            progress.update(bar, completed=outbox.delivered)
    progress.update(bar, total=outbox.accepted)
    return outbox.finish(timeout_s, lambda delivered: progress.update(bar, completed=delivered))


def wait_with_bar(fates: "Fates", sent: "SentRanges", timeout_s: float, progress: "Progress") -> "FateCounts":
    """`wait_for_fates` with a progress bar."""
    from spendstream_traffic.replay.waiting import wait_for_fates

    bar = progress.add_task("booking", total=sent.count)
    return wait_for_fates(
        fates, sent, timeout_s=timeout_s, on_progress=lambda done: progress.update(bar, completed=done)
    )


def interrupted(outbox: "Outbox", sent: "SentRanges | None", hint: str) -> str:
    """What to tell after Ctrl-C."""
    if sent is not None:
        return (
            f"interrupted while waiting: all {sent.count:,} events are in Kafka and will be booked; "
            "'spendstream status' shows how far that is."
        )
    on_their_way = outbox.accepted - outbox.delivered
    return (
        f"interrupted: {outbox.delivered:,} events are in Kafka and will be booked, "
        f"{on_their_way:,} were on their way and may or may not arrive. {hint}"
    ).rstrip()


@contextmanager
def store_of(args: argparse.Namespace) -> Iterator["StoreClient | None"]:
    """The store to ask for fates, opened before anything is sent; None without --wait."""
    if not args.wait:
        yield None
        return
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.store.client import StoreClient

    with StoreClient(find_clickhouse(args.clickhouse_url, args.data_dir, args.bootstrap)) as store:
        yield store
