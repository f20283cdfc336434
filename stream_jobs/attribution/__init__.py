"""Who a cost belongs to and what it was for."""

from stream_jobs.attribution.rules import Attributed, AttributionRules, Change

__all__ = ["Attributed", "AttributionRules", "Change"]
