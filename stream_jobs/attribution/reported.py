"""What the sender of an event said, where the rules changed it: kept so that other rules can be applied to history."""

from spendstream_schemas import ATTRIBUTION_FIELDS, UsageEvent
from stream_jobs.attribution.rules import Attributed


def reported_tags(event: UsageEvent, attributed: Attributed) -> list[tuple[str, str]]:
    """(field, what the event says, '' for nothing) of every tag that the rules changed; empty for most events."""
    given = event.attribution.__dict__
    return [
        (field, given[field] or "")
        for field, booked in zip(ATTRIBUTION_FIELDS, attributed, strict=False)
        if booked != (given[field] or "")
    ]
