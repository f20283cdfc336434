"""The benchmarks' messages: valid, distinct, and of a known cost."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas import UsageEvent, parse_usage_event
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from tests.benchmarks.harness.messages import MessageMaker, expected, templates, used
from tests.unit.pricing.shipped import shipped_book


def test_messages_are_valid_distinct_and_now() -> None:
    """Each is accepted as it is, has an id of its own that is also its key, and occurs now."""
    maker = MessageMaker()
    made = [maker.make(500), maker.make(500)]
    keys = [key for part in made for key in part.keys]
    events = [parse_usage_event(value) for part in made for value in part.values]
    assert [parsed.message.event_id.encode() for parsed in events] == keys
    assert len(set(keys)) == 1000
    assert not any(parsed.unknown_fields for parsed in events)
    now = datetime.now(UTC)
    assert all(abs(parsed.message.occurred_at - now) < timedelta(seconds=30) for parsed in events)


def test_rounds_through_the_templates() -> None:
    """Message n is made of template n modulo their number, however the messages are asked for."""
    maker = MessageMaker(templates()[:7])
    values = [value for size in (3, 5, 6) for value in maker.make(size).values]
    assert [value.partition(b'Z"')[2] for value in values] == [templates()[n % 7][1:] for n in range(14)]


@given(st.integers(0, 10_000), st.integers(1, 500))
def test_used_counts_the_templates(made: int, size: int) -> None:
    """`used` is how often each template is in so many messages."""
    assert Counter(n % size for n in range(made)) == Counter(
        {index: times for index, times in used(made, size).items() if times}
    )


def test_expected_adds_up() -> None:
    """Two rounds through the templates cost twice as much as one, and a known share of them has no price."""
    size = len(templates())
    once, twice = expected(size, None), expected(2 * size, None)
    assert twice.events == 2 * once.events
    assert twice.list_cost == 2 * once.list_cost > 0
    assert twice.effective_cost == 2 * once.effective_cost > 0
    assert twice.unpriced == 2 * once.unpriced < once.events // 20


def test_no_template_costs_more_at_another_hour() -> None:
    """What a message costs does not depend on when in the day a benchmark runs, so one look at each is an oracle."""
    book = shipped_book()
    values = MessageMaker().make(len(templates())).values
    start = datetime.now(UTC)
    for value in values[::5]:
        event = parse_usage_event(value).message
        costs = {_cost(book, event, start + timedelta(hours=hour)) for hour in range(0, 24, 2)}
        assert len(costs) == 1, value


def _cost(book: PriceBook, event: UsageEvent, at: datetime) -> int | None:
    return book.price(facts_of(event.model_copy(update={"occurred_at": at}))).list_cost
