"""Every event that both catalogues can price, priced by the real price book and by their figures."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal

from spendstream_schemas import UsageEvent
from stream_jobs.facts import Facts, facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.catalog import Identity
from stream_jobs.pricing.result import Pricing
from tests.benchmarks.catalogue.probes import STANDARD, TIERS, Probe, probe
from tests.benchmarks.catalogue.theirs import Row

AT: Final = datetime(2026, 11, 27, 2, tzinfo=UTC)
"""When the events happened: a Friday on which the pinned version was the newest, at 10 o'clock in Beijing: DeepSeek's
peak hours, whose price their file gives as the standard one."""
TOLERANCE: Final = Decimal("0.01")
Verdict = Literal["agree", "disagree", "only ours", "only theirs", "neither"]
_TEXT: Final = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "cache_write_12h")


@dataclass(frozen=True)
class Found:
    """One event on both sides. Costs are USD of what the probe counts."""

    row: Row
    probe: Probe
    model: str  # our book's id; "" if the book does not know it
    ours: Decimal | None
    reason: str  # why the book has no price
    verdict: Verdict

    @property
    def ratio(self) -> Decimal | None:
        """Ours over theirs."""
        theirs = self.probe.usd
        return self.ours / theirs if self.ours is not None and theirs else None


def compare(book: PriceBook, rows: Iterable[Row], at: datetime = AT) -> list[Found]:
    """What both catalogues say of every event that one of them prices."""
    return [found for row in rows if not row.not_compared for found in _compare_row(book, row, at)]


def only_ours(book: PriceBook, rows: Iterable[Row], at: datetime = AT) -> list[tuple[str, str]]:
    """(provider, model) of our book that no entry of theirs is about."""
    theirs = {(row.provider, _model(book, row, at)) for row in rows}
    return [known for known in book.catalog.models() if known not in theirs]


def _compare_row(book: PriceBook, row: Row, at: datetime) -> Iterator[Found]:
    model = _model(book, row, at)
    for one in row.probes:
        yield _judge(book, row, one, model, at)
    if not model:
        return
    kinds = {(one.kind, one.tier) for one in row.probes if not one.conditions}
    for tier in TIERS:
        plain = _ours(book, row, probe("input", tier=tier), at)[0]
        for kind in _TEXT:
            if (kind, tier) in kinds or (tier != STANDARD and ("input", tier) in kinds):
                continue
            found = _judge(book, row, probe(kind, tier=tier), model, at)
            falls_back = kind.startswith("cache") and found.ours == plain  # no price of its own
            if found.verdict == "only ours" and not falls_back:
                yield found


def _judge(book: PriceBook, row: Row, one: Probe, model: str, at: datetime) -> Found:
    ours, reason = _ours(book, row, one, at)
    theirs = one.usd
    verdict: Verdict
    if ours is None:
        verdict = "neither" if theirs is None else "only theirs"
    elif theirs is None:
        verdict = "only ours"
    else:
        verdict = "agree" if abs(ours - theirs) <= TOLERANCE * theirs else "disagree"
    return Found(row, one, model, ours, reason, verdict)


def _ours(book: PriceBook, row: Row, one: Probe, at: datetime) -> tuple[Decimal | None, str]:
    """(USD of the lines that the probe counts, "") or (None, why there is no price)."""
    pricing = book.price(event_of(row, one, at))
    if pricing.reason is not None:
        return None, f"{pricing.reason}: {pricing.detail}"
    return _counted(pricing, one.meters), ""


def _counted(pricing: Pricing, meters: frozenset[str]) -> Decimal:
    return Decimal(sum(line.list_cost for line in pricing.lines if line.meter in meters)).scaleb(-12)


def event_of(row: Row, one: Probe, at: datetime) -> Facts:
    """The event that a service of that provider, place and model would send."""
    event = {
        "schema_version": 1, "event_id": "probe", "occurred_at": at.isoformat(), "source": "catalogue",
        "provider": row.provider, "model": row.model, "usage": one.usage(),
    }  # fmt: skip
    conditions = dict(row.conditions) | dict(one.conditions)
    region = conditions.pop("region", row.region)
    if region is not None:
        event["region"] = region
    if one.tier != STANDARD:
        event["service_tier"] = one.tier
    if conditions:
        event["conditions"] = conditions
    if calls := one.tool_calls():
        event["tool_calls"] = calls
    return facts_of(UsageEvent.model_validate(event))


def _model(book: PriceBook, row: Row, at: datetime) -> str:
    provider = book.catalog.provider(row.provider)
    if provider is None:
        return ""
    found = book.catalog.identify(provider, row.model, None, at)
    return found.model if isinstance(found, Identity) else ""


def groups(found: Sequence[Found], verdict: Verdict) -> list[Found]:
    """Those with a verdict, in their order."""
    return [one for one in found if one.verdict == verdict]
