"""What is refused for its sender: records without the signature that their source demands, and foreign revisions."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from spendstream_schemas import InvalidReason
from spendstream_schemas.signature import SIGNATURE_HEADER, key_id_of
from stream_jobs.base.errors import ConfigError
from stream_jobs.origin.keys import KeyRing
from stream_jobs.origin.refusals import decode, encode
from stream_jobs.origin.rules import SenderRules
from stream_jobs.streams.model import Block, RejectedRecord, SourceRecord

log = logging.getLogger(__name__)

SETTING: Final = "SPENDSTREAM_ORIGIN_CORRECTORS"
_SETTLED: Final = {
    InvalidReason.SIGNATURE_MISSING: SIGNATURE_HEADER,
    InvalidReason.SIGNATURE_INVALID: SIGNATURE_HEADER,
    InvalidReason.FOREIGN_REVISION: "source",
    InvalidReason.EVENT_ID_TAKEN: "event_id",
}


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the records of one block. `settled`: the block is redone, and these are the records that it refused."""

    topic: str
    rules: SenderRules
    keys: KeyRing
    settled: Mapping[int, InvalidReason] | None = None

    @property
    def looks_at_records(self) -> bool:
        """Whether `refusal` can say anything at all: where nobody has to sign, nothing is looked at."""
        return bool(self.rules.signed) if self.settled is None else bool(self.settled)

    def refusal(self, record: SourceRecord, source: str) -> RejectedRecord | None:
        """Comes before anything trusts `source`: None when the record may say that it is from there."""
        if self.settled is not None:
            reason = self.settled.get(record.offset)
            return None if reason is None else RejectedRecord(record, reason, _SETTLED[reason], "as when first booked")
        if not self.rules.must_sign(source):
            return None
        if not record.signature:
            detail = f"{source} must sign its records, and this one has no header {SIGNATURE_HEADER}"
            return RejectedRecord(record, InvalidReason.SIGNATURE_MISSING, SIGNATURE_HEADER, detail)
        if self.keys.signed_by(source, record.signature, self.topic, record.key, record.value or b""):
            return None
        key_id = key_id_of(record.signature)
        detail = (
            f"is not of the form v1:key id:hmac-sha256 in {record.signature[:32]!r}"
            if key_id is None
            else f"key {key_id!r} of {source} did not sign these bytes for {self.topic} and the record's key"
        )
        return RejectedRecord(record, InvalidReason.SIGNATURE_INVALID, SIGNATURE_HEADER, detail)

    def may_correct(self, source: str, corrected: str) -> bool:
        return self.rules.may_correct(source, corrected)

    def is_protected(self, source: str) -> bool:
        """Its events are signed, so what it reports must not get lost behind what somebody else says."""
        return self.rules.must_sign(source)

    def foreign_revision(self, record: SourceRecord, revision: int, source: str, owner: str) -> RejectedRecord:
        detail = f"{source} may not correct an event of {owner} (revision {revision}); see {SETTING}"
        return RejectedRecord(record, InvalidReason.FOREIGN_REVISION, "source", detail)

    def taken(self, record: SourceRecord, source: str, owner: str) -> RejectedRecord:
        detail = f"{owner} has used this id before {source} did; what {source} reports is not booked under it"
        return RejectedRecord(record, InvalidReason.EVENT_ID_TAKEN, "event_id", detail)


@dataclass(frozen=True, slots=True)
class Origin:
    """The settings that are in force."""

    rules: SenderRules = field(default_factory=SenderRules)
    keys: KeyRing = field(default_factory=KeyRing)

    def judge(self, block: Block) -> Judge:
        """A block that is redone is judged as it was: by the rules that its row holds, and by what it refused."""
        if not block.redone:
            return Judge(block.source.topic, self.rules, self.keys)
        try:
            rules, settled = SenderRules.parse(block.versions.sender_rules), decode(block.refusals, block.first_offset)
        except ConfigError as error:
            log.error("a block is redone with today's sender rules, not with those it was fixed with: %s", error)
            return Judge(block.source.topic, self.rules, self.keys)
        return Judge(block.source.topic, rules, self.keys, settled)


def refusals(rejected: list[RejectedRecord], block: Block) -> str:
    """What the block's row must keep of these; see `refusals.py`."""
    return encode(((item.record.offset, item.reason) for item in rejected), block.first_offset)
