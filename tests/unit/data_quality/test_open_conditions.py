"""From look to look: what holds is told each time, what no longer holds once."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.data_quality.finding import Result, alert_id
from stream_jobs.data_quality.open_conditions import next_signals
from tests.unit.data_quality.build import NOW, finding

LATER = NOW + timedelta(seconds=30)
CHECKS = ("unpriced", "consumer_lag")


def found(check: str, *subjects: str, complete: bool = True, resolution: str = "gone") -> Result:
    return Result(check, tuple(finding(check, subject) for subject in subjects), complete, resolution)


def told(signals: list[AlertSignal]) -> dict[str, str]:
    by_id: dict[str, str] = {signal.alert_id: signal.status for signal in signals}
    assert len(by_id) == len(signals)
    return by_id


def test_what_holds_is_told_each_time_since_when_it_was_first_seen() -> None:
    first, state = next_signals({}, [found("unpriced", "a")], NOW)
    second, state = next_signals(state, [found("unpriced", "a")], LATER)
    assert [(s.status, s.starts_at, s.observed_at) for s in first + second] == [
        ("firing", NOW, NOW),
        ("firing", NOW, LATER),
    ]


def test_what_no_longer_holds_is_told_once() -> None:
    _, state = next_signals({}, [found("unpriced", "a", "b")], NOW)
    signals, state = next_signals(state, [found("unpriced", "b")], LATER)
    assert told(signals) == {"data_quality/unpriced/a": "resolved", "data_quality/unpriced/b": "firing"}
    assert signals[-1].resolution == "gone"
    signals, state = next_signals(state, [found("unpriced", "b")], LATER)
    assert told(signals) == {"data_quality/unpriced/b": "firing"}


def test_a_question_without_an_answer_resolves_nothing() -> None:
    """Neither a check that failed nor an incomplete one."""
    _, state = next_signals({}, [found("unpriced", "a"), found("consumer_lag", "t")], NOW)
    signals, after = next_signals(state, [found("consumer_lag", complete=False)], LATER)
    assert signals == []
    assert after == state
    signals, _ = next_signals(after, [found("consumer_lag"), found("unpriced")], LATER)
    assert set(told(signals).values()) == {"resolved"}


def test_what_was_open_before_a_restart_is_resolved_or_goes_on() -> None:
    before = dict.fromkeys(["data_quality/unpriced/a", "data_quality/unpriced/b"])
    signals, state = next_signals(before, [found("unpriced", "b")], NOW)
    assert told(signals) == {"data_quality/unpriced/a": "resolved", "data_quality/unpriced/b": "firing"}
    assert state.keys() == {"data_quality/unpriced/b"}


LOOKS = st.lists(
    st.lists(
        st.builds(
            found,
            st.sampled_from(CHECKS),
            complete=st.booleans(),
        ).flatmap(
            lambda empty: st.sets(st.sampled_from("abc")).map(
                lambda subjects: found(empty.check, *sorted(subjects), complete=empty.complete)
            )
        ),
        max_size=2,
        unique_by=lambda result: result.check,
    ),
    max_size=8,
)


@given(LOOKS)
def test_a_receiver_knows_what_the_last_answers_said(looks: list[list[Result]]) -> None:
    """Whoever follows the signals knows of each subject what the last answer about it was; none is resolved that was
    not open."""
    state: dict[str, AlertSignal | None] = {}
    heard: dict[str, str] = {}
    truth: dict[str, str] = {}
    for number, results in enumerate(looks):
        signals, state = next_signals(state, results, NOW + timedelta(seconds=number))
        for identity, status in told(signals).items():
            assert status == "firing" or heard.get(identity) == "firing"
            heard[identity] = status
        for result in results:
            now_firing = {item.alert_id for item in result.findings}
            truth |= dict.fromkeys(now_firing, "firing")
            if result.complete:
                ids = {alert_id(result.check, (subject,)) for subject in "abc"}
                truth |= {i: "resolved" for i in ids - now_firing if truth.get(i) == "firing"}
    assert heard == truth
    assert state.keys() == {identity for identity, status in heard.items() if status == "firing"}
