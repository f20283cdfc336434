"""Takes up changed prices and rules while a worker runs: what of the config folder is watched, and how it is loaded."""

from collections.abc import Callable
from pathlib import Path

from stream_jobs.alerts.document import FILE_NAME as ALERTS_FILE
from stream_jobs.alerts.document import AlertsDocument, load_document
from stream_jobs.attribution.document import FILE_NAME as ATTRIBUTION_FILE
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.pricing.book import PriceBook, price_files
from stream_jobs.runtime.files_reload import FilesReload

PricesAndRules = tuple[PriceBook, AttributionRules]


def prices_and_rules(
    config_dir: Path, take: Callable[[PriceBook, AttributionRules], None]
) -> FilesReload[PricesAndRules]:
    """The two together: what is booked says which of both it was computed with."""
    return FilesReload(
        "prices and rules",
        lambda: (*price_files([config_dir]), config_dir / ATTRIBUTION_FILE),
        lambda: (PriceBook.load(config_dir), AttributionRules.load(config_dir)),
        lambda loaded: take(*loaded),
    )


def alert_rules(config_dir: Path, take: Callable[[AlertsDocument], None]) -> FilesReload[AlertsDocument]:
    """Receivers and routes."""
    return FilesReload("alert rules", lambda: (config_dir / ALERTS_FILE,), lambda: load_document(config_dir), take)
