"""`spendstream up`: broker, store and jobs on this machine, until Ctrl-C."""

import argparse
import logging
import signal
import threading

from stream_jobs.embedded.brokers import BROKERS, TANSU
from stream_jobs.embedded.options import add_instance_options

log = logging.getLogger(__name__)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "up",
        help="run the whole pipeline on this machine; Ctrl-C stops it",
        description="Runs a Kafka-compatible broker, ClickHouse (embedded) and all jobs. Everything listens on "
        "loopback only. Ctrl-C stops it; the ledger stays in the data folder. Tansu lives in memory only: what it "
        "holds is booked before it stops. Apache Kafka (needs Java) keeps its records in the data folder too.",
    )
    add_instance_options(parser)
    parser.add_argument(
        "--broker", choices=BROKERS, default=TANSU, help="kafka is durable and needs Java (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.text import Text

    from stream_jobs.base.errors import SpendstreamError
    from stream_jobs.cli.config_dir import config_dir_said
    from stream_jobs.embedded.datadir import DATA_DIR_VARIABLE
    from stream_jobs.embedded.options import embedded_from
    from stream_jobs.output.console import Console
    from stream_jobs.runtime.logs import log_to_stderr
    from stream_jobs.runtime.ports import KAFKA_PORT, LOOPBACK

    log_to_stderr()
    console = Console(stderr=True)
    args.config_dir = args.config_dir or config_dir_said()
    embedded = embedded_from(args, broker=args.broker)
    # While it starts, SIGTERM is what Ctrl-C is: an interrupt, after which `start` leaves nothing behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with console.working("starting") as status:
        instance = embedded.start(status.update)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        console.print(Text("spendstream is up", "bold green"))
        console.print(f"  Kafka            {instance.kafka}   topic usage.events.v1")
        console.print(f"  ClickHouse HTTP  {instance.clickhouse_http}   (read-only user: default)")
        console.print(f"  health, metrics  {instance.http}/healthz /readyz /metrics")
        console.print(f"  data             {instance.data_dir}")
        if instance.kafka != f"{LOOPBACK}:{KAFKA_PORT}":
            console.print(f"  services         SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS={instance.kafka}", soft_wrap=True)
        # Whether others run or not: one may be starting at this moment, or later.
        console.print(f"  commands         {DATA_DIR_VARIABLE}={instance.data_dir}, if others run", soft_wrap=True)
        console.print("Ctrl-C stops it.", style="dim")
        while not stopping.wait(1.0):
            try:
                embedded.watch()
            except SpendstreamError as error:
                log.error("cannot bring it back yet, trying again: %s", error)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with console.working("finishing what is under way, then stopping (Ctrl-C again: stop now)"):
            try:
                embedded.stop()
            except KeyboardInterrupt:
                embedded.stop(drain=False)
        console.print("stopped")
    return 0
