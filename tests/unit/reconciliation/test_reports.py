"""One call reported by several sources: one source's report counts, by a stated order, and it stays that way."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream_schemas import TokenUsage
from spendstream_schemas.usage import meters_of
from stream_jobs.reconciliation.findings import RESPONSE_ID
from stream_jobs.reconciliation.reports import Precedence, Report
from tests.fuzz import examples
from tests.unit.reconciliation.build import NOW, adjusted, charge, correction, look, reconcile, sums

BY_CONFIG = Precedence(sources=("gateway-*", "checkout"))


def counting(ledger: list[dict[str, Any]]) -> set[str]:
    """The events that count."""
    events = {entry["event_id"] for entry in ledger}
    return {
        event_id
        for event_id in events
        if sum(entry["events"] for entry in ledger if entry["event_id"] == event_id) == 1
    }


def report(event_id: str, source: str, **columns: Any) -> dict[str, Any]:
    return charge(event_id, **{"source": source, "response_id": "resp_1"} | columns)


@pytest.mark.parametrize(
    ("reports", "winner"),
    [
        ([report("a", "checkout"), report("b", "gateway-eu")], "b"),
        ([report("a", "other"), report("b", "checkout")], "b"),
        ([report("a", "x", cost=None), report("b", "y")], "b"),
        ([report("a", "x"), report("b", "y", revision=1)], "b"),
        ([report("a", "x"), report("b", "y", occurred_at=NOW - timedelta(hours=2))], "b"),
        ([report("b", "x"), report("a", "y")], "a"),
        ([report("a", "checkout", cost=None), report("b", "other")], "a"),
    ],
)
def test_the_order_of_precedence(reports: list[dict[str, Any]], winner: str) -> None:
    """Configured order, then priced, then the highest revision, then the earliest, then the lowest id."""
    ledger = list(reports)
    (found,) = reconcile(ledger, BY_CONFIG)
    assert counting(ledger) == {winner}
    assert found.cause == RESPONSE_ID
    assert found.counts.event_id == winner
    assert f"event {winner} of" in ledger[-1]["reason_text"]
    assert look(ledger, BY_CONFIG) == []


@pytest.mark.parametrize(
    "other",
    [
        report("b", "checkout", input_tokens=101),  # the same source: two parts of one call
        report("b", "checkout", tool_web_search=1),
        report("b", "checkout", team="ads"),
        report("b", "checkout", response_model="gpt-4o-mini"),
        report("b", "gateway-eu", provider="anthropic"),
        report("b", "gateway-eu", provider="azure", input_tokens=101),
        report("b", "gateway-eu", provider="azure", response_model="gpt-4o-mini"),
        report("b", "gateway-eu", provider="azure", occurred_at=NOW + timedelta(days=3)),
        report("b", "checkout", occurred_at=NOW + timedelta(days=3)),
        report("b", "gateway-eu", kind="metered"),
        report("b", "gateway-eu", response_id=""),
        report("b", "gateway-eu", cached_response=True),
        report("b", "gateway-eu", occurred_at=NOW + timedelta(days=3)),
    ],
)
def test_what_is_not_the_same_call(other: dict[str, Any]) -> None:
    """Another provider, model, kind or time, an answer from the service's own cache, or another part of the call that
    the same source tells of: both count."""
    assert look([report("a", "checkout"), other], BY_CONFIG) == []


def test_reports_without_an_id_are_never_compared() -> None:
    """Two sources that both leave it empty report two calls."""
    assert look([charge("a", source="x"), charge("b", source="y")]) == []


def test_an_id_that_too_many_carry_is_none() -> None:
    """A proxy that answers with a constant: everything counts, and what was taken back before is put back."""
    precedence = Precedence(max_reports=3)
    ledger = [report("a", "x"), report("b", "y")]
    reconcile(ledger, precedence)
    assert len(counting(ledger)) == 1
    ledger += [report("c", "x", input_tokens=7), report("d", "y", input_tokens=8)]
    reconcile(ledger, precedence, run=2)
    assert counting(ledger) == {"a", "b", "c", "d"}
    assert look(ledger, precedence) == []


def test_excluded_providers_are_never_compared() -> None:
    """Ids that are known not to be unique."""
    precedence = Precedence(excluded_providers=("openai",))
    assert look([report("a", "x"), report("b", "y")], precedence) == []


def test_all_parts_of_the_other_source_are_taken_back() -> None:
    """A call of three lines that the gateway reports as one: the lines of one source count."""
    ledger = [*(report(f"a{n}", "sdk", input_tokens=n) for n in (1, 2, 3)), report("g", "gateway-eu", input_tokens=6)]
    reconcile(ledger, Precedence(sources=("sdk",)))
    assert counting(ledger) == {"a1", "a2", "a3"}


def test_a_late_revision_of_the_report_that_does_not_count_changes_nothing() -> None:
    """Metering books the revision as it always does; the next pass takes it back again."""
    ledger = [report("a", "x"), report("b", "gateway-1")]
    reconcile(ledger, BY_CONFIG)
    late = report("a", "x", revision=1, cost=Decimal(9), offset=7)
    ledger.append(late)
    reconcile(ledger, BY_CONFIG, run=2)
    assert counting(ledger) == {"b"}
    assert sums(ledger) == sums([report("b", "gateway-1")])
    assert look(ledger, BY_CONFIG) == []


def test_when_the_counting_report_turns_out_to_be_another_call_the_other_counts_again() -> None:
    """A revision corrects the response_id of the winner: the loser is put back, to the last digit."""
    winner = report("b", "gateway-1")
    ledger = [report("a", "x"), winner]
    reconcile(ledger, BY_CONFIG)
    ledger += correction(winner, report("b", "gateway-1", revision=1, response_id="resp_2", offset=7))
    reconcile(ledger, BY_CONFIG, run=2)
    assert counting(ledger) == {"a", "b"}
    assert ledger[-1]["entry_kind"] == "adjustment"
    assert sums(ledger) == sums([report("a", "x"), report("b", "gateway-1")])


def test_a_price_that_arrives_late_may_change_the_winner() -> None:
    """Once the unpriced report has its price, the stated order decides anew, and the books follow."""
    early = report("a", "x", cost=None, occurred_at=NOW - timedelta(hours=5))
    ledger = [early, report("b", "y")]
    reconcile(ledger)
    assert counting(ledger) == {"b"}
    ledger.append(adjusted(early, Decimal(4)))
    reconcile(ledger, run=2)
    assert counting(ledger) == {"a"}
    assert sum(entry["list_cost"] or 0 for entry in ledger) == Decimal(4)
    assert look(ledger) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"provider": "openai", "model": "gpt-4o"}, {"provider": "azure", "model": "gpt-4o-2024-11-20"}),
        (
            {"provider": "openai", "model": "my-deployment", "response_model": "gpt-4o-2024-11-20"},
            {"provider": "azure.ai.openai", "model": "gpt-4o"},
        ),
        (
            {"provider": "anthropic", "model": "claude-opus-4-6"},
            {"provider": "vertex_ai", "model": "claude-opus-4-6@20260205"},
        ),
        ({"provider": "google", "model": "gemini-2.5-pro"}, {"provider": "vertex", "model": "models/gemini-2.5-pro"}),
        (
            {"provider": "anthropic", "model": "claude-opus-4-6-20260205"},
            {"provider": "bedrock", "model": "eu.anthropic.claude-opus-4-6-20260205-v1:0"},
        ),
        ({"provider": "litellm", "model": "azure/gpt-4o"}, {"provider": "openai", "model": "gpt-4o"}),
        ({"provider": "xai", "model": "grok-4.5"}, {"provider": "x-ai", "model": "grok-4.5"}),
    ],
)
@pytest.mark.parametrize("same_source", [True, False])
def test_a_call_under_two_names_of_one_provider_counts_once(
    one: dict[str, str], other: dict[str, str], same_source: bool
) -> None:
    """From two sources or from one that is instrumented twice; how the tokens divide, one of the two may not say."""
    ledger = [
        report("a", "checkout", output_tokens=9, cache_read_tokens=50, **one),
        report("b", "checkout" if same_source else "gateway-eu", output_tokens=9, cache_read_tokens=50, **other),
    ]
    ledger[1]["cache_read_tokens"] = None
    reconcile(ledger, BY_CONFIG)
    assert len(counting(ledger)) == 1
    assert look(ledger, BY_CONFIG) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("claude-3-7-sonnet-latest", "claude-3-7-sonnet-20250219"),
        ("mistral-large-latest", "mistral-large-2411"),
        ("gemini-2.0-flash", "gemini-2.0-flash-001"),
    ],
)
@pytest.mark.parametrize("source", ["checkout", "gateway-eu"])
def test_an_alias_and_the_state_that_it_stood_for_are_one_model(one: str, other: str, source: str) -> None:
    """Where the response names what served, and another report of the call only what was asked for."""
    ledger = [report("a", "checkout", model=one), report("b", source, model=one, response_model=other)]
    reconcile(ledger, BY_CONFIG)
    assert len(counting(ledger)) == 1
    assert look(ledger, BY_CONFIG) == []


@pytest.mark.parametrize(("polls", "counted"), [(2, 1), (100, 1), (101, 1), (2000, 1), (2001, 2001)])
def test_the_same_told_again_and_again_counts_once(polls: int, counted: int) -> None:
    """However often a response is polled, up to what memory holds of one call."""
    ledger = [_of("svc", f"p{number:04}", 0) for number in range(polls)]
    assert polls - len(Precedence().doubles(ledger)) == counted


def test_too_many_different_reports_are_no_call_however_often_each_is_told() -> None:
    """An id that a proxy gives to every call."""
    ledger = [_of("svc", f"p{number}-{copy}", 0, tokens=1 + number) for number in range(101) for copy in range(2)]
    assert Precedence().doubles(ledger) == {}
    assert len(Precedence().doubles(ledger[:200])) == 100


FOR_ACME = {"customer": "acme", "feature": "ask"}


@pytest.mark.parametrize(
    ("attributions", "counted"),
    [
        ([FOR_ACME, {}], {"e0"}),
        ([{}, FOR_ACME], {"e1"}),
        ([{}, {"customer": "acme"}, FOR_ACME], {"e2"}),
        ([FOR_ACME, {"team": ""}], {"e0"}),
        ([FOR_ACME, {"feature": "other"}], {"e0", "e1"}),
        ([FOR_ACME, {"customer": "acme", "feature": "", "project": "p"}], {"e0", "e1"}),
        ([{"customer": "acme"}, {"customer": "beta"}, {}], {"e0", "e1", "e2"}),
    ],
)
def test_a_report_that_says_less_of_whom_it_is_for_repeats_the_one_that_says_more(
    attributions: list[dict[str, str]], counted: set[str]
) -> None:
    """A job that polls, outside of the block that began the call. Where two customers share a call, the rest of it may
    be nobody's; and what says anything else is a part of its own."""
    ledger = [report(f"e{number}", "svc", **said) for number, said in enumerate(attributions)]
    reconcile(ledger)
    assert counting(ledger) == counted
    assert look(ledger) == []


