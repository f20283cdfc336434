"""What alerts.yaml says about one alert: how grave it is, and who is to hear of it. Plain functions of the signal."""

from datetime import datetime
from decimal import Decimal

from spendstream_schemas.alert_feed import AlertSignal, Severity
from spendstream_schemas.scope import in_scope
from stream_jobs.alerts.document import AlertsDocument, Route
from stream_jobs.alerts.health import PREFIX, not_itself
from stream_jobs.alerts.model import RANK, Alert


class Routing:
    """One version of alerts.yaml, ready to be asked."""

    def __init__(self, document: AlertsDocument) -> None:
        self.document = document
        self.max_new_groups_per_minute = document.grouping.max_new_groups_per_minute
        self._known = frozenset(receiver.name for receiver in document.receivers)
        self._teams: dict[tuple[str, ...], tuple[str, ...]] = {}

    def severity(self, signal: AlertSignal) -> Severity:
        """The signal's own, raised by the money at stake; never lowered."""
        severity = signal.severity
        for rule in self.document.escalation.money:
            if signal.money_usd >= rule.at_least_usd and RANK[rule.severity] > RANK[severity]:
                severity = rule.severity
        return severity

    def receivers(self, signal: AlertSignal, severity: Severity, also: tuple[str, ...] = ()) -> tuple[str, ...]:
        """By the routes, the signal's own channels and whoever was called in. Names without a receiver are left out."""
        found: list[str] = []
        routed = False
        for route in self.document.routes:
            if _fits(route, signal, severity):
                routed = True
                found += route.to
                if not route.go_on:
                    break
        if not routed:
            found += self.document.default
        names = tuple(name for name in dict.fromkeys((*found, *signal.channels, *also)) if name in self._known)
        if signal.alert_id.startswith(PREFIX):
            names = self._others(signal.alert_id, names)
        return self._teams.setdefault(names, names)  # one tuple for all alerts that go to the same ones

    def _others(self, alert_id: str, names: tuple[str, ...]) -> tuple[str, ...]:
        """A receiver that fails is not told of that; where the routes lead to it alone, the default is, or else all
        others are."""
        everybody = tuple(receiver.name for receiver in self.document.receivers)
        found = (not_itself(alert_id, chosen) for chosen in (names, self.document.default, everybody))
        return next((chosen for chosen in found if chosen), ())

    def moved(self, noted: Decimal | None, value: Decimal | None) -> bool:
        """Whether the figure has moved so far that people should hear of it. The bound itself counts."""
        if noted is None or value is None:
            return noted is not value
        return noted != value and abs(value - noted) * 100 >= self.document.amend_percent * abs(noted)

    def called_in(self, alert: Alert, now: datetime) -> tuple[str, ...]:
        """Receivers that nobody's reaction brings in by now; those that were already are not among them."""
        if alert.status != "open" or alert.silenced_by:
            return ()
        return tuple(
            name
            for rule in self.document.escalation.unacknowledged
            if RANK[alert.severity] >= RANK[rule.at_least] and now - alert.open_since >= rule.after
            for name in not_itself(alert.alert_id, rule.to)
            if name not in alert.also and name not in alert.receivers and name in self._known
        )


def _fits(route: Route, signal: AlertSignal, severity: Severity) -> bool:
    return (
        RANK[severity] >= RANK[route.at_least]
        and (not route.kinds or signal.kind in route.kinds)
        and (not route.owners or signal.owner in route.owners)
        and in_scope(route.scope, signal.labels)
    )
