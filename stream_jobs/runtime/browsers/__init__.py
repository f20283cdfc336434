"""Web pages from elsewhere reach nothing on our HTTP ports."""

from stream_jobs.runtime.browsers.names import LOOPBACK_ONLY, Names, names_for
from stream_jobs.runtime.browsers.rule import ANSWER_HEADERS, Refusal, refusal

__all__ = ["ANSWER_HEADERS", "LOOPBACK_ONLY", "Names", "Refusal", "names_for", "refusal"]