def test_of_reports_that_say_more_and_less_a_priced_one_counts() -> None:
    """All that is known of the cost stays; once the fuller report has its price, it takes its place."""
    full = report("full", "svc", cost=None, **FOR_ACME)
    ledger = [full, report("less", "svc", customer="acme"), report("least", "svc")]
    reconcile(ledger)
    assert len(counting(ledger)) == 1
    assert "full" not in counting(ledger)
    ledger.append(adjusted(full, Decimal(4)))
    reconcile(ledger, run=2)
    assert counting(ledger) == {"full"}
    assert sum(entry["list_cost"] or 0 for entry in ledger) == Decimal(4)
    assert look(ledger) == []


def test_other_sources_are_not_asked_for_whom() -> None:
    """Two sources with the same usage tell of one call, whatever each says about attribution."""
    ledger = [report("a", "sdk", **FOR_ACME), report("b", "gateway-eu")]
    reconcile(ledger, BY_CONFIG)
    assert counting(ledger) == {"b"}


def test_the_parts_under_one_name_are_the_whole_under_the_other() -> None:
    """What counts under each name is added up before it is compared."""
    parts = [report(f"a{n}", "sdk", input_tokens=n, customer=f"c{n}", model="gpt-4o") for n in (40, 60)]
    whole = report("g", "gateway-eu", provider="azure", model="gpt-4o-2024-11-20", input_tokens=100)
    ledger = [*parts, whole]
    reconcile(ledger, Precedence(sources=("sdk",)))
    assert counting(ledger) == {"a40", "a60"}
    ledger = [*parts, whole]
    reconcile(ledger, Precedence(sources=("gateway-*",)))
    assert counting(ledger) == {"g"}


