"""From rows to findings: thresholds on both sides, and what a person reads."""

import re
import shlex
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stream_jobs.cli
from spendstream.cli import new_parser
from stream_jobs.data_quality import conservation, lag, quarantine, stated_cost, unallocated, unpriced
from stream_jobs.data_quality.conservation import Gap
from stream_jobs.data_quality.finding import Finding
from stream_jobs.data_quality.lag import Progress, Waiting
from stream_jobs.data_quality.quarantine import Refused
from stream_jobs.data_quality.settings import DataQualitySettings
from stream_jobs.data_quality.stated_cost import Compared
from stream_jobs.data_quality.unallocated import Totals, UntaggedSource
from stream_jobs.data_quality.unpriced import Unpriced
from tests.unit.data_quality.build import NOW, SETTINGS

HOUR = NOW.replace(minute=0)
BEFORE = NOW - timedelta(minutes=5)


def refused(records: int, accepted: int, source: str = "checkout") -> list[Finding]:
    rows = [
        Refused(source, "too_large", records - 3, BEFORE, "70,000 bytes"),
        Refused(source, "not_json", 3, NOW, "line 1"),
    ]
    return list(quarantine.findings(rows, {source: accepted}, SETTINGS))


@pytest.mark.parametrize(
    ("records", "accepted", "severity"),
    [(9, 0, None), (10, 990, None), (10, 989, "warning"), (100, 900, "warning"), (101, 900, "error")],
)
def test_quarantine_counts_from_one_percent_and_ten_records(records: int, accepted: int, severity: str | None) -> None:
    """More than the share, not less than the number; ten times the share is graver."""
    assert [item.severity for item in refused(records, accepted)] == ([severity] if severity else [])


def test_quarantine_says_who_how_much_and_why() -> None:
    (found,) = refused(50, 950)
    assert found.alert_id == "data_quality/quarantine/checkout"
    assert found.summary == "50 records from checkout refused in 10 minutes: 5.0 % of what it sent is in no total"
    assert found.causes == (
        "too_large: 47 records, such as: 70,000 bytes",
        "not_json: 3 records, such as: line 1",
    )
    assert (found.labels, found.value, found.since) == ({"source": "checkout"}, Decimal("5.0"), BEFORE)
    assert "`spendstream quarantine replay --source checkout`" in found.action


def test_quarantine_of_a_source_that_could_not_be_read() -> None:
    (found,) = refused(50, 950, source="")
    assert found.alert_id == "data_quality/quarantine"
    assert "5.0 % of all records" in found.summary
    assert "`spendstream quarantine replay --since 2026-11-20T12:25:00`" in found.action


def no_price(events: int, model: str = "gpt-9", **more: Any) -> Finding:
    given: dict[str, Any] = {
        "provider": "openai",
        "reason": "unknown_model",
        "what": model,
        "events": events,
        "held": Decimal(0),
    }
    given |= {"unknown": events, "models": 1, "some_models": (model,), "some_sources": ("checkout",), "example": "why"}
    one = Unpriced(**given | {"first_hour": HOUR - timedelta(hours=3), "last_hour": HOUR} | more)
    (found,) = unpriced.findings([one], DataQualitySettings(unpriced_usd_per_event=Decimal("0.25")))
    return found


def test_unpriced_usage_is_at_stake_at_the_stated_upper_bound() -> None:
    found = no_price(12)
    assert found.alert_id == "data_quality/unpriced/openai/gpt-9"
    assert found.summary == "12 events of openai/gpt-9 have no price: up to $3.00 in no total"
    assert (found.money_usd, found.value, found.level) == (Decimal("3.00"), Decimal(12), 1)
    assert found.causes == ("unknown_model: why",)
    assert found.labels == {"provider": "openai", "model": "gpt-9", "reason": "unknown_model"}
    assert found.facts["at stake"] == "$3.00: $0.250 for each event of a model that the price book does not know"
    assert found.since == HOUR - timedelta(hours=3)


def test_unpriced_usage_of_known_models_is_at_stake_at_what_it_may_cost() -> None:
    """As budgets hold it: 682 events worth a cent each are dollars. One cause is one alert, whatever models meet it."""
    tier: dict[str, Any] = {"reason": "unknown_service_tier", "what": "unknown service tier 'turbo'", "unknown": 0}
    found = no_price(682, held=Decimal("6.82"), models=7, some_models=("a", "b"), **tier)
    assert found.subject == ("openai", "unknown_service_tier", "unknown service tier 'turbo'")
    assert found.summary == "682 events of 7 models of openai have no price: up to $6.82 in no total"
    assert (found.money_usd, found.labels["model"]) == (Decimal("6.82"), "")
    assert found.facts["at stake"] == "$6.82, which is what they may have cost"
    assert found.facts["models"] == "a, b and 5 more"
    mixed = no_price(3, held=Decimal("0.50"), unknown=2)
    assert mixed.money_usd == Decimal("1.00")
    assert mixed.facts["at stake"].endswith("does not know, else what they may have cost")


