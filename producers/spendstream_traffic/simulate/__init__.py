"""Realistic traffic of a company that uses AI everywhere, with incidents on request and the truth about them.

config = SimulationConfig(start=datetime(2026, 6, 1, tzinfo=UTC), duration=timedelta(hours=1), rate=50.0)
for event in generate(config):
    ...
"""

from spendstream_traffic.simulate.config import SimulationConfig
from spendstream_traffic.simulate.incidents import Incident, parse_duration, parse_incident
from spendstream_traffic.simulate.outcomes import outcome_messages
from spendstream_traffic.simulate.payloads import SimulatedMessage, generate, labels, messages

__all__ = [
    "Incident",
    "SimulatedMessage",
    "SimulationConfig",
    "generate",
    "labels",
    "messages",
    "outcome_messages",
    "parse_duration",
    "parse_incident",
]
