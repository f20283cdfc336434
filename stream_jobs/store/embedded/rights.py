"""Who asks, and what for."""

from dataclasses import dataclass

from stream_jobs.store.embedded.setting_rules import Limits


@dataclass(frozen=True, slots=True)
class Rights:
    """Who asks, and in which database names without one are looked up."""

    may_write: bool
    read_only: bool  # also of a user who may write: a GET request
    limits: Limits
    database: str
