"""The detector that is measured: as the streaming job makes it, with its default configuration."""

from stream_jobs.detection.detector import CostDetector
from stream_jobs.detection.model import Floats
from stream_jobs.detection.thresholds import portfolio_nats


def new_detector() -> CostDetector:
    return CostDetector()


def portfolio_detector(rates: Floats) -> CostDetector:
    """Of an installation with series of these sizes."""
    detector = new_detector()
    detector.add([f"s{number}" for number in range(len(rates))])
    mean = float(rates.mean())
    detector.weigh([portfolio_nats(len(rates), float(rate), mean) for rate in rates])
    return detector
