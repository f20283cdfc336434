"""Which records of a block were refused for their sender, as a text that the block keeps.

Whether a signature holds depends on secrets, which no store may hold, and whose event it was on what others booked
meanwhile. So a block does not keep what it decided by, but what it decided: its redo refuses the same records, whatever
the settings and keys are by then.

    signature_missing:0-4,9;foreign_revision:17        offsets count from the block's first
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from spendstream_schemas import InvalidReason
from stream_jobs.base.errors import ConfigError

SENDER_REASONS: Final = (
    InvalidReason.SIGNATURE_MISSING,
    InvalidReason.SIGNATURE_INVALID,
    InvalidReason.FOREIGN_REVISION,
    InvalidReason.EVENT_ID_TAKEN,
)


def encode(refused: Iterable[tuple[int, InvalidReason]], first_offset: int) -> str:
    """Offsets with their reasons; other reasons than a sender's are left out."""
    by_reason: dict[InvalidReason, list[int]] = {}
    for offset, reason in refused:
        by_reason.setdefault(reason, []).append(offset - first_offset)
    return ";".join(
        f"{reason.value}:{_ranges(sorted(by_reason[reason]))}" for reason in SENDER_REASONS if reason in by_reason
    )


def decode(text: str, first_offset: int) -> Mapping[int, InvalidReason]:
    """The inverse. Raises ConfigError for a text that this version did not write."""
    found: dict[int, InvalidReason] = {}
    try:
        for part in filter(None, text.split(";")):
            name, _, ranges = part.partition(":")
            reason = InvalidReason(name)
            for piece in ranges.split(","):
                first, _, last = piece.partition("-")
                offsets = range(first_offset + int(first), first_offset + int(last or first) + 1)
                found |= dict.fromkeys(offsets, reason)
    except ValueError as error:
        raise ConfigError(f"refusals of a block that this version does not know: {error}") from None
    return found


def _ranges(numbers: list[int]) -> str:
    if not numbers:
        return ""
    # A new range begins where a number does not follow the one before it.
    starts = [0, *(at for at, (one, other) in enumerate(pairwise(numbers), 1) if other != one + 1), len(numbers)]
    spans = [(numbers[begin], numbers[end - 1]) for begin, end in pairwise(starts)]
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in spans)
