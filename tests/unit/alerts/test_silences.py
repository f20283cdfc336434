"""Silences: which one holds for a signal, and that no number of them holds up the alerts."""

import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas.alert_feed import Silence
from spendstream_schemas.scope import in_scope
from stream_jobs.alerts.silences import KEPT_ENDED, MAX_SILENCES, Silences
from tests.unit.alerts.build import NOW, at, book, parsed, signal, silence

VALUES = st.sampled_from(["", "a", "b", "ab"])
CONDITIONS = st.one_of(
    st.builds(lambda values: {"any_of": values}, st.lists(st.sampled_from("ab"), min_size=1, max_size=2)),
    st.builds(lambda values: {"none_of": values}, st.lists(st.sampled_from("ab"), min_size=1, max_size=2)),
    st.sampled_from([{"glob": "a*"}, {"glob": "?"}, {"missing": True}, {"missing": False}]),
)
SILENCES = st.builds(
    lambda begin, lasts, scope, kinds, alert_id: {
        "begin_s": begin,
        "end_s": begin + lasts,
        "scope": scope,
        "kinds": kinds,
        "alert_id": alert_id,
    },
    st.integers(0, 3),
    st.integers(0, 3),
    st.dictionaries(st.sampled_from(["team", "project"]), CONDITIONS),
    st.lists(st.sampled_from(["budget", "forecast"]), max_size=2, unique=True),
    st.sampled_from([None, "x", "y"]),
)


def plainly(silences: list[Silence], asked: object, when: object) -> str | None:
    """One after the other: of those that hold the one that ends last."""
    found = [
        one
        for one in silences
        if one.starts_at <= when < one.ends_at  # type: ignore[operator]
        and (not one.kinds or asked.kind in one.kinds)  # type: ignore[attr-defined]
        and one.alert_id in (None, asked.alert_id)  # type: ignore[attr-defined]
        and in_scope(one.scope, asked.labels)  # type: ignore[attr-defined]
    ]
    return max(found, key=lambda one: (one.ends_at, one.silence_id)).silence_id if found else None


@given(st.lists(SILENCES, max_size=8), st.lists(st.tuples(VALUES, VALUES, st.sampled_from("xy")), max_size=4))
def test_the_silence_that_holds_is_the_one_that_a_plain_look_finds(
    made: list[dict[str, object]], asked: list[tuple[str, str, str]]
) -> None:
    """Whatever the conditions, kinds, alerts and times."""
    silences = [silence(f"s{number}", **values) for number, values in enumerate(made)]  # type: ignore[arg-type]
    held = Silences()
    for one in silences:
        assert held.hold(one, at(0)) == "news"
    for second in range(8):
        for team, project, alert_id in asked:
            question = signal(alert_id, labels={"team": team, "project": project})
            assert held.of(question, at(second)) == plainly(silences, question, at(second))


@pytest.mark.slow
def test_alerts_open_within_seconds_behind_thousands_of_silences() -> None:
    """Two megabytes of silences once held up three thousand alerts for more than five minutes, and then again."""
    alerts = book()
    records = [parsed(signal(f"a{n}", labels={"team": f"team {n}"}, group=f"g{n}")) for n in range(3_000)]
    records += [parsed(silence(f"s{n}", scope={"team": {"glob": f"*z{n}*q*w*"}})) for n in range(6_000)]
    began = time.process_time()
    folded = alerts.fold(records, at(1))
    for number in range(10):
        alerts.fold([parsed(silence(f"more{number}")), parsed(signal(f"behind{number}"))], at(2 + number))
    assert time.process_time() - began < 20  # 3 s where nothing else runs; before, 300
    assert (len(folded.silences), len(folded.too_many)) == (MAX_SILENCES, 6_000 - MAX_SILENCES)
    assert alerts.alerts["behind9"].active


def test_one_that_is_lifted_makes_room_for_another() -> None:
    """The bound counts what has not ended; lifting is always possible."""
    held = Silences(silence(f"s{n}") for n in range(MAX_SILENCES))
    assert held.hold(silence("new"), NOW) == "too_many"
    assert held.hold(silence("s7", end_s=-1), NOW) == "news"
    assert held.hold(silence("new"), NOW) == "news"
    assert held.hold(silence("newer"), NOW) == "too_many"


def test_what_has_ended_is_remembered_up_to_a_bound() -> None:
    """The last ones: a record that comes again does not revive what was lifted."""
    held = Silences()
    for number in range(4 * KEPT_ENDED):
        ended = silence(f"s{number}", end_s=-1).model_copy(
            update={"ends_at": NOW - timedelta(seconds=9 - number / 9e4)}
        )
        held.hold(ended, NOW)
    assert held.hold(silence(f"s{4 * KEPT_ENDED - 1}"), NOW) == "known"
    assert held.hold(silence("s0"), NOW) == "news"  # forgotten


def test_a_silence_that_ends_while_signals_come_lets_go_of_the_other_alerts_too() -> None:
    """The fold in which its end is noticed looks at all of them."""
    alerts = book()
    alerts.fold([parsed(signal("a")), parsed(silence(end_s=5))], at(1))
    assert alerts.alerts["a"].silenced_by == "s1"
    alerts.fold([parsed(signal("b"))], at(6))
    assert alerts.alerts["a"].silenced_by is None
