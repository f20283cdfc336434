"""`spendstream reprice` and `reattribute`: flags that do not fit, and how a difference is shown."""

import argparse
import json
from typing import Any

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.cli import corrections_common, reattribute, reprice
from stream_jobs.repricing.summary import Heading, Summary


def parsed(module: Any, *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.add_parser(parser.add_subparsers())
    name = module.__name__.rpartition(".")[2]
    return parser.parse_args([name, *arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dry-run"], "say from when on"),
        (["--dry-run", "--since", "yesterday"], "--since 'yesterday' is not a timestamp"),
        (["--dry-run", "--since", "2026-01-01", "--until", "12"], "--until '12' is not a timestamp"),
        (["--dry-run", "--since", "2026-02-01", "--until", "2026-01-01"], "--until is not after --since"),
        (["--dry-run", "--since", "2026-01-01", "--chunk-rows", "0"], "at least 1"),
        (["--apply", "--unpriced", "--unprice"], "--unprice takes prices away"),
    ],
)
def test_flags_that_do_not_fit_are_refused(arguments: list[str], message: str) -> None:
    """Before anything is asked of the store, with what to say instead."""
    with pytest.raises(ConfigError, match=message):
        reprice.run(parsed(reprice, *arguments, "--url", "http://127.0.0.1:1"))


def test_one_has_to_say_whether_to_look_or_to_post() -> None:
    """Neither is the default, and both at once mean nothing."""
    for module in (reprice, reattribute):
        for arguments in ([], ["--dry-run", "--apply"]):
            with pytest.raises(SystemExit):
                parsed(module, "--since", "2026-01-01", *arguments)


def summary() -> Summary:
    found = Summary(events=7, adjusted=3, entries=4, kept_price=2)
    found.by_heading[Heading("openai", "gpt-4o", "[search]")] = [3, 0, -1, 2_500_000_000_000]
    return found


def test_the_difference_is_shown_to_people_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    """Amounts to the last pico-USD, names as they are, and what was left as it is with exit code 1."""
    args = parsed(reprice, "--dry-run", "--since", "2026-01-01")
    assert corrections_common.show(args, "dry run", summary()) == 1
    shown = capsys.readouterr().out
    for text in ("[search]", "-0.000000000001", "2.5", "7 events looked at, 3 differ; 4 entries would be posted",
                 "2 events have a price that the loaded price files do not have"):  # fmt: skip
        assert text in shown


def test_the_difference_is_shown_to_machines_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    """Decimals as strings; the same document for a dry run and for what was posted."""
    args = parsed(reattribute, "--apply", "--since", "2026-01-01", "--json")
    corrections_common.show(args, "posted", summary(), "run-1")
    document = json.loads(capsys.readouterr().out)
    assert (document["run"], document["adjusted"], document["contracted_cost"]) == ("run-1", 3, "-0.000000000001")
    assert document["by"][0]["effective_cost"] == "2.5"


def test_a_summary_survives_the_journal() -> None:
    """Integers of pico-USD are exact in JSON, whatever their size."""
    found = summary()
    found.by_heading[Heading("a", "b", "c")] = [1, 10**30 + 1, -(10**30), 1]
    assert Summary.from_json(found.to_json()) == found
    found.add(found)
    assert found.by_heading[Heading("a", "b", "c")] == [2, 2 * 10**30 + 2, -2 * 10**30, 2]
