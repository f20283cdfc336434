"""`spendstream anomalies mark ID real|expected`: what people say of a finding."""

import argparse
from typing import TYPE_CHECKING

from stream_jobs.cli.flags import add_json, add_store

if TYPE_CHECKING:
    from stream_jobs.store.client import StoreClient

MAX_NOTE = 1000


def add_parser(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `mark`."""
    from stream_jobs.anomalies.mark_terms import LASTS, WORDS

    parser = actions.add_parser(
        "mark",
        help="say that a finding is real, or was to be expected",
        description="It is kept, shown, and holds for all findings of the same cause. expected: its alert is taken "
        f"back, its level is the usual one from now on, and for {LASTS.days} days only more than this is told of the "
        "same series. real: what was marked as expected before is told again. The job takes it up within seconds.",
    )
    parser.add_argument("id", metavar="ID", help="the finding's id or its alert's, or a beginning of it")
    parser.add_argument("mark", choices=WORDS, help="what it is")
    parser.add_argument("--note", default="", help="why")
    parser.add_argument("--by", help="who says so (default: you)")
    add_json(parser)
    add_store(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 0 once it is kept."""
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.store.client import StoreClient

    with StoreClient(find_clickhouse(args.url, args.data_dir, writable=True)) as store:
        return mark(store, args)


def mark(store: "StoreClient", args: argparse.Namespace) -> int:
    """Raises ConfigError for an id that is none, or that of several causes."""
    from stream_jobs.anomalies.marks import the_findings, write_mark
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.base.who import user
    from stream_jobs.output.lines import say, say_json
    from stream_jobs.store.fitting import printable

    found = the_findings(store, args.id) if args.id.rpartition("/")[2] else []
    if not found:
        raise ConfigError(f"no finding {args.id[:80]!r}; see 'spendstream anomalies list --all'")
    groups = list(dict.fromkeys(group or finding for finding, group, _ in found))
    exact = [finding for finding, group, _ in found if args.id.rpartition("/")[2] in (finding, group)]
    if len(groups) > 1 and not exact:
        raise ConfigError(f"{args.id[:80]!r} is the beginning of several ids; give one of: {', '.join(groups[:10])}")
    finding_id = exact[0] if exact else found[0][0]
    made = write_mark(store, finding_id, args.mark, printable(args.note)[:MAX_NOTE], printable(args.by or user())[:128])
    if args.json:
        say_json({"finding_id": finding_id, "mark": made.mark, "note": made.note, "by": made.by, "at": made.at})
    else:
        say(f"{finding_id} is marked as {made.mark} by {made.by}")
    return 0
