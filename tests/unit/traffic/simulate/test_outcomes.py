"""What the simulated company's calls bring: valid, repeatable, some late, some corrected."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from spendstream_schemas import OutcomeEvent, parse_outcome_event
from spendstream_traffic.simulate import SimulationConfig, generate, outcome_messages, parse_incident
from spendstream_traffic.simulate.outcomes import CORRECTED

START = datetime(2026, 6, 1, 9, tzinfo=UTC)
CONFIG = SimulationConfig(START, timedelta(hours=2), rate=3.0, seed=3)


def outcomes(config: SimulationConfig) -> list[OutcomeEvent]:
    """In the order in which they are reported, each valid and without an unknown field."""
    parsed = [parse_outcome_event(message.value) for message in outcome_messages(config)]
    assert all(one.unknown_fields == () for one in parsed)
    return [one.message for one in parsed]


def test_outcomes_are_of_calls_that_went_well() -> None:
    """Each names its call by the trace, happens after it and within the run, with the same customer and user."""
    calls = {event.trace_id: event for event in generate(CONFIG)}
    found = outcomes(CONFIG)
    assert len({one.outcome for one in found}) >= 4
    assert len(found) > 1_000
    for one in found:
        call = calls[one.trace_id]
        assert call.status == "ok"
        assert (one.source, one.feature, one.customer) == (
            call.source,
            call.attribution.feature or one.feature,
            call.attribution.customer,
        )
        assert one.user_id == call.attribution.user_id
        assert one.occurred_at < CONFIG.end
        assert one.revision or one.occurred_at >= call.occurred_at


def test_some_are_corrected_and_some_are_late() -> None:
    """A correction comes after what it corrects, from the same source, and says something else; what comes late has
    happened an hour before what was reported just before it."""
    found = outcomes(CONFIG)
    first = {one.event_id: one for one in found if one.revision == 0}
    seen: set[str] = set()
    corrected = Counter[str]()
    for one in found:
        if one.revision:
            assert one.event_id in seen
            before = first[one.event_id]
            assert one.source == before.source
            changed = {name for name in OutcomeEvent.model_fields if getattr(one, name) != getattr(before, name)} - {
                "revision"
            }
            corrected[",".join(sorted(changed))] += 1
        seen.add(one.event_id)
    assert corrected.keys() == {"quantity,value_usd", "value_usd", "occurred_at"}
    assert abs(corrected.total() / len(first) - CORRECTED) < 0.02
    reported = [one.occurred_at for one in found if one.revision == 0]
    late = sum(one < max(reported[:n], default=one) - timedelta(minutes=55) for n, one in enumerate(reported))
    assert 0.01 < late / len(reported) < 0.06  # of calls near the end nothing later is there to compare with


def test_equal_configurations_give_equal_outcomes_and_incidents_change_no_others() -> None:
    """Down to the last byte; another run has ids of its own; an incident adds outcomes and takes none."""
    assert [m.value for m in outcome_messages(CONFIG)] == [m.value for m in outcome_messages(replace(CONFIG))]
    other = {message.event_id for message in islice(outcome_messages(replace(CONFIG, run_id="b")), 50)}
    assert other.isdisjoint(message.event_id for message in outcome_messages(CONFIG))
    spike = replace(CONFIG, incidents=(parse_incident("spike:start=30m:duration=20m", START, CONFIG.end),))

    def said(found: list[OutcomeEvent]) -> Counter[str]:
        return Counter(one.model_dump_json(exclude={"event_id"}) for one in found)

    base, more = said(outcomes(CONFIG)), said(outcomes(spike))
    assert base <= more
    assert more.total() > base.total()
