"""A gauge detector's state as bytes."""

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream_jobs.detection.gauge import GaugeDetector
from stream_jobs.detection.gauge_state import pack
from tests.fuzz import examples


def state() -> bytes:
    detector = GaugeDetector(60)
    detector.add(["a", "ü\n"])
    return detector.dump()


STATE = state()


def test_names_come_back() -> None:
    """Whatever they hold."""
    assert GaugeDetector.load(STATE).names == ["a", "ü\n"]


@pytest.mark.parametrize("damaged", [b"", b"x" * 100, STATE[:200], STATE[:-30], b"spendstream gauge state\n"])
def test_damaged(damaged: bytes) -> None:
    """What is no state, or half of one, is refused."""
    with pytest.raises(ValueError, match="state"):
        GaugeDetector.load(damaged)


def test_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state of another version is refused by its number."""
    monkeypatch.setattr("stream_jobs.detection.gauge_state.VERSION", 99)
    other = pack(1, [], [], {})
    monkeypatch.undo()
    with pytest.raises(ValueError, match="version 99"):
        GaugeDetector.load(other)


@settings(max_examples=examples(50))
@given(st.integers(0, len(STATE) - 1), st.binary(min_size=1, max_size=8))
@example(STATE.rindex(b"_errors"), b"x")  # an array under another name: the zip is whole all the same
def test_hostile(place: int, garbage: bytes) -> None:
    """Changed bytes are refused or read, and nothing else."""
    changed = STATE[:place] + garbage + STATE[place + len(garbage) :]
    with suppress(ValueError):
        GaugeDetector.load(changed)
