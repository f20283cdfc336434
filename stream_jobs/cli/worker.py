"""`spendstream worker JOB...`: run jobs in this process."""

import argparse
from pathlib import Path

from stream_jobs.runtime.jobs import JOBS


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "worker",
        help="run stream jobs in this process (what 'up' does for you; start more of them to scale)",
        description="Runs stream jobs until SIGTERM or Ctrl-C. Kafka and ClickHouse are found through "
        "SPENDSTREAM_KAFKA_* and SPENDSTREAM_CLICKHOUSE_*; see 'spendstream check-config'.",
    )
    parser.add_argument("jobs", nargs="+", choices=JOBS, metavar="JOB", help=f"one or more of: {', '.join(JOBS)}")
    parser.add_argument("--config-dir", type=Path, help="folder with attribution.yaml, overlays/, rate_cards/")
    parser.add_argument(
        "--health-port", type=int, help="/healthz, /readyz, /metrics (default: SPENDSTREAM_HTTP_PORT, 0 is a free one)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from stream_jobs.runtime.kafka_access import check_access_at_start
    from stream_jobs.runtime.logs import log_to_stderr
    from stream_jobs.runtime.memory import bound_allocators, calm_collector
    from stream_jobs.runtime.orphan import stop_with_parent
    from stream_jobs.settings import load_settings
    from stream_jobs.worker import JobsWorker

    stop_with_parent()
    bound_allocators()
    settings = load_settings()
    log_to_stderr(settings.pipeline.log_level)
    check_access_at_start(settings.kafka, args.jobs)
    port = settings.pipeline.http_port if args.health_port is None else args.health_port
    worker = JobsWorker(args.jobs, settings, args.config_dir or settings.pipeline.config_dir)
    calm_collector()
    return worker.run(port)