@pytest.mark.parametrize(
    ("reason", "what", "subject"),
    [
        ("unknown_model", "gpt-9", ("openai", "gpt-9")),
        ("moving_alias", "gpt-latest", ("openai", "gpt-latest")),
        ("unknown_provider", "", ("openai",)),
        ("usage_unknown", "checkout", ("openai", "usage_unknown", "checkout")),
        ("no_price_for_meter", "no price for x", ("openai", "no_price_for_meter", "no price for x")),
    ],
)
def test_unpriced_usage_is_told_by_what_has_to_be_put_right(reason: str, what: str, subject: tuple[str, ...]) -> None:
    found = no_price(1, reason=reason, what=what)
    assert found.subject == subject
    assert ("report the usage" in found.action) == (reason == "usage_unknown")


def test_unpriced_usage_is_told_again_when_it_is_ten_times_as_much() -> None:
    assert [(no_price(n).level, no_price(n).severity) for n in (9, 10, 999, 1000)] == [
        (0, "warning"),
        (1, "warning"),
        (2, "warning"),
        (3, "error"),
    ]


def test_unpriced_usage_of_no_model() -> None:
    assert "openai (no model)" in no_price(1, model="").summary
    assert "`spendstream query --name unpriced`" in no_price(1, model="").action


@pytest.mark.parametrize(
    ("lacking", "cost", "alarm"),
    [
        ("0.99", "1", False),
        ("1", "20", False),
        ("1", "19.99", True),
        ("1", "-5", True),
        ("-1", "-20", False),
        ("0", "0", False),
    ],
)
def test_cost_without_tags_counts_from_five_percent_and_one_dollar(lacking: str, cost: str, alarm: bool) -> None:
    """Retractions can make either of them negative."""
    totals = Totals(Decimal(lacking), Decimal(cost), 3, 10)
    assert len(list(unallocated.findings(totals, [], SETTINGS, BEFORE))) == alarm


def test_cost_without_tags_says_who_sends_it() -> None:
    totals = Totals(Decimal("25.5"), Decimal(100), 30, 1000)
    (found,) = unallocated.findings(
        totals, [UntaggedSource("jobs", "", "project, team", Decimal(20), 7)], SETTINGS, BEFORE
    )
    assert found.summary == "25.5 % of the cost of the last 10 minutes lacks mandatory tags: $25.50"
    assert found.causes == ("jobs lacks project, team: $20.00, 7 events",)
    assert (found.value, found.money_usd, found.level) == (Decimal("25.5"), Decimal(0), 1)


def waiting(records: int, stands_s: int = 0) -> list[Finding]:
    item = Waiting("usage.events.v1", "id", 3, 70, records, NOW - timedelta(seconds=stands_s), BEFORE)
    return list(lag.findings([item], SETTINGS, NOW))


def test_lag_counts_from_a_number_of_records() -> None:
    assert waiting(99_999) == []
    (found,) = waiting(100_000)
    assert (found.name, found.severity, found.value) == ("ConsumerLag", "warning", Decimal(100_000))
    assert found.summary == "metering: 100,000 records wait in usage.events.v1[3], booking does not keep up"
    assert found.facts["oldest"] == "sent 5 minutes ago, 2026-11-20 12:25:00 UTC"
    assert found.labels == {"topic": "usage.events.v1", "partition": "3", "job": "metering"}


def test_a_standstill_with_records_waiting_is_critical() -> None:
    """However few they are; without any there is nothing to book. It is the same alert as a lag, and told again."""
    assert waiting(1, stands_s=59) == []
    assert waiting(0, stands_s=3600) == []
    (found,) = waiting(1, stands_s=60)
    assert (found.name, found.severity) == ("BookingStalled", "critical")
    assert found.summary == "metering: 1 records wait in usage.events.v1[3], none was booked for 1 minute"
    assert found.alert_id == waiting(100_000)[0].alert_id
    assert found.level > waiting(10**12)[0].level


def test_progress_is_what_this_process_has_seen() -> None:
    """It stands since it was first seen there with records waiting; until it moved once, maybe since before that."""
    progress = Progress()
    instants = [NOW + timedelta(seconds=30 * number) for number in range(7)]
    steps = [(10, 5), (10, 9), (12, 3), (12, 1), (13, 0), (13, 0), (13, 4)]
    seen = [progress.saw("id", 0, *step, at) for step, at in zip(steps, instants, strict=True)]
    assert seen == [
        (instants[0], True),
        (instants[0], True),
        (instants[2], False),
        (instants[2], False),
        (instants[4], False),
        (instants[5], False),
        (instants[5], False),
    ]
    assert progress.saw("id", 1, 0, 1, NOW) == (NOW, True)


