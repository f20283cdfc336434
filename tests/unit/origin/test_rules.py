"""Which source may correct which, and which must sign."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.base.errors import ConfigError
from stream_jobs.origin.rules import SenderRules

NAMES = st.text(min_size=1, max_size=6)


def test_by_default_a_source_corrects_its_own_entries_only() -> None:
    """Nothing has to be set for that."""
    rules = SenderRules()
    assert rules.may_correct("checkout", "checkout")
    assert not rules.may_correct("search", "checkout")
    assert not rules.may_correct("Checkout", "checkout")


def test_a_corrector_is_allowed_in_one_direction() -> None:
    """Names and patterns; the corrected one gets no right over the corrector's entries."""
    rules = SenderRules.of("backfill = checkout , *-gateway=*", "")
    assert rules.may_correct("backfill", "checkout")
    assert not rules.may_correct("checkout", "backfill")
    assert not rules.may_correct("backfill", "search")
    assert rules.may_correct("eu-gateway", "search")
    assert not rules.may_correct("search", "eu-gateway")


def test_a_name_from_a_message_is_no_pattern() -> None:
    """A source that is called * is one source."""
    rules = SenderRules.of("backfill=checkout", "checkout")
    assert not rules.may_correct("*", "checkout")
    assert not rules.must_sign("*")


def test_what_is_signed_gives_way_only_to_what_is_signed() -> None:
    """Anybody can write the name of a corrector that does not sign."""
    assert not SenderRules.of("backfill=checkout", "checkout").may_correct("backfill", "checkout")
    assert SenderRules.of("backfill=checkout", "checkout,backfill").may_correct("backfill", "checkout")
    assert SenderRules.of("backfill=checkout", "backfill").may_correct("backfill", "checkout")


@pytest.mark.parametrize("text", ["checkout", "=checkout", "a=", "a=b=c", "a=b,", "a=b,,c=d", ","])
def test_correctors_that_are_no_pairs_are_refused(text: str) -> None:
    """With what is wrong; half a permission is none."""
    with pytest.raises(ValueError, match=r"is not corrector=corrected|holds an empty name"):
        SenderRules.of(text, "")


@given(st.lists(st.tuples(NAMES, NAMES), max_size=4), st.lists(NAMES, max_size=4))
def test_a_block_keeps_rules_as_text(pairs: list[tuple[str, str]], signed: list[str]) -> None:
    """Whatever the names hold."""
    rules = SenderRules(tuple(pairs), tuple(signed))
    assert SenderRules.parse(rules.text) == rules


def test_a_block_from_before_there_were_rules_let_everybody_correct() -> None:
    """Its row has no rules, and its redo must come to what it came to."""
    rules = SenderRules.parse("")
    assert rules.may_correct("anybody", "checkout")
    assert not rules.must_sign("checkout")
    assert rules.text == ""


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"correctors": [["a"]], "signed": []}', '{"correctors": 1}'])
def test_a_text_of_another_version_is_an_error(text: str) -> None:
    """Not a guess."""
    with pytest.raises(ConfigError, match="this version does not know"):
        SenderRules.parse(text)


def test_many_names_do_not_fill_the_memory() -> None:
    """Sources come from messages: what is remembered of them is bounded."""
    rules = SenderRules.of("", "checkout")
    assert not any(rules.must_sign(str(number)) for number in range(25_000))
    assert len(rules._must_sign) <= 10_000
    assert rules.must_sign("checkout")
