"""An explanation in English."""

from stream_jobs.explain import cells_of, explain, sentences
from stream_jobs.explain.sentences import MAX_CHARS, MAX_SENTENCES
from tests.unit.explain.tables import cells
from tests.unit.explain.test_why import traffic


def test_a_set_is_told_with_its_money_share_and_factor() -> None:
    """In one sentence."""
    first, *_ = sentences(explain(cells_of(traffic(2, {"cost": ({"model": "m2", "feature": "f1"}, 8)}))))
    assert first.startswith("feature f1 and model m2: +$")
    assert "times, mostly by the cost of a request (+$" in first


def test_what_nothing_explains_is_told_as_such() -> None:
    """Where something moved, but no value stands out."""
    rows = [(model, "x", 1000, 10, 1010, "10.1") for model in "ab"]
    (only,) = sentences(explain(cells(*((*row[:1], row[0], *row[2:]) for row in rows))))
    assert only == "no value stands out: +$0.200, spread like what was expected"
    assert sentences(explain(cells(("a", "x", 1000, 10, 1000, 10)))) == ()


def test_values_that_everything_has_are_named() -> None:
    """They tell nothing apart, and whoever reads it knows what all of it is."""
    (only,) = sentences(explain(cells(("a", "x", 1000, 10, 1010, "10.1"))))
    assert only == "+$0.100, all of it model a and user x: no other value stands out"
    (only,) = sentences(explain(cells(("a", "x", 1000, 10, 1010, "10.1"), ("b", "x", 1000, 10, 1010, "10.1"))))
    assert only == "+$0.200, all of it user x: no other value stands out"


def test_a_single_request_is_told_as_one() -> None:
    """With what it cost."""
    rows = [(f"m{number}", f"u{number}", 1000, 10, 1000, 10) for number in range(20)]
    first, *_ = sentences(explain(cells(*rows, ("m3", "u4", 0, 0, 1, 300))))
    assert first == "model m3: +$300.00 of +$300.00 (100.0 %), 31 times, a single request of $300.00"


def test_where_everything_is_new_or_gone_that_is_said() -> None:
    """There is nothing that it could be spread like."""
    rows = [("a", "x", 0, 0, 5, 1), ("b", "x", 0, 0, 7, 2)]
    assert sentences(explain(cells(*rows))) == ("all of it is new: +$3.00, nothing before",)
    gone = [(a, x, after, dear, before, cheap) for a, x, before, cheap, after, dear in rows]
    assert sentences(explain(cells(*gone))) == ("all of it is gone: -$3.00, nothing now",)


def test_a_model_and_its_only_provider_are_named_together() -> None:
    """Nobody has to find out that they are the same."""
    rows = [(f"m{number}", "other", 1000, 10, 1000, 10) for number in range(5)]
    rows.append(("m5", "acme", 1000, 10, 10_000, 100))
    first, *_ = sentences(explain(cells(*rows, names=("model", "provider"))))
    assert first == (
        "model m5 (all of provider acme): +$90.00 of +$90.00 (100.0 %), 10 times, "
        "mostly by the number of requests: 1,000 before, 10,000 now"
    )


def test_sentences_are_as_short_as_an_alert_takes_them() -> None:
    """Whatever the values are."""
    more = [20 if number == 3 else 0 for number in range(40)]
    rows = [(f"{n:03}" + "x" * 900, "y" * 990, 100, 1, 100 * (1 + times), 1 + times) for n, times in enumerate(more)]
    said = sentences(explain(cells(*rows)))
    assert said
    assert len(said) <= MAX_SENTENCES
    assert all(0 < len(text) <= MAX_CHARS for text in said)