def gap(**names: int) -> Gap:
    return Gap("usage.events.v1", 3, HOUR, names)


def test_a_gap_is_critical_and_says_what_each_name_means() -> None:
    (found,) = conservation.findings([gap(rows_missing=5, overlap=2)])
    assert (found.severity, found.value, found.since) == ("critical", Decimal(7), HOUR)
    assert found.summary == (
        "records of usage.events.v1[3] are lost, doubled or not accounted for: rows_missing 5, overlap 2, "
        "in the hour from 2026-11-20 12:00 UTC"
    )
    assert [cause.partition(":")[0] for cause in found.causes] == ["rows_missing", "overlap"]
    assert conservation.place_of(found.alert_id) == ("usage.events.v1", 3, HOUR)


@pytest.mark.parametrize("identity", ["data_quality/unpriced/a/1/2026-11-20T12", "data_quality/conservation/a", "x"])
def test_other_alerts_have_no_hour(identity: str) -> None:
    assert conservation.place_of(identity) is None


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 9)),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 9)),
)
def test_only_what_two_looks_find_is_so(first: dict[str, int], second: dict[str, int]) -> None:
    """A block that was booked between two tables of one look is not lost."""
    both = {name: min(first[name], second[name]) for name in first if name in second}
    assert conservation.confirmed([gap(**first)], [gap(**second)]) == ([gap(**both)] if both else [])
    assert conservation.confirmed([gap(**first)], []) == []


ALL = [
    *refused(50, 950, source="it's mine; rm -rf"),
    *refused(50, 950, source=""),
    *(no_price(5, model) for model in ("", "--evil", "a b")),
    *unallocated.findings(Totals(Decimal(9), Decimal(9), 1, 1), [], SETTINGS, BEFORE),
    *waiting(10**6),
    *waiting(1, 100),
    *conservation.findings([gap(rows_missing=5)]),
    *stated_cost.findings([Compared("x-ai", "--evil", 1, Decimal(1), Decimal(2))], SETTINGS, BEFORE),
]


@pytest.mark.parametrize("action", [item.action for item in ALL])
def test_the_commands_that_an_alert_names_can_be_called(action: str) -> None:
    """As they stand, pasted into a shell: whatever a source or a model is called."""
    parser = new_parser()
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name in stream_jobs.cli.COMMANDS:
        __import__(f"stream_jobs.cli.{name}", fromlist=["add_parser"]).add_parser(subparsers)
    commands = re.findall(r"`(spendstream [^`]*)`", action)
    assert commands
    for text in commands:
        parser.parse_args(shlex.split(text)[1:])


@pytest.mark.parametrize(
    ("ours", "stated", "told"),
    [
        ("1", "1.01", False),
        ("1", "1.0102", True),
        ("1.0099", "1", False),
        ("1.0101", "1", True),
        ("0.001", "0.009", False),
        ("0.001", "0.011", True),
        ("0.01", "0", True),
        ("5", "5", False),
    ],
)
def test_a_stated_cost_disagrees_from_one_percent_and_one_cent(ours: str, stated: str, told: bool) -> None:
    """More than the share of what is stated, and not less than the amount, either way."""
    item = Compared("x-ai", "grok-4.5", 10, Decimal(ours), Decimal(stated))
    assert bool(list(stated_cost.findings([item], SETTINGS, BEFORE))) is told


def test_a_stated_cost_says_which_is_higher_and_what_is_at_stake() -> None:
    """What is booked too little is at stake; what is booked too much is not."""
    higher = Compared("x-ai", "grok-4.5", 1_200, Decimal(30), Decimal(40))
    (found,) = stated_cost.findings([higher], SETTINGS, BEFORE)
    assert found.alert_id == "data_quality/stated_cost/x-ai/grok-4.5"
    assert found.summary == "x-ai/grok-4.5: x-ai says $40.00, more than our $30.00"
    assert (found.money_usd, found.value, found.level) == (Decimal(10), Decimal(10), 1)
    assert found.facts["difference"] == "$10.00, 25.0 % of what is stated"
    lower = Compared("x-ai", "grok-4.5", 1_200, Decimal(40), Decimal(30))
    (found,) = stated_cost.findings([lower], SETTINGS, BEFORE)
    assert (found.money_usd, found.value) == (Decimal(0), Decimal(-10))
