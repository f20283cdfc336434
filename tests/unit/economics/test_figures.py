"""The registry: every figure comes to what was worked out by hand, and is NULL where it cannot be told."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import pytest

from stream_jobs.economics.figures import FIGURES, Figure
from stream_jobs.economics.parts import PARTS
from stream_jobs.economics.question import decimal

ALL = pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)


def sums(given: Mapping[str, str]) -> dict[str, Fraction]:
    return dict.fromkeys(PARTS, Fraction(0)) | {name: Fraction(text) for name, text in given.items()}


@ALL
def test_a_figure_comes_to_its_check(figure: Figure) -> None:
    """Worked by hand, to the last of twelve places."""
    given, expected = figure.check
    value = figure.value(sums(given))
    assert (None if value is None else decimal(value)) == (None if expected is None else Decimal(expected))


@ALL
def test_of_nothing_a_sum_is_nothing_and_a_quotient_null(figure: Figure) -> None:
    """A denominator of 0 gives NULL, never 0."""
    assert figure.value(sums({})) == (0 if len(figure.parts) == 1 else None)


@ALL
def test_a_fact_that_is_known_for_nothing_makes_a_figure_null(figure: Figure) -> None:
    """At 0 % of the cost it is NULL, whatever its parts are."""
    if figure.fact is not None:
        given = sums(figure.check[0]) | {figure.fact.known: Fraction(0), figure.fact.whole: Fraction(7)}
        assert figure.value(given) is None
        assert figure.share_known(given) == 0


@ALL
def test_a_figure_is_made_of_parts_that_exist_and_says_what_it_is(figure: Figure) -> None:
    """Its sums are declared, and it has a unit and a meaning of one line."""
    assert set(figure.needs) <= PARTS.keys()
    assert figure.unit
    assert figure.meaning
    assert "\n" not in figure.meaning
