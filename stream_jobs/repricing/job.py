"""What corrects the ledger by itself, beside metering: usage without a price gets it when the price is there."""

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.job_context import Job, JobContext
from stream_jobs.pricing.book import PriceBook
from stream_jobs.repricing.run import Versions
from stream_jobs.repricing.watch import Watch


def build(context: JobContext) -> Job:
    in_use = context.in_use
    watch = Watch(context.new_client, Versions(in_use.book(), in_use.rules()))

    def follow(book: PriceBook, rules: AttributionRules) -> None:
        watch.use(Versions(book, rules))

    in_use.follow(follow)
    return Job(timers=[watch.timer])
