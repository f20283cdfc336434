"""What a check finds becomes a signal that keeps to the contract, whatever names it carries."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas.alert_feed import ALERT_RECORD
from stream_jobs.data_quality.finding import (
    MAX_FINDINGS,
    MAX_ID,
    alert_id,
    check_of,
    command,
    decades,
    firing,
    fit,
    percent,
    resolved,
    result,
)
from tests.unit.data_quality.build import NOW, finding

ANYTHING = st.text(max_size=600)
SUBJECTS = st.lists(st.text(max_size=200), max_size=3).map(tuple)


@given(SUBJECTS, SUBJECTS)
def test_distinct_subjects_have_distinct_ids(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """Also where a name holds the separator, and where an id would be too long."""
    first, second = alert_id("unpriced", one), alert_id("unpriced", other)
    assert (first == second) == (one == other)
    assert len(first) <= MAX_ID
    assert check_of(first) == "unpriced"


def test_an_id_says_what_it_is_about() -> None:
    assert alert_id("unpriced", ("aws", "a/b c")) == "data_quality/unpriced/aws/a%2Fb%20c"
    assert alert_id("unallocated", ()) == "data_quality/unallocated"
    assert check_of("data_quality/unallocated") == "unallocated"
    assert check_of("budget/team/search") is None


@given(ANYTHING, st.lists(ANYTHING, max_size=12))
def test_a_signal_is_valid_whatever_the_names_are(name: str, causes: list[str]) -> None:
    """Names come from records that nobody has checked: they are cut, and control characters are gone."""
    found = finding(
        "quarantine", name, summary=f"x{name}", causes=tuple(f"y{c}" for c in causes), labels={"source": name}
    )
    for signal in (firing(found, NOW), resolved(found.alert_id, firing(found, NOW), NOW)):
        assert ALERT_RECORD.validate_json(signal.model_dump_json()) == signal
        assert signal.labels["check"] == "quarantine"
        assert signal.summary.isprintable()
        assert "" not in signal.labels.values()


def test_a_condition_that_was_known_only_by_its_id_can_be_resolved() -> None:
    signal = resolved("data_quality/unpriced/" + "x" * 220, None, NOW)
    assert ALERT_RECORD.validate_json(signal.model_dump_json()) == signal
    assert (signal.status, signal.group, signal.labels) == ("resolved", "data_quality/unpriced", {"check": "unpriced"})


def test_a_resolved_signal_says_what_it_was_about() -> None:
    """The facts stay; the status, the instant and the reason are new."""
    before = firing(finding("unpriced", "p", "m", labels={"provider": "p"}), NOW)
    after = resolved(before.alert_id, before, NOW + timedelta(minutes=1), "priced")
    assert after.model_dump(exclude={"status", "observed_at", "resolution"}) == before.model_dump(
        exclude={"status", "observed_at", "resolution"}
    )
    assert (after.status, after.observed_at, after.resolution) == ("resolved", NOW + timedelta(minutes=1), "priced")


def test_a_condition_does_not_start_in_the_future() -> None:
    """The start is what was told before, else what the data says, else now."""
    early, late = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
    assert firing(finding(since=late), NOW).starts_at == NOW
    assert firing(finding(since=early), NOW).starts_at == early
    assert firing(finding(since=early), NOW, early - timedelta(hours=1)).starts_at == early - timedelta(hours=1)
    assert firing(finding(), NOW).starts_at == NOW


def test_too_many_findings_are_the_gravest_and_an_incomplete_answer() -> None:
    """What is left out is not resolved by it."""
    few = result("unpriced", [finding("unpriced", str(n), money_usd=Decimal(n)) for n in range(MAX_FINDINGS)])
    assert few.complete
    assert len(few.findings) == MAX_FINDINGS
    many = result("unpriced", [finding("unpriced", str(n), money_usd=Decimal(n)) for n in range(MAX_FINDINGS + 1)])
    assert not many.complete
    assert [item.money_usd for item in many.findings] == [Decimal(n) for n in range(MAX_FINDINGS, 0, -1)]


def test_small_helpers() -> None:
    assert [decades(number) for number in (0, 1, 9, 10, 999, 1000)] == [0, 0, 0, 1, 2, 3]
    assert (percent(1, 3), percent(5, 0)) == (Decimal("33.3"), Decimal(100))
    assert fit("a\nb" + "c" * 10, 5) == "a�bc…"
    assert command("quarantine", "list", "--source", "a b") == "`spendstream quarantine list --source 'a b'`"
