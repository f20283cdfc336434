"""The report: counts by provider and cause, and each difference of the models that are used most."""

from datetime import date
from decimal import Decimal

from tests.benchmarks.catalogue.compare import Found, Verdict
from tests.benchmarks.catalogue.explanations import Explanation, Explanations, Popular
from tests.benchmarks.catalogue.probes import probe
from tests.benchmarks.catalogue.report import Comparison, document
from tests.benchmarks.catalogue.theirs import Row


def found(model: str, verdict: Verdict, ours: str | None = "0.002", reason: str = "") -> Found:
    """One event's finding about a model of acme."""
    cost = None if ours is None else Decimal(ours)
    return Found(
        Row(f"acme/{model}", "acme", model), probe("input", usd=Decimal("0.000001")), model, cost, reason, verdict
    )


def comparison(explanations: list[Explanation]) -> Comparison:
    """Some of everything."""
    all_found = [
        *[found("much-used", "agree", "0.001")] * 20,
        found("much-used", "disagree"),
        found("seldom", "disagree"),
        found("much-used", "only theirs", None, "no_price_for_meter: acme/much-used has none"),
        found("seldom", "only theirs", None, "unknown_model: acme has none"),
    ]
    rows = [one.row for one in all_found] + [Row("acme/hd", "acme", "hd", not_compared="size")]
    popular = Popular(models={"acme": ["much-used"]})
    return Comparison(
        "1.0", "book", rows, all_found, [("acme", "own")], Explanations(explanations=explanations), popular
    )


def test_unexplained_differences_stand_out() -> None:
    """Without an explanation a difference of a much-used model is named; one of the rest is only counted."""
    it = comparison([])
    assert [one.row.model for one in it.unexplained()] == ["much-used"]
    text = document(it)
    assert "| not looked into | open | 2 |" in text
    assert "| acme: `acme/much-used` | input x2 | not looked into | open |  |" in text
    assert "`acme/seldom`" not in text


def test_the_whole_report() -> None:
    """Counts per provider, causes, reasons of what we don't price, what was not compared, and what only we know."""
    why = Explanation(
        providers=["acme"], cause="they are wrong", right="ours", source="page", checked=date(2026, 11, 28)
    )
    it = comparison([why])
    assert (it.unexplained(), it.unused()) == ([], [])
    text = document(it)
    for line in (
        "| agree | 20 | 20 |",
        "Of 22 figures that both have, 90.9 % agree.",
        "| acme | 20 | 2 | 2 | 0 |",
        "| they are wrong | ours | 2 |",
        "| acme | no_price_for_meter: input, standard | 1 | `much-used` |",
        "| unknown_model | 1 |",
        "| images by size and quality: the contract has no size | 1 |",
        "acme 1",
    ):
        assert line in text, line
