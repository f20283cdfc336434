"""`spendstream demo`: an hour of simulated traffic with an incident, through the real pipeline, and a report."""

import argparse
import shutil
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stream_jobs.embedded.options import add_instance_options, embedded_from

EXAMPLE_CONFIG = Path(__file__).resolve().parent.parent / "simulate" / "example_config"
DEMO_MARKER = "demo"
INCIDENT = "runaway_user:start=35m:duration=10m:factor=1000"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "demo",
        help="see it work: simulated traffic through the whole pipeline, and a report",
        description="Starts the pipeline on free ports, sends an hour of simulated traffic of a company with several "
        "teams, customers and providers, in which one user runs away, and shows where the money went. Nothing is left "
        "running; the data folder stays for you to look at.",
    )
    add_instance_options(parser, default_port=0, default_data_dir=Path("demo-data"))
    parser.add_argument("--out", type=Path, default=Path("report.html"), help="the report (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=8.0, help="mean events per second (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="another seed, other traffic (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from stream_jobs.embedded.background import watched
    from stream_jobs.embedded.instance import embedded_clickhouse
    from stream_jobs.report import build, render_terminal, write_html
    from stream_jobs.store.client import StoreClient

    # `kill` must stop the children in order too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    console = Console()
    _fresh_folder(args.data_dir)
    embedded = embedded_from(args)
    with Console(stderr=True).status("starting") as status:
        instance = embedded.start(status.update)
    with watched(embedded):
        console.print(
            f"The pipeline runs: Kafka on {instance.kafka}, ClickHouse on {instance.clickhouse_http}.", soft_wrap=True
        )
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        truth, code = _send(args, start, instance.kafka)
        if code:
            return code
        with StoreClient(embedded_clickhouse(instance, writable=False)) as store:
            data = build(store.client, start, start + timedelta(hours=1))
        render_terminal(data, console)
        for label in truth:
            console.print(f"\nWhat the simulation did: {_told(label)}")
        write_html(data, args.out)
    # Soft wrap: a command broken over two lines cannot be copied.
    console.print(f"\nThe report with plots: [bold]{args.out}[/]", soft_wrap=True)
    console.print(f"Look around:           spendstream up --data-dir {args.data_dir}", soft_wrap=True)
    query = "SELECT user_id, sum(effective_cost) AS usd FROM cost_by_user GROUP BY user_id ORDER BY usd DESC LIMIT 5"
    console.print(f'and in another shell:  spendstream query "{query}"', soft_wrap=True)
    return 0


def _fresh_folder(data_dir: Path) -> None:
    """A demo starts from nothing. Only a folder that an earlier demo made is removed: any other may hold a ledger."""
    from stream_jobs.embedded.datadir import DataDir
    from stream_jobs.errors import ConfigError

    if data_dir.exists() and not data_dir.is_dir():
        raise ConfigError(f"{data_dir} is not a folder; choose another with --data-dir")
    if data_dir.exists() and any(data_dir.iterdir()):
        if not (data_dir / DEMO_MARKER).is_file():
            raise ConfigError(f"{data_dir} is not empty and no demo made it; choose another folder with --data-dir")
        folder = DataDir(data_dir)
        folder.open()  # refuses while another instance uses it
        folder.close()
        shutil.rmtree(data_dir)
    shutil.copytree(EXAMPLE_CONFIG, data_dir / "config")
    (data_dir / DEMO_MARKER).write_text("made by 'spendstream demo', which removes this folder\n", encoding="utf-8")


def _send(args: argparse.Namespace, start: datetime, bootstrap: str) -> tuple[list[dict[str, Any]], int]:
    """Returns what really happened in the traffic, and the exit code."""
    from spendstream.kafka_client import USAGE_TOPIC
    from stream_jobs.cli.simulate import sendable
    from stream_jobs.replay.delivery import deliver
    from stream_jobs.simulate import SimulationConfig, labels, parse_incident

    duration = timedelta(hours=1)
    config = SimulationConfig(
        start=start,
        duration=duration,
        rate=args.rate,
        seed=args.seed,
        incidents=(parse_incident(INCIDENT, start, start + duration),),
    )
    sys.stdout.write(f"Sending an hour of traffic ({start:%H:%M} to {start + duration:%H:%M} UTC).\n")
    sys.stdout.flush()
    target: dict[str, Any] = {"bootstrap": bootstrap, "data_dir": args.data_dir, "clickhouse_url": None}
    options = argparse.Namespace(**target, wait=True, timeout=60.0, json=False, speed="max")
    _, code = deliver(
        sendable(config, USAGE_TOPIC),
        options,
        topic=USAGE_TOPIC,
        source="spendstream-demo",
        total=round(args.rate * duration.total_seconds()),
        repeatable=False,
    )
    return labels(config), code


def _told(label: dict[str, Any]) -> str:
    who = ", ".join(label["scope"].values())
    when = f"{datetime.fromisoformat(label['start']):%H:%M} to {datetime.fromisoformat(label['end']):%H:%M} UTC"
    return f"{label['kind'].replace('_', ' ')} ({who}), {when}"
