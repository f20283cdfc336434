"""Is alerts.yaml right, and do its receivers answer? For `check-config` and `spendstream alerts check|test`."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from stream_jobs.alerts.document import FILE_NAME, AlertsDocument, read_document
from stream_jobs.alerts.lint import missing_file, warnings
from stream_jobs.alerts.notification import AlertView, DeliveryError, Notification
from stream_jobs.alerts.notifiers import make_notifier
from stream_jobs.alerts.notifiers.plain_secrets import secrets_in_the_clear
from stream_jobs.alerts.receivers import Receiver, resolve_all
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import utc_now


@dataclass(slots=True)
class FileReport:
    """What was found. The file can be used when `problems` is empty."""

    path: Path | None
    document: AlertsDocument | None = None
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check_file(config_dir: Path | None, environ: Mapping[str, str] = os.environ) -> FileReport:
    """Everything that is wrong or odd with the folder's alerts.yaml. A secret that is missing here is only odd: the
    worker may have it."""
    report = FileReport(config_dir / FILE_NAME if config_dir is not None else None)
    if (missing := missing_file(config_dir)) is not None or report.path is None:
        report.warnings.append(missing or FILE_NAME)
        return report
    try:
        report.document = read_document(report.path)
    except ConfigError as error:
        report.problems += error.problems
        return report
    report.warnings += [f"{report.path}: {text}" for text in warnings(report.document)]
    try:
        resolve_all(report.document.receivers, environ)
    except ConfigError as error:
        report.warnings += [f"{report.path}: {problem}" for problem in error.problems]
    for receiver in report.document.receivers:
        with suppress(ConfigError):  # what is missing is told above
            if text := secrets_in_the_clear(receiver, receiver.resolve(environ)):
                report.warnings.append(f"{report.path}: {text}")
    return report


def sample() -> Notification:
    """What `spendstream alerts test` sends."""
    now, run = utc_now(), uuid4().hex
    alert = AlertView(
        alert_id=f"test/{run[:12]}",
        kind="budget",
        name="TestNotification",
        status="open",
        severity="info",
        summary="A test of spendstream: nothing is wrong",
        starts_at=now,
        updated_at=now,
        money_usd=Decimal(0),
        action="Nothing. This is what an alert looks like here.",
    )
    return Notification(
        key=run,
        group_id=f"test-{run[:12]}",
        revision=1,
        action="trigger",
        severity="info",
        change="new",
        alerts=(alert,),
        open_alerts=1,
        resolved_alerts=0,
        money_usd=Decimal(0),
        started_at=now,
        updated_at=now,
        test=True,
    )


async def try_receivers(receivers: Sequence[Receiver]) -> list[tuple[str, bool, str]]:
    """One after the other: name, whether it took the notification, and what it answered or why not."""
    results = []
    for receiver in receivers:
        try:
            notifier = make_notifier(receiver)
        except ConfigError as error:
            results.append((receiver.name, False, str(error)))
            continue
        try:
            results.append((receiver.name, True, await notifier.send(sample())))
        except DeliveryError as error:
            results.append((receiver.name, False, str(error)))
        finally:
            await notifier.close()
    return results