def test_a_report_that_is_sent_again_under_another_id_counts_once() -> None:
    """A response that was polled, a batch file that was read twice: the earliest that has a price stays."""
    lines = [report(f"line-{n}", "batch", response_id=f"r{n}", input_tokens=n) for n in (1, 2)]
    again = [line | {"event_id": f"{line['event_id']}-again", "occurred_at": NOW} for line in lines]
    polled = [report(f"p{n}", "poller", response_id="r3", occurred_at=NOW - timedelta(minutes=n)) for n in (1, 2, 3)]
    ledger = [
        *lines,
        *again,
        *polled,
        report("p4", "poller", response_id="r3", cost=None, occurred_at=NOW - timedelta(2)),
    ]
    found = reconcile(ledger)
    assert counting(ledger) == {"line-1", "line-2", "p3", "p4"}
    assert {item.cause for item in found} == {RESPONSE_ID}
    assert {item.counts.event_id for item in found} == {"line-1", "line-2", "p3"}
    assert look(ledger) == []


def test_lines_of_tools_are_parts_however_alike() -> None:
    """Three searches that are told one by one say the same, and none of them says what the call used."""
    tool = {"input_tokens": None, "tool_web_search": 1}
    ledger = [report("call", "s", output_tokens=7), *(report(f"tool-{n}", "s", **tool) for n in range(3))]
    assert look(ledger) == []


