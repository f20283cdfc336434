"""What the sender said, where the rules changed it."""

from spendstream_schemas import UsageEvent
from stream_jobs.attribution.reported import reported_tags
from stream_jobs.facts import facts_of
from tests.unit.metering.build import document
from tests.unit.repricing.build import rules


def test_only_changed_tags_are_kept() -> None:
    """A tag that was filled was said to be nothing, one that was renamed keeps its old name; others are left out."""
    owners = rules(
        {"name": "a", "fill": {"team": "search", "project": "never"}},
        {"name": "b", "rename": {"customer": {"old": "new"}}},
    )
    event = UsageEvent.model_validate(document(attribution={"project": "p", "customer": "old", "owner": "mara"}))
    facts = facts_of(event)
    assert reported_tags(facts, owners.apply(facts)) == [("team", ""), ("customer", "old")]
    assert reported_tags(facts, rules().apply(facts)) == []
