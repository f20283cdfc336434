"""The detector that is measured: as the streaming job makes it, with its default configuration."""

from typing import Final

from stream_jobs.anomalies.portfolio import more_nats
from stream_jobs.detection.detector import CostDetector
from stream_jobs.detection.model import Floats

ALERTS_A_WEEK: Final = 2.0  # for nothing, that people put up with


def new_detector() -> CostDetector:
    return CostDetector()


def portfolio_detector(rates: Floats) -> CostDetector:
    """Of an installation with series of these sizes, which share the alerts a week as the job has them do."""
    detector = new_detector()
    detector.add([f"s{number}" for number in range(len(rates))])
    detector.weigh(more_nats(rates, ALERTS_A_WEEK).tolist())
    return detector
