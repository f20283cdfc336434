"""What the sender of an event said, where the rules changed it: kept so that other rules can be applied to history."""

from spendstream_schemas import ATTRIBUTION_FIELDS
from stream_jobs.attribution.rules import Attributed
from stream_jobs.facts import Facts


def reported_tags(facts: Facts, attributed: Attributed) -> list[tuple[str, str]]:
    """(field, what the event says, '' for nothing) of every tag that the rules changed; empty for most events."""
    return [
        (field, given)
        for field, given, booked in zip(ATTRIBUTION_FIELDS, facts.tags, attributed, strict=False)
        if booked != given
    ]
