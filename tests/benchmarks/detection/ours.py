"""The detector that is measured: as the streaming job makes it, with its default configuration."""

from typing import Final

from stream_jobs.detection.detector import CostDetector
from stream_jobs.detection.model import Floats
from stream_jobs.detection.thresholds import portfolio_nats

ALERTS_A_WEEK: Final = 2.0  # for nothing, that people put up with


def new_detector() -> CostDetector:
    return CostDetector()


def portfolio_detector(rates: Floats) -> CostDetector:
    """Of an installation with series of these sizes: each gets a share of the alerts a week by its size, and none tells
    sooner than if it were alone."""
    detector = new_detector()
    detector.add([f"s{number}" for number in range(len(rates))])
    mean = float(rates.mean())
    detector.weigh([portfolio_nats(len(rates), float(rate), mean, ALERTS_A_WEEK) for rate in rates])
    return detector
