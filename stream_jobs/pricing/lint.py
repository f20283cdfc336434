"""What looks unintended in price files that can be read: prices that no event can reach, or that nobody checked."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from stream_jobs.pricing.book import DATA, PriceBook
from stream_jobs.pricing.corrections import CorrectionFile
from stream_jobs.pricing.overlays import OverlayFile
from stream_jobs.pricing.rate_cards import RateCardFile
from stream_jobs.pricing.rates import Missing
from stream_jobs.pricing.yaml_models import load_model, yaml_files

STALE_AFTER = timedelta(days=180)


def warnings(config_dir: Path | None, book: PriceBook, today: date) -> list[str]:
    """One line per finding, file first. The files must be valid: `PriceBook.load` has read them."""
    found: list[str] = []
    for folder in [DATA] if config_dir is None else [DATA, config_dir]:
        for path in yaml_files(folder / "corrections"):
            found += [f"{path}: {text}" for text in _corrections(load_model(CorrectionFile, path), book, today)]
        for path in yaml_files(folder / "rate_cards"):
            found += [f"{path}: {text}" for text in _rate_card(load_model(RateCardFile, path), book, today)]
        for path in yaml_files(folder / "overlays"):
            found += [f"{path}: {text}" for text in _overlays(load_model(OverlayFile, path), book)]
    return found


def _corrections(file: CorrectionFile, book: PriceBook, today: date) -> Iterator[str]:
    if book.catalog.provider(file.provider) != file.provider:
        yield f"provider {file.provider!r} is another name of {book.catalog.provider(file.provider)!r}: nothing applies"
    now = datetime.now(UTC)
    for alias in file.aliases:
        if isinstance(book.catalog.identify(file.provider, alias.alias, None, alias.valid_from or now), Missing):
            yield f"alias {alias.alias}: the book has no model {alias.model!r}"
    old = sorted({str(entry.checked) for entry in file.entries if today - entry.checked > STALE_AFTER})
    if old:
        yield f"entries were last checked on {', '.join(old)}: compare them with their sources"


def _rate_card(file: RateCardFile, book: PriceBook, today: date) -> Iterator[str]:
    for item in file.self_hosted:
        provider = item.provider or file.provider
        if "*" in item.models and book.catalog.provider(provider) is not None:
            yield f"self_hosted: {provider} sells models, and all of them would cost nothing: name your own"
    if today - file.checked > STALE_AFTER:
        yield f"was last checked on {file.checked}: compare it with {file.source}"
    for accelerator in file.accelerators:
        if accelerator.valid_to is None and not accelerator.usd_per_hour:
            yield f"{accelerator.names[0]}: costs nothing, for ever"


def _overlays(file: OverlayFile, book: PriceBook) -> Iterator[str]:
    names = [overlay.name for overlay in file.overlays]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"the name {name!r} is given to {names.count(name)} overlays"
    for overlay in file.overlays:
        provider = overlay.scope.provider
        if provider is not None and not book.knows_provider(provider):
            yield f"{overlay.name}: no price has the provider {provider!r} (use the id, not an alias)"
        if overlay.valid_to is None and overlay.contract is not None:
            yield f"{overlay.name}: a contract price without valid_to never ends"
