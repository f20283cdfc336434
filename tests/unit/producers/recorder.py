"""The tracking side of a producer, for tests: its events in a list."""

from spendstream.stats import Counters
from spendstream.tracking import TrackingMixin
from spendstream_schemas import OutcomeEvent, TokenUsage, UsageEvent


class Recorder(TrackingMixin):
    """The tracking side of a producer, with a list in place of the broker."""

    source = "svc"

    def __init__(self) -> None:
        self._counters = Counters()
        self.events: list[UsageEvent] = []

    def emit(self, event: UsageEvent | OutcomeEvent) -> bool:
        assert isinstance(event, UsageEvent)
        self.events.append(event)
        return True

    @property
    def only(self) -> UsageEvent:
        (event,) = self.events
        return event


def tokens(event: UsageEvent) -> tuple[int | None, int | None]:
    assert isinstance(event.usage, TokenUsage)
    return event.usage.input_tokens, event.usage.output_tokens
