"""Who a cost belongs to and what it was for."""

from stream_jobs.attribution.rules import AppliedRule, Attributed, AttributionRules

__all__ = ["AppliedRule", "Attributed", "AttributionRules"]