@pytest.mark.parametrize("shared", ["conv_0a1b", "thread_abc", "batch_6f", "msgbatch_01", "session_9"])
def test_an_id_of_what_many_calls_belong_to_is_none_of_a_call(shared: str) -> None:
    """Turns of one conversation may use the same, and several services may go on with it."""
    ledger = [
        report(f"{source}-{n}", source, response_id=shared, provider="mistral") for source in "xy" for n in range(3)
    ]
    assert look(ledger) == []


@st.composite
def calls(draw: st.DrawFn) -> tuple[list[dict[str, Any]], int]:
    """Reports of one call, and how many of them count: what the call consists of, told once or more."""
    parts = draw(st.lists(st.tuples(st.integers(1, 3), st.sampled_from("xy")), min_size=1, max_size=3, unique=True))
    names = draw(st.lists(st.sampled_from(["openai", "azure", "azure_openai"]), min_size=1, max_size=3, unique=True))
    told: list[dict[str, Any]] = []
    of_one = {tokens for tokens, _ in parts if sum(tokens == other for other, _ in parts) == 1}
    for name in names:
        for source in draw(st.lists(st.sampled_from(["sdk", "gateway"]), min_size=1, max_size=2, unique=True)):
            for number, (tokens, customer) in enumerate(parts):
                for copy in range(draw(st.integers(1, 3))):
                    event_id = f"{name}-{source}-{number}-{copy}"
                    at = NOW - timedelta(minutes=draw(st.integers(0, 59)))
                    less = copy > 0 and tokens in of_one and draw(st.booleans())
                    model = draw(st.sampled_from(["gpt-4o", "gpt-4o-latest", "gpt-4o-2024-11-20"]))
                    said = {"customer": "" if less else customer, "model": model}
                    told.append(report(event_id, source, provider=name, input_tokens=tokens, occurred_at=at, **said))
    return told, len(parts)


@settings(max_examples=examples(60))
@given(calls(), st.integers(0, 2**32), st.integers(0, 20))
def test_whatever_is_told_how_often_each_part_counts_once(
    call: tuple[list[dict[str, Any]], int], seed: int, cut: int
) -> None:
    """Under any names of one provider, by any sources, any number of times, in any order and with a pass in between:
    what counts comes to what the call used."""
    told, parts = call
    random.Random(seed).shuffle(told)
    ledger = told[:cut]
    reconcile(ledger)
    ledger += told[cut:]
    reconcile(ledger, run=2)
    left = [entry for entry in told if entry["event_id"] in counting(ledger)]
    assert len(left) == parts
    used = {(entry["input_tokens"], entry["customer"]) for entry in told if entry["customer"]}
    assert {(entry["input_tokens"], entry["customer"]) for entry in left} == used
    assert sum(entry["input_tokens"] for entry in ledger) == sum(tokens for tokens, _ in used)
    assert look(ledger) == []


@st.composite
def calls_with_one_id(draw: st.DrawFn) -> tuple[list[dict[str, Any]], int]:
    """Reports of several calls, each by services of its own, and the tokens of all; no two sums of them are equal."""
    told: list[dict[str, Any]] = []
    tokens = 1
    for number in range(draw(st.integers(1, 4))):
        parts = [tokens << part for part in range(draw(st.integers(1, 3)))]
        tokens <<= len(parts)
        for source in draw(st.sampled_from([["sdk"], ["gateway"], ["sdk", "gateway"]])):
            for part in parts:
                customers = ["acme", *draw(st.lists(st.sampled_from(["acme", ""]), max_size=3))]
                for customer in customers:
                    at = NOW - timedelta(minutes=draw(st.integers(0, 59)))
                    told.append(
                        report(
                            f"{number}-{len(told)}",
                            f"{source}-{number}",
                            input_tokens=part,
                            customer=customer,
                            model=draw(st.sampled_from(["gpt-4o", "gpt-4o-latest", "gpt-4o-2024-11-20"])),
                            cost=draw(st.sampled_from([Decimal(part), Decimal(part), None])),
                            occurred_at=at,
                        )
                    )
    return told, tokens - 1


