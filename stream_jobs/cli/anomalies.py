"""`spendstream anomalies list|show|scan|mark`: what was unusual, why, and what people say of it."""

import argparse
import importlib
import importlib.util
from typing import Final

JOINED: Final = ("anomalies_scan", "anomalies_mark")
"""Modules beside this one that add one action each: `add_parser(actions)`, which sets the action's `run`."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "anomalies",
        help="what was unusual: list, show with plot and cause",
        description="What the job `anomalies` found unusual, of cost and of what drives it, with the reason.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    for name in JOINED:
        if importlib.util.find_spec(f"stream_jobs.cli.{name}") is not None:
            importlib.import_module(f"stream_jobs.cli.{name}").add_parser(actions)
