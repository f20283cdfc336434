"""What is allowed in alerts.yaml but probably not meant. Errors are found when the file is read."""

from pathlib import Path

from stream_jobs.alerts.document import FILE_NAME, AlertsDocument, Route
from stream_jobs.alerts.model import RANK
from stream_jobs.base.files import is_there
from stream_jobs.base.readable import money


def warnings(document: AlertsDocument) -> list[str]:
    """One sentence per finding, in the order of the file; empty when there is nothing to say."""
    return [*_unused(document), *_dead_routes(document), *_untold(document), *_money_order(document)]


def missing_file(config_dir: Path | None) -> str | None:
    """A sentence when there is no alerts.yaml, so that nobody is told of anything."""
    if config_dir is not None and is_there(config_dir / FILE_NAME):
        return None
    where = config_dir / FILE_NAME if config_dir is not None else FILE_NAME
    return f"{where}: does not exist, so alerts are kept and listed, but nobody is told"


def _unused(document: AlertsDocument) -> list[str]:
    used = {name for route in document.routes for name in route.to} | set(document.default)
    used |= {name for rule in document.escalation.unacknowledged for name in rule.to}
    return [
        f"receivers: no route leads to {receiver.name!r}; only what names it as a channel reaches it"
        for receiver in document.receivers
        if receiver.name not in used
    ]


def _dead_routes(document: AlertsDocument) -> list[str]:
    for number, route in enumerate(document.routes):
        if _fits_all(route) and not route.go_on and number + 1 < len(document.routes):
            return [f"routes[{number}] fits every alert: those after it are never asked"]
    return []


def _untold(document: AlertsDocument) -> list[str]:
    if not document.receivers:
        return ["receivers: there are none, so nobody is told of anything"]
    if len(document.receivers) == 1:
        alone = document.receivers[0].name
        return [f"receivers: there is {alone!r} alone, so nobody is told when it fails", *_no_default(document)]
    return _no_default(document)


def _no_default(document: AlertsDocument) -> list[str]:
    if document.default or any(_fits_all(route) for route in document.routes):
        return []
    return ["default: is empty, so nobody is told of an alert that no route fits"]


def _money_order(document: AlertsDocument) -> list[str]:
    return [
        f"escalation.money[{number}]: changes nothing, {money(other.at_least_usd)} makes an alert {other.severity} "
        "already"
        for number, rule in enumerate(document.escalation.money)
        for other in document.escalation.money
        if other is not rule
        and (other.at_least_usd, -RANK[other.severity]) < (rule.at_least_usd, -RANK[rule.severity])
        and RANK[other.severity] >= RANK[rule.severity]
    ][:1]


def _fits_all(route: Route) -> bool:
    return route.at_least == "info" and not (route.kinds or route.scope or route.owners)
