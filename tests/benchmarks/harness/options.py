"""Command line options that several benchmarks share."""

import argparse
from pathlib import Path

from tests.benchmarks.harness.machine import use_cores


def parser(description: str | None, *, seconds: float, rounds: int) -> argparse.ArgumentParser:
    """`--seconds`, `--rounds`, `--quick`, `--cores`. A quick run proves that it works; it measures nothing."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--seconds", type=float, default=seconds, help=f"of each measurement (default {seconds:g})")
    made.add_argument("--rounds", type=int, default=rounds, help=f"measurements of each candidate (default {rounds})")
    made.add_argument("--quick", action="store_true", help="one round of a second or two: floors are not judged")
    made.add_argument("--cores", type=int, default=2, help="pin everything to so many cores; 0 takes all (default 2)")
    return made


def pipeline_parser(description: str | None, *, seconds: float, rounds: int) -> argparse.ArgumentParser:
    """`parser`, and what a running pipeline is made of."""
    made = parser(description, seconds=seconds, rounds=rounds)
    made.add_argument("--broker", choices=("tansu", "kafka"), default="tansu")
    made.add_argument("--partitions", type=int, default=4, help="of the topic (default 4)")
    made.add_argument("--workers", type=int, default=1, help="worker processes (default 1)")
    made.add_argument(
        "--folder", type=Path, help="where store and broker keep their data (default: a temporary folder)"
    )
    return made


def parse(made: argparse.ArgumentParser, arguments: list[str] | None, quick_seconds: float = 1.5) -> argparse.Namespace:
    """The arguments with `quick` worked in, and the cores set."""
    args = made.parse_args(arguments)
    if args.quick:
        args.seconds, args.rounds = min(args.seconds, quick_seconds), 1
    args.cores = use_cores(args.cores)
    return args