@settings(max_examples=examples(60))
@given(calls_with_one_id(), st.integers(0, 2**32), st.integers(0, 20))
def test_calls_that_share_an_id_all_count_and_each_once(
    call: tuple[list[dict[str, Any]], int], seed: int, cut: int
) -> None:
    """No money is lost and no call counted twice: reports of several services and gateways in any order, polled ones,
    some without attribution, some not priced yet, and a pass in between."""
    told, tokens = call
    random.Random(seed).shuffle(told)
    ledger = told[:cut]
    reconcile(ledger)
    ledger += told[cut:]
    reconcile(ledger, run=2)
    assert sum(entry["input_tokens"] for entry in ledger) == tokens
    assert look(ledger) == []


REPORTS = st.builds(
    lambda event_id, source, revision, cost, response_id, offset, provider, tokens, team: report(
        event_id,
        source,
        revision=revision,
        cost=cost,
        response_id=response_id,
        offset=offset,
        provider=provider,
        input_tokens=tokens,
        team=team,
    ),
    st.sampled_from("abcd"),
    st.sampled_from(["checkout", "gateway-eu", "other"]),
    st.integers(0, 2),
    st.none() | st.decimals(0, 10, places=12),
    st.sampled_from(["", "r1", "r2", "conv_1"]),
    st.integers(1, 4),
    st.sampled_from(["openai", "azure", "google", "anthropic"]),
    st.sampled_from([100, 100, 7]),
    st.sampled_from(["search", "search", "ads"]),
)


@settings(max_examples=60)
@given(st.lists(REPORTS, min_size=1, max_size=8), st.integers(0, 8), st.integers(0, 2**32))
def test_passes_in_between_do_not_change_where_it_ends(booked: list[dict[str, Any]], cut: int, seed: int) -> None:
    """Any reports in any order, a pass after any of them, and one that is posted twice: it ends where one pass over
    everything ends, and then nothing is found."""
    random.Random(seed).shuffle(booked)
    step_by_step: list[dict[str, Any]] = []
    for number, entry in enumerate(booked):
        step_by_step.append(entry)
        if number >= cut:
            before = len(step_by_step)
            reconcile(step_by_step, BY_CONFIG, run=number + 1)
            if number == cut:
                step_by_step += step_by_step[before:]
    reconcile(step_by_step, BY_CONFIG, run=99)
    at_once = list(booked)
    reconcile(at_once, BY_CONFIG)
    assert sums(step_by_step) == sums(at_once)
    assert look(step_by_step, BY_CONFIG) == []
    assert all(
        sum(entry["events"] for entry in at_once if entry["event_id"] == event_id) in (0, 1)
        for event_id in {entry["event_id"] for entry in booked}
    )


def test_a_repetition_after_the_window_does_not_revive_the_other_sources_report() -> None:
    """What was compared within the window stays compared; the late report counts by itself."""
    early, late = _of("svc", "a", 0), _of("svc", "c", 25)
    assert set(Precedence().doubles([early, _of("gateway", "b", 0), late])) == {"b"}


def test_two_sources_that_come_to_other_usage_or_another_model_tell_of_two_calls() -> None:
    """Servers of one's own repeat their ids (Ollama's are chatcmpl-0 to chatcmpl-998): no money is lost by it."""
    one = _of("svc", "a", 0)
    assert Precedence().doubles([one, _of("other", "b", 5, tokens=90_000)]) == {}
    assert Precedence().doubles([one, _of("other", "b", 5, model="qwen3")]) == {}
    assert set(Precedence().doubles([one, _of("other", "b", 5)])) == {"b"}


def _of(source: str, event_id: str, hour: int, tokens: int = 100, model: str = "llama3.1") -> Report:
    at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=hour)
    meters = tuple([tokens if name == "input_tokens" else 0 for name in meters_of(TokenUsage)])
    return Report(event_id, source, 0, True, at, at, "ollama", "ollama", model, meters, (), ())
