"""From one look to the next: what is to be told. Plain functions."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.data_quality.finding import Result, check_of, firing, resolved

Open = Mapping[str, AlertSignal | None]
"""By alert_id what was last told of a condition that held; None when that was before a restart."""


def next_signals(
    before: Open, results: Iterable[Result], now: datetime
) -> tuple[list[AlertSignal], dict[str, AlertSignal | None]]:
    """(What to tell now, what is open once that was told.)

    Every condition that holds is told each time. One that held and does not any more is told once more, as resolved,
    and only by a complete answer of its own check: a question that had no answer resolves nothing.
    """
    signals: list[AlertSignal] = []
    after = dict(before)
    answered: dict[str, str] = {}
    found: set[str] = set()
    for result in results:
        if result.complete:
            answered[result.check] = result.resolution
        for finding in result.findings:
            last = before.get(finding.alert_id)
            signal = firing(finding, now, last.starts_at if last else None)
            signals.append(signal)
            after[signal.alert_id] = signal
            found.add(signal.alert_id)
    for identity, last in before.items():
        if identity not in found and (check := check_of(identity)) in answered:
            signals.append(resolved(identity, last, now, answered[check]))
            del after[identity]
    return signals, after
