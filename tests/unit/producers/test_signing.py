"""Signed messages: from the settings into the header, and through the spool."""

import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spendstream.config import ProducerConfig
from spendstream.errors import ProducerConfigError
from spendstream.framing import HEADER, ChecksumError, TornError, decode, encode
from spendstream.kafka_client import USAGE_TOPIC
from spendstream.lane import InFlightLimit, Lane
from spendstream.signing import UNSIGNED, Signer, headers
from spendstream.spool import Spool
from spendstream.stats import Counters
from spendstream_schemas.signature import SIGNATURE_HEADER, verify

SECRET = "a-secret-of-more-than-32-bytes-for-tests"
MIB = 1024 * 1024


def signer(source: str = "test-service") -> Signer:
    return Signer(source, SECRET.encode(), "k1")


def old_encode(key: bytes, value: bytes) -> bytes:
    """As versions did that knew no signatures."""
    payload = key + value
    return (
        HEADER.pack(len(payload), zlib.crc32(payload, zlib.crc32(len(key).to_bytes(2, "little"))), len(key)) + payload
    )


@given(st.binary(max_size=600), st.binary(max_size=300), st.binary(max_size=192))
def test_a_signed_message_is_framed_and_read_back(key: bytes, value: bytes, signature: bytes) -> None:
    """With any signature; without one the bytes are those of earlier versions."""
    data = encode(key, value, signature)
    assert decode(b"before" + data, 6) == (key, value, signature, 6 + len(data))
    if not signature:
        assert data == old_encode(key, value)


@given(st.binary(max_size=60))
def test_damage_in_a_signed_frame_is_noticed(noise: bytes) -> None:
    """A record that says it is signed and is not, with a checksum that fits, is a damaged one: the next is found."""
    for key_length in (0x8000, 0x8005, 0xFFFF):
        crc = zlib.crc32(noise, zlib.crc32(key_length.to_bytes(2, "little")))
        data = HEADER.pack(len(noise), crc, key_length) + noise
        try:
            key, value, signature, end = decode(data, 0)
        except (ChecksumError, TornError):
            continue
        assert (len(key) + len(value) + len(signature) + 1, end) == (len(noise), len(data))


class RecordingClient:
    """Takes what a lane hands over."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def produce(self, topic: str, **message: Any) -> None:
        self.sent.append({"topic": topic} | message)


def sent_through_the_spool(folder: Path, records: list[tuple[bytes, ...]], by: Signer) -> list[dict[str, Any]]:
    spool = Spool(folder, MIB, MIB)
    spool.append(records)  # type: ignore[arg-type]
    spool.close_files()  # what kill -9 leaves
    lane = Lane(USAGE_TOPIC, None, InFlightLimit(100, MIB), Counters(), None, False, signer=by)
    lane.adopted.append(Spool(folder, MIB, MIB))
    client = RecordingClient()
    lane.pump(client, 1.0)  # type: ignore[arg-type]
    return client.sent


def test_what_an_earlier_process_spooled_arrives_with_its_own_signature(tmp_path: Path) -> None:
    """Also when another service, with another key, sends it."""
    value = b'{"source": "billing"}'
    theirs = Signer("billing", b"x" * 32, "b7").sign(USAGE_TOPIC, b"k", value)
    (message,) = sent_through_the_spool(tmp_path, [(b"k", value, theirs)], signer())
    assert message["headers"] == [(SIGNATURE_HEADER, theirs)]
    assert (message["key"], message["value"]) == (b"k", value)


def test_what_was_spooled_before_there_was_a_key_is_signed_when_it_is_ours(tmp_path: Path) -> None:
    """The first start with a key would otherwise have the events of the last outage refused. Another service's
    message, and what is no JSON, goes out as it lies there."""
    values = [b'{"source": "test-service"}', b'{"source": "billing"}', b"garbage", b"[" * 60_000, b'"test-service"']
    sent = sent_through_the_spool(tmp_path, [(b"k", value) for value in values], signer())
    ours, *others = sent
    ((name, header),) = ours["headers"]
    assert name == SIGNATURE_HEADER
    assert verify(header, SECRET.encode(), USAGE_TOPIC, b"k", values[0])
    assert [message["value"] for message in others] == values[1:]
    assert not [message for message in others if "headers" in message]


def test_without_a_key_nothing_is_signed() -> None:
    """And no header is sent."""
    plain = Signer("test-service", b"", "")
    assert plain.sign(USAGE_TOPIC, b"k", b"v") == plain.sign_left_over(USAGE_TOPIC, b"k", b"v") == UNSIGNED
    assert headers(UNSIGNED) == []


def given_settings(tmp_path: Path, **more: Any) -> ProducerConfig:
    return ProducerConfig(bootstrap_servers="a:1", source="s", spool_dir=tmp_path, **more)


def test_the_key_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    """Its line's end does not belong to it, and it shows nowhere."""
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n")
    environment = {"SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": "a:1", "SPENDSTREAM_SOURCE": "s"}
    with_id = environment | {"SPENDSTREAM_SIGNING_KEY_ID": "k1"}
    for config in (
        given_settings(tmp_path, signing_key=SECRET, signing_key_id="k1"),
        given_settings(tmp_path, signing_key_file=file, signing_key_id="k1"),
        ProducerConfig.from_env(with_id | {"SPENDSTREAM_SIGNING_KEY": SECRET}),
        ProducerConfig.from_env(with_id | {"SPENDSTREAM_SIGNING_KEY_FILE": str(file)}),
    ):
        assert verify(Signer.of(config).sign("t", b"k", b"v"), SECRET.encode(), "t", b"k", b"v")
        assert SECRET not in repr(config)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"signing_key": SECRET}, "belong together"),
        ({"signing_key_id": "k1"}, "belong together"),
        ({"signing_key": "too short", "signing_key_id": "k1"}, "fewer than 32 bytes"),
        ({"signing_key": SECRET, "signing_key_id": "k:1"}, "signing_key_id"),
        ({"signing_key_file": "/nowhere", "signing_key_id": "k1"}, "/nowhere cannot be read"),
        ({"signing_key_file": __file__, "signing_key": SECRET, "signing_key_id": "k1"}, "keep one"),
    ],
)
def test_half_a_key_is_refused(tmp_path: Path, settings: dict[str, Any], problem: str) -> None:
    """A service that believes it signs and does not would have its events refused."""
    with pytest.raises(ValidationError, match=problem) as refused:
        given_settings(tmp_path, **settings)
    assert SECRET not in str(refused.value)
    environment = {f"SPENDSTREAM_{name.upper()}": value for name, value in settings.items()}
    environment |= {"SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": "a:1", "SPENDSTREAM_SOURCE": "s"}
    with pytest.raises(ProducerConfigError) as told:
        ProducerConfig.from_env(environment)
    assert SECRET not in str(told.value)
