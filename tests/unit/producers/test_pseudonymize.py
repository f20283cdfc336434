"""`pseudonymize`: stable under one key, unrelated under another."""

import pytest

from spendstream import Attribution, prompt_fingerprint, pseudonym

KEY = b"0123456789abcdef"


def test_pseudonyms_are_stable_and_keyed() -> None:
    """The value is fixed (RFC 2104 over the purpose and the id), so that months of data can be joined."""
    assert pseudonym("user@example.org", KEY) == pseudonym("user@example.org", KEY)
    assert pseudonym("user@example.org", KEY) == "29060281baf23249424ff7625a425d99"
    assert pseudonym("user@example.org", KEY) != pseudonym("user@example.org", KEY + b"x")
    assert pseudonym("a", KEY) != pseudonym("b", KEY)
    assert Attribution(user_id=pseudonym("a", KEY)).user_id


def test_a_prompt_and_a_user_of_the_same_text_differ() -> None:
    """The two purposes share a key without sharing values."""
    assert prompt_fingerprint("same", KEY) != pseudonym("same", KEY)


def test_equal_prompts_have_equal_fingerprints() -> None:
    """Text is compared in NFC; bytes as they are."""
    assert prompt_fingerprint("caf\u00e9", KEY) == prompt_fingerprint("cafe\u0301", KEY)
    assert prompt_fingerprint(b"abc", KEY) == prompt_fingerprint("abc", KEY)
    assert prompt_fingerprint("\ud800", KEY)


def test_a_short_key_is_refused() -> None:
    """A guessable key is no key."""
    with pytest.raises(ValueError, match="at least 16"):
        pseudonym("a", b"short")
