"""Signatures of records: who signed which bytes, for which topic and key."""

from hypothesis import assume, given
from hypothesis import strategies as st

from spendstream_schemas.signature import MAX_SIGNATURE_BYTES, key_id_of, sign, verify

SECRET = b"s" * 32
PARTS = st.tuples(st.text(max_size=4), st.binary(max_size=4), st.binary(max_size=4))


@given(PARTS, st.text("ab.-_9", min_size=1, max_size=64))
def test_what_was_signed_is_believed(parts: tuple[str, bytes, bytes], key_id: str) -> None:
    """Any topic, key, value and key id; the header is short."""
    header = sign(SECRET, key_id, *parts)
    assert key_id_of(header) == key_id
    assert verify(header, SECRET, *parts)
    assert len(header) <= MAX_SIGNATURE_BYTES


@given(PARTS, PARTS)
def test_a_signature_holds_for_nothing_else(signed: tuple[str, bytes, bytes], sent: tuple[str, bytes, bytes]) -> None:
    """Neither for other parts, nor for parts that only together are the same bytes."""
    assume(signed != sent)
    assert not verify(sign(SECRET, "k", *signed), SECRET, *sent)


def test_another_key_or_another_key_id_is_refused() -> None:
    """The key id is signed too: a signature cannot be passed off as made with another key."""
    header = sign(SECRET, "k1", "t", b"k", b"v")
    assert not verify(header, b"x" * 32, "t", b"k", b"v")
    assert not verify(header.replace(b"k1", b"k2"), SECRET, "t", b"k", b"v")


def test_a_record_without_a_key_has_an_empty_one() -> None:
    """Clients do not agree on the difference."""
    assert verify(sign(SECRET, "k", "t", None, b"v"), SECRET, "t", b"", b"v")


@given(st.one_of(st.none(), st.binary(max_size=200)))
def test_whatever_is_no_signature_is_refused_without_an_error(header: bytes | None) -> None:
    """Any bytes."""
    assert key_id_of(header) is None
    assert not verify(header, SECRET, "t", b"k", b"v")


def test_only_the_one_form_is_read() -> None:
    """Capitals, spaces, other versions and trailing bytes are another message's business."""
    good = sign(SECRET, "k", "t", b"k", b"v")
    for header in (good.upper(), b" " + good, good + b"\n", good.replace(b"v1", b"v2"), good[:-1], good + b"0"):
        assert not verify(header, SECRET, "t", b"k", b"v"), header
