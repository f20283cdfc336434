"""`spendstream demo`: hours of simulated traffic with an incident, through the real pipeline: alerts, a report."""

import argparse
import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_jobs.base.checkout import ROOT
from stream_jobs.embedded.options import add_instance_options, embedded_from
from stream_jobs.output.lines import say

if TYPE_CHECKING:
    from spendstream_traffic.simulate import SimulationConfig
    from stream_jobs.cli.demo_alerts import SentTimes
    from stream_jobs.cli.demo_receiver import DemoReceiver
    from stream_jobs.embedded.instance import Instance
    from stream_jobs.output.console import Console

EXAMPLE_CONFIG = ROOT / "producers" / "spendstream_traffic" / "simulate" / "example_config"
BUDGETS_FILE = "budgets.yaml"
EVENTS_FILE = "events.yaml"
ENDS = """events:
  - id: demo-ends
    name: The simulated traffic ends
    from: {end:%Y-%m-%dT%H:%M:%S}Z
    to: {later:%Y-%m-%dT%H:%M:%S}Z
    factor: 0
"""
QUIET = timedelta(hours=1)
"""Nobody is told that the traffic has stopped. Longer, and forecasts would be of a company that is closed."""
ALERTS_FILE = "alerts.yaml"
DEMO_MARKER = "demo"
HOURS = 4
"""What is unusual is told by what came before: the incident is in the last of them."""
INCIDENT = "runaway_user:start=190m:duration=10m:factor=8000"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "demo",
        help="see it work: simulated traffic through the whole pipeline, budget alerts, and a report",
        description="Starts the pipeline on free ports, sends four hours of traffic of a made-up company with several "
        "teams, customers and providers, in which one user runs away and budgets are crossed, shows the alerts as they "
        "arrive, what was unusual and why, where the money went, and which budget will be gone when. Nothing is left "
        "running; the data folder stays for you to look at.",
    )
    add_instance_options(parser, default_port=0, default_data_dir=Path("demo-data"))
    parser.add_argument("--out", type=Path, default=Path("report.html"), help="the report (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=2.5, help="mean events per second (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="another seed, other traffic (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.text import Text

    from stream_jobs.cli import demo_receiver
    from stream_jobs.embedded.background import watched
    from stream_jobs.output.console import Console

    # `kill` must stop the children in order too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    console = Console()
    _fresh_folder(args.data_dir)
    traffic = _traffic(args)
    embedded = embedded_from(args)
    with demo_receiver.DemoReceiver() as receiver:
        with Console(stderr=True).working("looking at what ordinary hours cost") as status:
            _write_config(args.data_dir / "config", traffic, receiver.url)
            status.update("starting")
            instance = embedded.start(status.update)
        with watched(embedded):
            console.print(
                f"The pipeline runs: Kafka on {instance.kafka}, ClickHouse on {instance.clickhouse_http}.",
                soft_wrap=True,
            )
            if code := _send_and_show(args, traffic, instance, receiver, console):
                return code
    demo_receiver.without_receiver(args.data_dir / "config" / ALERTS_FILE)
    # Soft wrap: a command broken over two lines cannot be copied.
    console.print()
    console.print(Text.assemble("The report with plots: ", (str(args.out), "bold")), soft_wrap=True)
    console.print(f"Look around:           spendstream up --data-dir {args.data_dir}", soft_wrap=True)
    query = "SELECT user_id, sum(effective_cost) AS usd FROM cost_by_user GROUP BY user_id ORDER BY usd DESC LIMIT 5"
    console.print(f'and in another shell:  spendstream query "{query}"', soft_wrap=True)
    console.print("                       spendstream anomalies list --all", soft_wrap=True)
    console.print("                       spendstream budgets show products.agents", soft_wrap=True)
    console.print("                       spendstream forecast budget=products --horizon 24h", soft_wrap=True)
    return 0


def _send_and_show(
    args: argparse.Namespace,
    traffic: "SimulationConfig",
    instance: "Instance",
    receiver: "DemoReceiver",
    console: "Console",
) -> int:
    """Send, show the alerts as they come in, then the report. Returns the exit code."""
    from spendstream_traffic.simulate import labels
    from stream_jobs.cli import demo_alerts, demo_anomalies, demo_forecast
    from stream_jobs.embedded.instance import embedded_clickhouse
    from stream_jobs.report.forecast_section import read_section
    from stream_jobs.report.html import write_html
    from stream_jobs.report.queries import build
    from stream_jobs.report.terminal import render_terminal
    from stream_jobs.store.client import StoreClient

    clickhouse, sent = embedded_clickhouse(instance, writable=False), demo_alerts.SentTimes()
    with StoreClient(clickhouse) as store, StoreClient(clickhouse) as printers:
        own_budgets = args.config_dir is None  # else somebody's own are watched, and tell whom they say
        if own_budgets:
            budgets = demo_alerts.read_budgets(args.data_dir / "config")
            receiver.show_with(demo_alerts.AlertPrinter(console, printers, sent, budgets))
        if code := _send(args, traffic, instance.kafka, sent):
            return code
        asked = [demo_forecast.ask(instance)]
        if own_budgets and not demo_alerts.wait_until_told(store, receiver, budgets):
            console.print("Not all alerts have arrived yet; spendstream alerts list has them.", style="yellow")
        (incident,) = traffic.incidents
        with console.working("waiting until the incident is found and explained"):
            found = demo_anomalies.wait_until_found(store, receiver, incident.start, incident.end)
        receiver.stop_showing()
        if found is None:
            console.print("Nothing was found in it yet; spendstream anomalies list --all has what is.", style="yellow")
        else:
            demo_anomalies.show_finding(console, store, found)
        data = build(store.client, traffic.start, traffic.end, seen_until=datetime.now(UTC))
        asked.append(demo_forecast.ask(instance))  # which the incident does not move, now that it is found
        with console.working("waiting for the forecast"):
            is_here = any(demo_forecast.wait_until_forecast(store, at) for at in reversed(asked))
        forecast = demo_forecast.look(store) if is_here else None
    render_terminal(data, console)
    demo_forecast.show(console, forecast)
    for label in labels(traffic):
        console.print()
        console.print(f"What the simulation did: {_told(label)}")
    with StoreClient(clickhouse) as store:
        write_html(data, args.out, read_section(store))
    return 0


def _write_config(folder: Path, traffic: "SimulationConfig", url: str) -> None:
    """Amounts that fit the traffic, and where the alerts go."""
    from stream_jobs.cli.demo_budgets import ordinary_hour, write_amounts
    from stream_jobs.cli.demo_receiver import write_url

    write_amounts(folder / BUDGETS_FILE, ordinary_hour(traffic, folder))
    write_url(folder / ALERTS_FILE, url)
    planned = folder / EVENTS_FILE
    planned.write_text(ENDS.format(end=traffic.end, later=traffic.end + QUIET), encoding="utf-8")
    planned.chmod(0o600)


def _fresh_folder(data_dir: Path) -> None:
    """A demo starts from nothing. Only a folder that an earlier demo made is removed: any other may hold a ledger."""
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.base.private import private_folder
    from stream_jobs.embedded.datadir import DataDir

    if data_dir.exists() and not data_dir.is_dir():
        raise ConfigError(f"{data_dir} is not a folder; choose another with --data-dir")
    try:
        used = data_dir.exists() and any(data_dir.iterdir())
        if used and not (data_dir / DEMO_MARKER).is_file():
            raise ConfigError(f"{data_dir} is not empty and no demo made it; choose another folder with --data-dir")
        private_folder(data_dir)  # refuses another user's, also one that says that a demo made it
        if used:
            folder = DataDir(data_dir)
            folder.open()  # refuses while another instance uses it
            folder.close()
            shutil.rmtree(data_dir)
            private_folder(data_dir)
        # Not the modes of the checkout: they let others read.
        shutil.copytree(EXAMPLE_CONFIG, data_dir / "config", copy_function=shutil.copyfile)
        for folder_made in (data_dir / "config", *(data_dir / "config").rglob("*/")):
            folder_made.chmod(0o700 if folder_made.is_dir() else 0o600)
        (data_dir / DEMO_MARKER).write_text("made by 'spendstream demo', which removes this folder\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{data_dir} cannot be used: {error.strerror}; choose another with --data-dir") from None


def _traffic(args: argparse.Namespace) -> "SimulationConfig":
    """The last whole hours, with the incident in them."""
    from spendstream_traffic.simulate import SimulationConfig, parse_incident

    duration = timedelta(hours=HOURS)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - duration
    return SimulationConfig(
        start=start,
        duration=duration,
        rate=args.rate,
        seed=args.seed,
        incidents=(parse_incident(INCIDENT, start, start + duration),),
    )


def _send(args: argparse.Namespace, traffic: "SimulationConfig", bootstrap: str, sent: "SentTimes") -> int:
    """Returns the exit code."""
    from spendstream.kafka_client import USAGE_TOPIC
    from spendstream_traffic.simulate import messages
    from stream_jobs.cli.simulate import send, sendable

    say(f"Sending {HOURS} hours of traffic ({traffic.start:%H:%M} to {traffic.end:%H:%M} UTC).")
    target: dict[str, Any] = {"bootstrap": bootstrap, "data_dir": args.data_dir, "clickhouse_url": None}
    options = argparse.Namespace(**target, wait=True, timeout=60.0, json=False, speed="max")
    usage = sent.noting(sendable(messages(traffic), USAGE_TOPIC))
    return send(traffic, options, source="spendstream-demo", repeatable=False, usage=usage)


def _told(label: dict[str, Any]) -> str:
    who = ", ".join(label["scope"].values())
    when = f"{datetime.fromisoformat(label['start']):%H:%M} to {datetime.fromisoformat(label['end']):%H:%M} UTC"
    return f"{label['kind'].replace('_', ' ')} ({who}), {when}"
