"""The job 'outcomes': books the business value that services report."""

from functools import partial
from typing import Final

from stream_jobs.blocks.job import BlockJob, build_app
from stream_jobs.blocks.metrics import BlockMetrics
from stream_jobs.blocks.store import ClickHouseBlocks
from stream_jobs.job_context import Job, JobContext
from stream_jobs.ledger.booked import ClickHouseLedger
from stream_jobs.outcomes.process import OUTCOMES as TABLES
from stream_jobs.outcomes.process import Outcomes
from stream_jobs.runtime.jobs import OUTCOMES
from stream_jobs.runtime.topics import USAGE_OUTCOMES

MAX_BLOCK_ROWS: Final = 20_000


def build(context: JobContext) -> Job:
    outcomes = Outcomes(ClickHouseLedger(context.store, TABLES), context.future_tolerance, context.origin)
    job = BlockJob(OUTCOMES, USAGE_OUTCOMES, outcomes.process, outcomes.versions, BlockMetrics(OUTCOMES))
    limits = context.limits.at_most(MAX_BLOCK_ROWS)
    return Job(partial(build_app, job, ClickHouseBlocks(context.store), limits=limits, **context.faust))
