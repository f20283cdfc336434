"""What people say of findings changes what they are told of next."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from stream_jobs.anomalies.mark_terms import LASTS, Word
from stream_jobs.anomalies.marks import Mark, Marks
from tests.unit.anomalies.telling_world import HOUR, NOON, finding

MARKED = NOON + 2 * HOUR
ROW = finding("f", {"team": "x"}, score=40.0)


def mark(word: Word = "expected", finding_id: str = "f", at: timedelta = timedelta(0)) -> Mark:
    return Mark(finding_id, word, "a test", "mara", MARKED + at)


def marks(*given: Mark) -> Marks:
    found = Marks()
    for one in given:
        found.take_up(one, [ROW])
    return found


def test_as_much_again_is_silenced_and_more_is_told() -> None:
    """Of the same series, way and measure; by its surprise, and by what it costs a day."""
    found = marks(mark())
    later = MARKED + timedelta(days=1)
    again = finding("g", {"team": "x"}, score=30.0, detected_at=later)
    assert found.silencing(again) == mark()
    for other in (
        finding("g", {"team": "x"}, score=41.0, detected_at=later),
        finding("g", {"team": "x"}, score=30.0, detected_at=later, per_day=Decimal(4801)),
        finding("g", {"team": "y"}, score=30.0, detected_at=later),
        finding("g", {"team": "x"}, score=30.0, detected_at=later, direction="down"),
        finding("g", {"team": "x"}, score=30.0, detected_at=later, measure="events"),
    ):
        assert found.silencing(other) is None


def test_the_bar_falls_to_nothing() -> None:
    """Evenly, within LASTS."""
    found = marks(mark())
    half = MARKED + LASTS / 2
    assert found.silencing(finding("g", {"team": "x"}, score=19.9, detected_at=half)) is not None
    assert found.silencing(finding("g", {"team": "x"}, score=20.1, detected_at=half)) is None
    assert found.silencing(finding("g", {"team": "x"}, score=0.1, detected_at=MARKED + LASTS)) is None


def test_real_takes_back_what_was_expected() -> None:
    """The last word counts, in whatever order they come to be known; and nothing becomes more sensitive."""
    found = marks(mark(), mark("real", at=HOUR))
    again = finding("g", {"team": "x"}, score=1.0, detected_at=MARKED + 2 * HOUR)
    assert found.silencing(again) is None
    last = found.of(["f", "other"])
    assert last is not None
    assert last.mark == "real"
    assert found.of(["other"]) is None


def test_each_mark_is_taken_up_once_oldest_first() -> None:
    """However often it is read."""
    found = Marks()
    both = [mark("real", at=HOUR), mark()]
    assert found.fresh(both) == [mark(), mark("real", at=HOUR)]
    found.take_up(mark(), [ROW])
    assert found.fresh(both) == [mark("real", at=HOUR)]


def test_a_mark_does_not_silence_what_began_after_it_and_is_more() -> None:
    """Of the same group, too; what had begun by then is what was marked."""
    marks = Marks()
    row = finding("a", {"team": "search"})
    mark = Mark("a", "expected", "", "mei", NOON + HOUR)
    marks.take_up(mark, [row])
    later = {"starts_at": NOON + 2 * HOUR, "detected_at": NOON + 2 * HOUR}
    worse = finding("b", {"team": "search"}, **later, score=10 * row.score + 100)
    alike = finding("c", {"team": "search"}, **later, score=row.score / 2)
    assert marks.exceeding(mark, [row, worse, alike]) == [worse]


def test_a_mark_does_not_silence_what_begins_in_its_minute_nor_what_grows_to_twice_as_much() -> None:
    """Findings begin with a minute, marks at any time of it; one that was open goes on under its own id."""
    marks, row = Marks(), finding("a", {"team": "search"})
    mark = Mark("a", "expected", "", "mara", NOON + timedelta(minutes=30, seconds=27))
    marks.take_up(mark, [row])
    same = {"starts_at": NOON + timedelta(minutes=30), "detected_at": NOON + timedelta(minutes=31)}
    worse = finding("b", {"team": "search"}, **same, score=10 * row.score + 100)
    grown = replace(row, per_day=row.per_day * 3)
    later_seen = finding("c", {"team": "search"}, detected_at=NOON + HOUR, score=10 * row.score)
    assert marks.exceeding(mark, [row, later_seen]) == []
    assert marks.exceeding(mark, [worse, grown]) == [worse, grown]
