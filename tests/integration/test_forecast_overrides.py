"""What people expect is kept beside the model's number, by the command, in the real store; and both are scored."""

import argparse
import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.cli import forecast_set
from stream_jobs.cli.flags import add_json, add_store
from stream_jobs.forecasting.overrides import score
from stream_jobs.forecasts.override_scores import read_scores, write_scores
from stream_jobs.forecasts.overrides import OfSeries, Said, read_overrides, set_override
from stream_jobs.store.client import StoreClient
from stream_jobs.store.deadline import LateInsertError
from tests.store_server import StoreProcess

SAID = Said(Decimal("30000"), Decimal("35000.5"), Decimal("41000"))


@pytest.fixture
def store(process: StoreProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreClient]:
    """On empty tables; the command may write."""
    monkeypatch.setenv("SPENDSTREAM_CLICKHOUSE_USER", "spendstream")
    monkeypatch.setenv("SPENDSTREAM_CLICKHOUSE_PASSWORD_FILE", str(process.folder / "credentials"))
    with StoreClient(process.settings) as store:
        for table in ("forecast_overrides", "forecast_override_scores"):
            store.command(f"TRUNCATE TABLE {table}")
        yield store


def command(process: StoreProcess, *arguments: str, model: Said | None = SAID) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("action")
    parser.add_argument("series", nargs="+")
    forecast_set.add_arguments(parser)
    add_json(parser)
    add_store(parser)
    args = parser.parse_args([*arguments, "--url", process.url])
    return forecast_set.run(args.action, args.series, args, lambda store, series, time: model)


def days(store: StoreClient, first: int, last: int) -> tuple[str, str]:
    """So many days from today on, as dates."""
    today = store.now().date()
    return str(today + timedelta(days=first)), str(today + timedelta(days=last))


def test_what_somebody_expects_is_kept_replaced_and_taken_back(
    process: StoreProcess, store: StoreClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """With who, when and why, and what the model said; nothing is deleted."""
    start, end = days(store, 1, 31)
    search = ("team=search", "--from", start, "--to", end)
    assert command(process, "set", *search, "--amount", "40000", "--by", "mara", "--note", "the launch") == 0
    assert "mara expects $40,000.00 of team=search from" in (said := capsys.readouterr().out)
    assert "the model says $35,000.50" in said
    (one,) = read_overrides(store)
    assert (one.by, one.note, one.amount, one.model) == ("mara", "the launch", Decimal(40_000), SAID)
    assert (str(one.starts_at.date()), str(one.ends_at.date())) == (start, end)
    assert command(process, "set", *search, "--amount", "45000.25", "--json", model=None) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["amount"], document["model"]) == ("45000.25", None)
    (again,) = read_overrides(store)
    assert (again.override_id, again.model) == (document["override_id"], None)
    assert command(process, "unset", "team=search", "--from", days(store, 2, 3)[0]) == 1
    assert "nothing is set for team=search" in capsys.readouterr().err
    assert command(process, "unset", "team=search", "--by", "jo") == 0
    assert "taken back: $45,000.25" in capsys.readouterr().out
    assert read_overrides(store) == []
    assert store.rows("SELECT count() FROM forecast_overrides") == [(3,)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "-9", "--to", "-2", "--amount", "5"), "it is over since"),
        (("--from", "9", "--to", "2", "--amount", "5"), "is no time of up to 400 days"),
        (("--from", "1", "--to", "900", "--amount", "5"), "is no time of up to 400 days"),
        (("--from", "1", "--to", "2", "--amount", "-5"), "between 0 and"),
        (("--from", "1", "--to", "2", "--amount", "NaN"), "no amount in USD"),
        (("--from", "1", "--to", "2", "--amount", "1e99"), "between 0 and"),
        (("--from", "1", "--to", "2", "--amount", "0.0000000000001"), "no amount in USD"),
        (("--from", "5", "--to", "40", "--amount", "5"), "has one from"),
        (("--from", "soon", "--to", "2", "--amount", "5"), "--from 'soon' is no time"),
        (("--from", "1", "--to", "2", "--amount", "5", "--timezone", "Mars"), "--timezone: "),
    ],
)
def test_what_cannot_be_expected_is_refused(
    process: StoreProcess, store: StoreClient, arguments: tuple[str, ...], said: str
) -> None:
    """In words, and nothing is written."""
    now = store.now()
    set_override(store, OfSeries(), (now, now + timedelta(days=10)), Decimal(7), by="mara")
    given = [*arguments]
    for place, flag in enumerate(arguments):
        if flag in ("--from", "--to") and given[place + 1] != "soon":
            given[place + 1] = str(now.date() + timedelta(days=int(given[place + 1])))
    with pytest.raises(ConfigError) as refused:
        command(process, "set", "total", *given)
    assert said in str(refused.value)
    assert len(read_overrides(store)) == 1


def test_scores_are_replaced_as_the_time_passes(store: StoreClient) -> None:
    """The last one counts; who is late writes none."""
    now = store.now()
    made = set_override(store, OfSeries(), (now, now + timedelta(days=2)), Decimal(130), by="mara", model=SAID)
    shape = np.array([40.0, 60.0])
    for number, came in enumerate(([np.nan, np.nan], [50.0, np.nan], [50.0, 70.0])):
        found = {made.override_id: score(float(made.amount), 100, shape, np.array(came))}
        write_scores(store, found, now + timedelta(seconds=number), f"run {number}")
    assert read_scores(store) == {made.override_id: (1.0, Decimal(120), Decimal(130), Decimal(100))}
    with pytest.raises(LateInsertError):
        write_scores(store, found, now, "late", not_after=now - timedelta(seconds=5))
