"""The shell around a block job's plain function: a record that it cannot cope with costs no other record its booking.

The functions are written so that they never raise for what a record holds. Where one does all the same, the record is
found by halves, and quarantined as `processing_failed`: what it holds is kept, and booked by a replay once the defect
is mended.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import pyarrow as pa

from spendstream_schemas import InvalidReason
from stream_jobs.base.errors import NOT_OF_A_RECORD, CrashError
from stream_jobs.blocks.side_tables import quarantine_table
from stream_jobs.store.fitting import printable
from stream_jobs.streams.model import Block, BlockOutput, RejectedRecord, SourceRecord

log = logging.getLogger(__name__)

Process = Callable[[Block, list[SourceRecord]], BlockOutput]
MAX_FAILURES: Final = 10
MAX_FAILED_SHARE: Final = 0.01


def too_many(failed: int, of: int) -> bool:
    """Whether our own code failed on so many records that a bad deployment is likelier than a rare event."""
    return failed > max(MAX_FAILURES, of * MAX_FAILED_SHARE)


def failure(record: SourceRecord, error: Exception) -> RejectedRecord:
    """Our own code failed on this record."""
    return RejectedRecord(record, InvalidReason.PROCESSING_FAILED, "", printable(repr(error)))


def isolated(process: Process) -> Process:
    """`process`, which may raise the errors of NOT_OF_A_RECORD; a CrashError when it fails on too many records."""

    def run(block: Block, records: list[SourceRecord]) -> BlockOutput:
        try:
            return process(block, records)
        except NOT_OF_A_RECORD:
            raise
        except Exception as error:
            log.exception("%s from %d on cannot be booked as it is", block.source, block.first_offset)
            failed: dict[int, Exception] = {}
            _find(process, block, records, failed, len(records))
            if not failed:  # no record of its own makes it fail
                raise CrashError(f"{block.source} from {block.first_offset} on: {error!r}") from error
        for offset, why in failed.items():
            log.error("%s: offset %d is quarantined: %r", block.source, offset, why)
        output = process(block, [record for record in records if record.offset not in failed])
        return _with_failures(output, block, [record for record in records if record.offset in failed], failed)

    return run


def _find(
    process: Process, block: Block, records: list[SourceRecord], failed: dict[int, Exception], received: int
) -> None:
    if not records:
        return
    try:
        process(block, records)
    except NOT_OF_A_RECORD:
        raise
    except Exception as error:
        if len(records) == 1:
            failed[records[0].offset] = error
            if too_many(len(failed), received):
                raise CrashError(f"booking failed for {len(failed)} of {received} records: {error!r}") from error
            return
        middle = len(records) // 2
        _find(process, block, records[:middle], failed, received)
        _find(process, block, records[middle:], failed, received)


def _with_failures(
    output: BlockOutput, block: Block, records: Sequence[SourceRecord], failed: dict[int, Exception]
) -> BlockOutput:
    refused = quarantine_table([failure(record, failed[record.offset]) for record in records], block)
    others = output.tables.get("quarantine")
    both = refused if others is None else pa.concat_tables([others, refused]).sort_by("offset")
    counts = replace(
        output.counts,
        received=output.counts.received + len(records),
        quarantined=output.counts.quarantined + len(records),
    )
    return BlockOutput(counts, {**output.tables, "quarantine": both}, output.refusals)
