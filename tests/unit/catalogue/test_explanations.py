"""Why the catalogues differ: which explanation covers what, and which models are looked at singly."""

from datetime import date
from decimal import Decimal

import pytest

from tests.benchmarks.catalogue.compare import Found
from tests.benchmarks.catalogue.explanations import Explanation, Explanations, Popular, load
from tests.benchmarks.catalogue.probes import probe
from tests.benchmarks.catalogue.theirs import Row


def found(name: str, model: str, kind: str = "input", usd: Decimal = Decimal(1), provider: str = "aws") -> Found:
    """A disagreement."""
    return Found(Row(name, provider, model), probe(kind, usd=usd), model, Decimal(2), "", "disagree")


def explanation(**fields: object) -> Explanation:
    """An explanation of something of aws."""
    given = {
        "providers": ["aws"],
        "cause": "c",
        "right": "ours",
        "source": "s",
        "checked": date(2026, 11, 28),
        **fields,
    }
    return Explanation.model_validate(given)


def test_the_first_that_covers_explains() -> None:
    """Provider, name and kind of event must all fit; what explains nothing is named."""
    first = explanation(names=["us-gov.*"], probes=["input"], cause="a")
    second, third = explanation(cause="b"), explanation(names=["azure/*"])
    both = Explanations(explanations=[first, second, third])
    gov, other = found("us-gov.m", "us-gov.m"), found("eu.m", "eu.m")
    assert both.of(gov) is first
    assert both.of(found("US-GOV.m", "us-gov.m", "output")) is second
    assert both.of(other) is second
    assert both.of(found("m", "m", provider="openai")) is None
    assert both.unused([gov, other]) == [third]


def test_some_hold_for_free_figures_only() -> None:
    """`free: true` speaks of entries that say 0."""
    free = explanation(free=True)
    assert free.covers(found("m", "m", usd=Decimal(0)))
    assert not free.covers(found("m", "m"))


@pytest.mark.parametrize(
    ("model", "listed"),
    [
        ("anthropic.claude-opus-4-5-20251101-v1:0", True), ("eu.anthropic.claude-opus-4-5-20251101-v1:0", True),
        ("us-gov.anthropic.claude-opus-4-5", True), ("anthropic.claude-opus-4-5@20251101", True),
        ("anthropic.claude-opus-4-5-fast", False), ("anthropic.claude-opus-4", False),
    ],
)  # fmt: skip
def test_snapshots_and_geographies_belong_to_a_model(model: str, listed: bool) -> None:
    """A listed id stands for its dated, versioned and regional forms, not for a longer name."""
    popular = Popular(models={"aws": ["anthropic.claude-opus-4-5"]})
    assert popular.lists(found(model, model)) is listed


def test_the_lists_are_whole() -> None:
    """Both files load; two hundred models are looked at, none twice; the same cause has the same words and verdicts."""
    told, popular = load()
    assert sum(len(names) for names in popular.models.values()) == 200
    assert all(len(names) == len(set(names)) for names in popular.models.values())
    assert all(one.source for one in told.explanations)
