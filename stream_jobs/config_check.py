"""Checks everything an operator can configure, and collects all problems instead of stopping at the first."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from stream_jobs.alerts.check import check_file as check_alerts_file
from stream_jobs.alerts.document import FILE_NAME as ALERTS_FILE
from stream_jobs.attribution.document import FILE_NAME as ATTRIBUTION_FILE
from stream_jobs.attribution.document import AttributionDocument
from stream_jobs.attribution.lint import warnings as attribution_warnings
from stream_jobs.attribution.rules import AttributionRules, read_rules
from stream_jobs.base.documents import PlacedProblem, blaming
from stream_jobs.base.environment import from_environment
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import is_file, is_folder, is_there, printable
from stream_jobs.base.readable import exact
from stream_jobs.base.yaml_files import read_yaml
from stream_jobs.budget_terms.document import FILE_NAME as BUDGETS_FILE
from stream_jobs.budget_terms.lint import warnings as budget_warnings
from stream_jobs.budget_terms.resolve import Budgets, load_budgets
from stream_jobs.currencies.document import FILE_NAME as CURRENCIES_FILE
from stream_jobs.planned.document import FILE_NAME as EVENTS_FILE
from stream_jobs.planned.events import load_events
from stream_jobs.planned.lint import warnings as event_warnings
from stream_jobs.pricing.book import PriceBook
from stream_jobs.runtime.kafka import faust_credentials
from stream_jobs.runtime.topics import topic_specs
from stream_jobs.settings import GROUPS, Settings, unknown_variables

PRICE_FOLDERS: Final = ("corrections", "overlays", "rate_cards")
FILES: Final = (ATTRIBUTION_FILE, BUDGETS_FILE, CURRENCIES_FILE, EVENTS_FILE, ALERTS_FILE)


@dataclass(slots=True)
class ConfigReport:
    """What was found. The configuration can be used when `problems` is empty."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    settings: Settings | None = None  # None when they are invalid
    config_dir: Path | None = None
    price_book_version: str | None = None
    attribution_version: str | None = None
    budgets_version: str | None = None
    budgets: int = 0
    events_version: str | None = None
    events: int = 0  # planned
    receivers: list[str] = field(default_factory=list)  # of alerts
    topics: list[str] = field(default_factory=list)


def check_config(config_dir: Path | None = None) -> ConfigReport:
    """Settings from the environment, and the rules and prices of `config_dir` (or of the settings' one)."""
    report = ConfigReport()
    _check_settings(report)
    if config_dir is None and report.settings is not None:
        config_dir = report.settings.pipeline.config_dir
    report.config_dir = config_dir
    if config_dir is not None and not is_folder(config_dir):
        report.problems.append(f"{printable(str(config_dir))}: is not a folder")
        config_dir = None
    rules_path = config_dir / ATTRIBUTION_FILE if config_dir is not None else None
    document, rules = _collect(report, lambda: _attribution(rules_path)) or (None, None)
    now = datetime.now(UTC)
    budgets = _collect(report, lambda: load_budgets(config_dir, now=now))
    events = _collect(report, lambda: load_events(config_dir))
    book = _collect(report, lambda: PriceBook.load(config_dir))
    topics = _collect(report, lambda: topic_specs(embedded=False))
    report.attribution_version = rules.version if rules else None
    if budgets is not None:
        report.budgets_version, report.budgets = budgets.version, len(budgets)
    if events is not None:
        report.events_version, report.events = events.version, len(events)
    report.price_book_version = book.version if book else None
    report.topics = [spec.name for spec in topics or ()]
    if config_dir is not None:
        report.warnings += _stray_files(config_dir)
        if document is not None:
            report.warnings += [f"{rules_path}: {text}" for text in attribution_warnings(document)]
        if budgets is not None:
            report.warnings += [f"{config_dir / BUDGETS_FILE}: {text}" for text in budget_warnings(budgets, now)]
            report.warnings += _other_bound(report.settings, budgets, config_dir / BUDGETS_FILE)
        if events is not None:
            report.warnings += [f"{config_dir / EVENTS_FILE}: {text}" for text in event_warnings(events, now)]
        _check_alerts(report, config_dir, budgets)
    return report


def _attribution(path: Path | None) -> tuple[AttributionDocument | None, AttributionRules]:
    if path is None or not is_there(path):
        return None, AttributionRules.load(None)
    return read_rules(path)


def _other_bound(settings: Settings | None, budgets: Budgets, path: Path) -> list[str]:
    """Alerts about usage without a price say what budgets hold for it: the bound has to be the same one."""
    held = budgets.document.unpriced_upper_bound_usd
    if settings is None or not budgets or settings.data_quality.unpriced_usd_per_event == held:
        return []
    said = settings.data_quality.unpriced_usd_per_event
    return [
        f"{path}: unpriced_upper_bound_usd is {exact(held)}, but alerts about usage without a price say "
        f"{exact(said)} for each event: set SPENDSTREAM_DATA_QUALITY_UNPRICED_USD_PER_EVENT={exact(held)}"
    ]


def _check_alerts(report: ConfigReport, config_dir: Path, budgets: Budgets | None) -> None:
    """Who is told, and whether the receivers exist that budgets name."""
    alerts = _collect(report, lambda: check_alerts_file(config_dir))
    if alerts is None:
        return
    report.problems += alerts.problems
    if alerts.document is None and not budgets:
        return  # nothing is watched, so nobody needs to be told
    report.warnings += alerts.warnings
    if alerts.document is not None:
        report.receivers = [receiver.name for receiver in alerts.document.receivers]
    unknown: list[str] = [
        PlacedProblem(
            f"budget {budget.id!r}: channels: there is no receiver {name!r} in {ALERTS_FILE}",
            ("budgets", number, "channels"),
        )
        for number, budget in enumerate(budgets or ())
        for name in budget.channels
        if not alerts.problems and name not in report.receivers
    ]
    if unknown:
        _collect(report, lambda: _blame(config_dir / BUDGETS_FILE, unknown))


def _blame(path: Path, problems: list[str]) -> None:
    with blaming(read_yaml(path)):
        raise ConfigError(problems)


def _check_settings(report: ConfigReport) -> None:
    groups = {name: _collect(report, lambda name=name: from_environment(GROUPS[name])) for name in GROUPS}  # type: ignore[misc]
    if all(groups.values()):
        report.settings = Settings(**groups)
        _collect(report, lambda: faust_credentials(groups["kafka"]))  # reads the files of TLS
        in_the_clear = [groups[name].password_in_the_clear for name in ("kafka", "clickhouse")]
        report.warnings += [text for text in in_the_clear if text is not None]
    problems, warnings = unknown_variables(os.environ)
    report.problems += problems
    report.warnings += warnings


def _collect(report: ConfigReport, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except ConfigError as error:
        report.problems += error.problems
        return None


def _stray_files(config_dir: Path) -> list[str]:
    """Files that look like configuration and are not read: a misspelt name would otherwise change nothing, silently."""
    found = []
    for path in sorted(config_dir.rglob("*")):
        if not is_file(path) or path.suffix not in (".yaml", ".yml", ".json"):
            continue
        place = path.relative_to(config_dir)
        in_price_folder = len(place.parts) == 2 and place.parts[0] in PRICE_FOLDERS and path.suffix != ".json"
        if not in_price_folder and place.as_posix() not in FILES:
            found.append(
                f"{printable(str(path))}: nothing reads this file; read are {', '.join(FILES)} and YAML files in "
                f"{', '.join(f'{name}/' for name in PRICE_FOLDERS)}"
            )
    return found
