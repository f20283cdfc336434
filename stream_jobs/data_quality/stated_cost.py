"""Models of which the provider says that they cost something else than our price book does.

Some providers state with each response what they charge for it. Where our book has a price too, one of the two is wrong
when they differ: a price that has changed, terms that we have and the book does not know, or a fact that moves the
price and that the event does not say (a tier, a region, a fee).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from stream_jobs.base.readable import clock, money, percent
from stream_jobs.data_quality.finding import Finding, Result, command, decades, result
from stream_jobs.data_quality.settings import DataQualitySettings
from stream_jobs.store.client import StoreClient

CHECK: Final = "stated_cost"
# An adjustment of the cost alone has a stated cost of 0, so all entries of an event are in here or none.
_COMPARED: Final = """
SELECT
    entry.provider, if(entry.response_model = '', entry.model, entry.response_model) AS name,
    sum(entry.events) AS number, sum(ifNull(entry.contracted_cost, 0)) AS ours, sum(entry.stated_cost) AS stated
FROM ledger AS entry
WHERE
    entry.occurred_at >= {since:DateTime('UTC')} AND entry.stated_cost IS NOT NULL
    AND entry.price_model != 'stated' AND NOT entry.cached_response
GROUP BY entry.provider, name
HAVING number > 0
ORDER BY entry.provider, name
"""


@dataclass(frozen=True, slots=True)
class Compared:
    """What events of one model cost by our book (contracted) and by their provider, in USD."""

    provider: str
    model: str
    events: int
    ours: Decimal
    stated: Decimal

    @property
    def difference(self) -> Decimal:
        """By how much the provider says more than we do."""
        return self.stated - self.ours


def look(store: StoreClient, settings: DataQualitySettings, now: datetime) -> Result:
    """Raises StoreUnavailableError."""
    since = (now - timedelta(seconds=settings.window_s)).replace(second=0, microsecond=0)
    rows = cast(list[tuple[Any, ...]], store.rows(_COMPARED, {"since": since}))
    compared = [Compared(str(p), str(m), int(n), ours, stated) for p, m, n, ours, stated in rows]
    return result(CHECK, findings(compared, settings, since))


def too_different(item: Compared, settings: DataQualitySettings) -> bool:
    apart = abs(item.difference)
    return apart > 0 and apart >= settings.stated_usd and apart * 100 > settings.stated_percent * item.stated


def findings(compared: Iterable[Compared], settings: DataQualitySettings, since: datetime) -> Iterable[Finding]:
    """One for each model. At stake is what we book too little; the value is the difference."""
    for item in compared:
        if not too_different(item, settings):
            continue
        apart = item.difference
        name = f"{item.provider}/{item.model}"
        which = "more" if apart > 0 else "less"
        past = command("reprice", "--since", f"{since:%Y-%m-%d}", "--dry-run")
        yield Finding(
            check=CHECK,
            subject=(item.provider, item.model),
            name="StatedCostDisagreement",
            severity="warning",
            summary=f"{name}: {item.provider} says {money(item.stated)}, {which} than our {money(item.ours)}",
            facts={
                "stated": f"{money(item.stated)} for {item.events:,} events",
                "ours": money(item.ours),
                "difference": f"{money(apart)}, {percent(abs(apart), item.stated)} of what is stated",
                "allowed": f"{settings.stated_percent:f} %, and less than {money(settings.stated_usd)}",
                "looked at": f"what occurred since {clock(since)} UTC",
            },
            causes=(
                "a price that has changed, or that our book has wrong",
                "terms of ours that overlays/ do not know",
                "a tier, region or fee that moved the price and that the events do not say",
            ),
            action=f"Compare day by day: {command('query', '--name', 'stated_costs')}; see our prices: "
            f"{command('prices', 'show', '--provider', item.provider, '--', item.model)}. Mend them in corrections/ or "
            f"overlays/ of the config folder, and see what that changes in the past: {past}",
            labels={"provider": item.provider, "model": item.model},
            level=decades(int(abs(apart))),
            money_usd=max(apart, Decimal(0)),
            value=apart,
        )
