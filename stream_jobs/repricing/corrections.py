"""What must be posted so that the entries of an event add up to what it should cost, and belong to whom it should.

The state decides, not the history: the entries of an event are added up by the place they stand in (tags, category,
price model), that is compared with what they should come to, and the difference is posted. Doing it again finds none.

- Same place, another cost (or what it is compared with): one entry with the signed difference.
- Another place (tags changed by rules, or a price found where there was none): one entry takes back everything in the
  old place, events and meters included, and one books everything in the new.
- An event that is taken back altogether (a later revision stands in its stead) should come to nothing. If a correction
  and the revision crossed each other, what is left over is taken back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any, Final, NamedTuple

from spendstream_schemas import ATTRIBUTION_FIELDS
from stream_jobs.attribution.reported import reported_tags
from stream_jobs.attribution.rules import Attributed, AttributionRules
from stream_jobs.base.instants import EPOCH
from stream_jobs.ledger.entries import PLACE, Entries
from stream_jobs.ledger.rebuild import priced_facts, reported_facts
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.hold import NO_HISTORY, NOTHING, Bound, LongCalls, bound_of
from stream_jobs.pricing.result import Pricing
from stream_jobs.store.tables import COMPARISONS

COSTS: Final = ("list_cost", "contracted_cost", "effective_cost")
OTHERS: Final = ("avoided_cost", *COMPARISONS)
"""Amounts that follow the costs. What is avoided is never unknown; the others are None where there is none."""
NO_OTHERS: Final = (0, *[None for _ in COMPARISONS])
_PRICE_MODEL: Final = PLACE.index("price_model")
_REASON: Final = PLACE.index("unpriced_reason")
_WHO: Final = slice(0, _PRICE_MODEL)
Costs = tuple[int | None, int | None, int | None]
Others = tuple[int | None, ...]
Place = tuple[Any, ...]


class Owner(NamedTuple):
    """Whose an event should be."""

    attributed: Attributed
    reported: tuple[tuple[str, str], ...]  # the tags that the rules changed, as the sender gave them
    version: str


class Target(NamedTuple):
    """What an event should come to. None: as it is booked."""

    pricing: Pricing | None = None
    held: Bound = NOTHING  # of a pricing without a price
    owner: Owner | None = None


class Posting(NamedTuple):
    """One entry to post: a copy of the row `source`, except for what is given here. Amounts are pico-USD."""

    source: int
    meters: int  # factor of the source's meters: 1, -1, or 0 for none
    events: int
    unpriced: int
    costs: Costs
    others: Others  # OTHERS
    held: Bound
    less: tuple[int, ...] = ()  # rows whose receipt is taken back
    plus: tuple[int, ...] = ()  # rows whose receipt is taken over
    target: Target = Target()


@dataclass(slots=True)
class Found:
    """The postings for some entries, and what was seen on the way."""

    postings: list[Posting] = field(default_factory=list)
    events: int = 0  # that are not taken back
    adjusted: int = 0
    priced: int = 0  # of the adjusted: had no price, has one now
    unpriced: int = 0  # of the adjusted: had a price, has none now
    kept_price: int = 0  # would have no price now; left as they are
    without_price: int = 0  # had none and has none
    bounded: int = 0  # of the adjusted: without a price still, but what they may cost is known now
    compared: int = 0  # of the adjusted: cost the same, and only what that is compared with is another amount
    doubled: int = 0  # charged more than once: left to reconciliation
    expired: int = 0  # whose entries are beyond retention, so that some may be gone: left as they are


class _Net(NamedTuple):
    """The sum of the entries of one place."""

    rows: list[int]
    events: int
    unpriced: int
    costs: tuple[int, int, int]
    others: Others
    held: Bound

    @property
    def is_nothing(self) -> bool:
        return not (self.events or self.unpriced or any(self.others) or any(self.costs) or any(self.held))


Decide = Callable[[int], Target]
"""row of an open event -> what it should come to."""


def repriced(entries: Entries, book: PriceBook, calls: LongCalls = NO_HISTORY) -> Decide:
    """What events cost by `book`, at their own instant; what has no price is held at its bound."""
    facts_of = priced_facts(entries, scoped=book.scoped)

    def decide(row: int) -> Target:
        pricing = book.price(*facts_of(row))
        return Target(pricing, NOTHING if pricing.priced else bound_of(pricing.hold, calls))

    return decide


def reattributed(entries: Entries, rules: AttributionRules) -> Decide:
    """Whose events are by `rules`, from what their senders said."""
    facts_of = reported_facts(entries)

    def decide(row: int) -> Target:
        facts = facts_of(row)
        attributed = rules.apply(facts)
        return Target(owner=Owner(attributed, tuple(reported_tags(facts, attributed)), rules.version))

    return decide


def find_corrections(
    entries: Entries, decide: Decide | None, *, unprice: bool = False, kept_since: datetime = EPOCH
) -> Found:
    """Everything to post for these entries, which must be all entries of their events.

    Without `decide` only events that are taken back are looked at. An event that has a price and would lose it keeps
    it, unless `unprice`. Of an event that was charged before `kept_since` retention may have dropped some entries and
    not others, so their sum says nothing: it is left as it is.
    """
    search = _Search(entries, decide, unprice, kept_since)
    for rows in entries.events():
        if not search.is_whole(rows):
            search.found.expired += 1
        elif len(rows) > 1:
            search.event(rows)
        elif decide is not None:
            search.charge(rows, decide)
    return search.found


class _Search:
    """Adds up the entries of events, and says what is missing."""

    def __init__(self, entries: Entries, decide: Decide | None, unprice: bool, kept_since: datetime) -> None:
        self._decide = decide
        self._unprice = unprice
        self._kept_since = kept_since
        self._kinds, self._booked_at = entries.values("entry_kind"), entries.values("booked_at")
        self._entries = entries
        self.found = Found()
        self.events = entries.values("events")
        self._unpriced = entries.values("unpriced")
        self._listed, self._contracted, self._effective = (entries.values(name) for name in COSTS)
        self._others = list(zip(*(entries.values(name) for name in OTHERS), strict=True))
        self._held, self._flat = entries.values("held_cost"), entries.values("held_flat")
        self._price_models, self._reasons = entries.values("price_model"), entries.values("unpriced_reason")

    def net(self, rows: list[int]) -> _Net:
        if len(rows) == 1:
            row = rows[0]
            costs = self._listed[row] or 0, self._contracted[row] or 0, self._effective[row] or 0
            return _Net(rows, self.events[row], self._unpriced[row], costs, self._others[row], self._held_of(row))
        return _Net(
            rows,
            sum(self.events[row] for row in rows),
            sum(self._unpriced[row] for row in rows),
            (
                sum(self._listed[row] or 0 for row in rows),
                sum(self._contracted[row] or 0 for row in rows),
                sum(self._effective[row] or 0 for row in rows),
            ),
            tuple(map(_sum, zip(*[self._others[row] for row in rows], strict=True))),
            Bound(*map(sum, zip(*map(self._held_of, rows), strict=True))),
        )

    def _held_of(self, row: int) -> Bound:
        return Bound(self._held[row] or 0, self._flat[row])

    @cached_property
    def places(self) -> list[Place]:
        return self._entries.places

    def is_whole(self, rows: list[int]) -> bool:
        """Whether all entries of an event are there: its charge is the oldest."""
        charged = [self._booked_at[row] for row in rows if self._kinds[row] == "charge"]
        return bool(charged) and min(charged) >= self._kept_since

    def charge(self, rows: list[int], decide: Decide) -> None:
        """An event with one entry, its charge: by far the commonest. `open_event` would find the same."""
        row = rows[0]
        target = decide(row)
        pricing = target.pricing
        if (
            pricing is None
            or pricing.reason is not None
            or self._reasons[row] != ""
            or pricing.price_model != self._price_models[row]
        ):
            self.open_event({self.places[row]: self.net(rows)}, row, target)
            return
        self.found.events += 1
        listed = pricing.list_cost - self._listed[row]
        contracted = pricing.contracted_cost - self._contracted[row]
        effective = pricing.effective_cost - self._effective[row]
        others = _others(pricing)
        if listed or contracted or effective or _differ(others, self._others[row]):
            costs = listed, contracted, effective
            others = _difference(others, self._others[row])
            self.found.postings.append(Posting(row, 0, 0, 0, costs, others, NOTHING, (row,), (), target))
            self.found.adjusted += 1
            self.found.compared += not any(costs)

    def event(self, rows: list[int]) -> None:
        """An event with several entries."""
        there: dict[Place, list[int]] = {}
        for row in rows:
            there.setdefault(self.places[row], []).append(row)
        nets = {place: self.net(own) for place, own in there.items()}
        total = sum(net.events for net in nets.values())
        if total == 0:
            leftovers = [self._taken_back(net) for net in nets.values() if not net.is_nothing]
            self.found.postings += leftovers
            self.found.adjusted += bool(leftovers)
            return
        base = next((net for net in nets.values() if net.events == 1), None)
        if total != 1 or base is None:
            self.found.doubled += 1
        elif self._decide is not None:
            row = next(row for row in reversed(base.rows) if self.events[row] == 1)
            self.open_event(nets, row, self._decide(row))

    def open_event(self, nets: dict[Place, _Net], row: int, target: Target) -> None:
        """An event that counts once. `row` is the entry that books it where it stands now."""
        found = self.found
        found.events += 1
        place = self.places[row]
        net = nets[place]
        had_price = place[_REASON] == ""
        if target.pricing is not None and target.pricing.reason is not None:
            if had_price and not self._unprice:
                found.kept_price += 1
                target = Target(owner=target.owner)
            elif not had_price:
                found.without_price += 1
        should = _place(place, target)
        new = [
            self._taken_back(other)
            for at, other in nets.items()
            if (at != should or should != place) and not other.is_nothing
        ]
        costs, others = _should_cost(net, target)
        if should != place:
            plus = () if target.pricing is not None else tuple(net.rows)
            held = net.held if target.pricing is None else target.held
            new.append(Posting(row, 1, 1, int(should[_REASON] != ""), costs, others, held, (), plus, target))
        elif costs[0] is not None and (costs != net.costs or _differ(others, net.others)):
            less, difference = _less(costs, net.costs), _difference(others, net.others)
            new.append(Posting(row, 0, 0, 0, less, difference, NOTHING, tuple(net.rows), (), target))
            found.compared += not any(less)
        elif costs[0] is None and target.pricing is not None and net.held.flat and not target.held.flat:
            # Its model is known by now. (Other bounds stay as they are: they are no prices, and would never rest.)
            held = target.held.less(net.held)
            new.append(Posting(row, 0, 0, 0, (None, None, None), NO_OTHERS, held, (), (), target))
        if new:
            found.postings += new
            found.adjusted += 1
            found.priced += not had_price and should[_REASON] == ""
            found.unpriced += had_price and should[_REASON] != ""
            found.bounded += bool(target.pricing and should[_REASON] and net.held.flat > 0 and not target.held.flat)

    def _taken_back(self, net: _Net) -> Posting:
        """The opposite of everything that stands in one place."""
        alike = [row for row in net.rows if self.events[row] == net.events] if net.events else []
        row = alike[-1] if alike else net.rows[-1]
        costs: Costs = _less((0, 0, 0), net.costs)
        if net.unpriced and not any(net.costs):
            costs = (None, None, None)
        others = tuple([None if amount is None else -amount for amount in net.others])
        # The source counts what is taken back, so its meters are those that go.
        meters, held = -1 if net.events else 0, NOTHING.less(net.held)
        return Posting(row, meters, -net.events, -net.unpriced, costs, others, held, tuple(net.rows))


def _less(costs: Costs, booked: tuple[int, int, int]) -> Costs:
    listed, contracted, effective = costs
    return (
        None if listed is None else listed - booked[0],
        None if contracted is None else contracted - booked[1],
        None if effective is None else effective - booked[2],
    )


def _place(place: Place, target: Target) -> Place:
    """Where an event that stands in `place` should stand."""
    if target.pricing is not None:
        reason = target.pricing.reason
        place = (*place[_WHO], target.pricing.price_model, reason.value if reason else "")
    if target.owner is not None:
        owner = target.owner.attributed
        who = owner[: len(ATTRIBUTION_FIELDS)]
        place = (*who, owner.category, owner.subcategory, owner.unallocated, *place[_PRICE_MODEL:])
    return place


def _should_cost(net: _Net, target: Target) -> tuple[Costs, Others]:
    pricing = target.pricing
    if pricing is not None:
        return (pricing.list_cost, pricing.contracted_cost, pricing.effective_cost), _others(pricing)
    return (net.costs if not net.unpriced else (None, None, None)), net.others


_others: Final[Callable[[Pricing], Others]] = attrgetter(*OTHERS)


def _differ(should: Others, booked: Others) -> bool:
    """Whether anything must be posted. A price of input may change a saving and no cost, of a call all of whose input
    was read from a cache; where one knows of none and the other of 0, there is nothing to post."""
    return should != booked and any(_difference(should, booked))


def _sum(amounts: Sequence[int | None]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None


def _difference(should: Others, booked: Others) -> Others:
    """None where neither knows of any."""
    pairs = zip(should, booked, strict=True)
    return tuple([None if new is None and old is None else (new or 0) - (old or 0) for new, old in pairs])


def total(postings: Sequence[Posting]) -> tuple[int, int, int]:
    """What the postings add to list, contracted and effective cost, in pico-USD."""
    listed, contracted, effective = (sum(posting.costs[n] or 0 for posting in postings) for n in range(3))
    return listed, contracted, effective
