"""`spendstream status`: is an instance running, where does it answer, and how far has it come?"""

import argparse
from datetime import datetime
from typing import Any

from stream_jobs.cli.flags import add_data_dir, add_json
from stream_jobs.output.lines import say, say_json


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "status",
        help="addresses and progress of a running instance",
        description="Exit code 0 when the instance is ready, 1 when it is not or when none runs.",
    )
    add_data_dir(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from stream_jobs.embedded.datadir import said_data_dir
    from stream_jobs.embedded.instance import find_instance

    instance = find_instance(args.data_dir)
    found: dict[str, Any] = {"ready": False}
    if instance is not None:
        found = _describe(instance)
    if args.json:
        say_json(found)
    elif instance is None:
        data_dir = args.data_dir or said_data_dir()
        where = f"on {data_dir}" if data_dir else "for this user on this machine"
        say(f"no spendstream runs {where}; start one with 'spendstream up'")
    else:
        _print(found)
    return 0 if found["ready"] else 1


def _describe(instance: Any) -> dict[str, Any]:
    from stream_jobs.base.errors import SpendstreamError
    from stream_jobs.base.files import printable
    from stream_jobs.blocks.progress import totals
    from stream_jobs.embedded.instance import embedded_clickhouse
    from stream_jobs.embedded.probe import confined, trouble
    from stream_jobs.store.client import StoreClient

    reason = trouble(f"{instance.http}/readyz")
    found = {
        "ready": reason is None,
        **({} if reason is None else {"not_ready": printable(reason)}),
        "kafka": instance.kafka,
        "clickhouse_http": instance.clickhouse_http,
        "http": instance.http,
        "data_dir": instance.data_dir,
        "pid": instance.pid,
        "started_at": datetime.fromisoformat(instance.started_at),
        "store_confined": confined(instance.clickhouse_http),
    }
    try:
        # As the jobs ask: whoever occupies the readers' places does not keep the owner from seeing how it stands.
        with StoreClient(embedded_clickhouse(instance, writable=True)) as store:
            found["records"] = totals(store)
    except SpendstreamError as error:
        found["error"] = str(error)
    return found


def _print(found: dict[str, Any]) -> None:
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Facts

    facts = [(name, value) for name, value in found.items() if name != "records"]
    facts += [(f"records {fate}", f"{number:,}") for fate, number in found.get("records", {}).items()]
    Console().print(Facts(facts))
