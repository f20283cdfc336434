"""Which findings have one cause. Plain functions: no clock, no store.

A rise of one user's spend is a rise of his team's, his model's, of the total, and of requests. The first finding that
is looked into makes a group; its cause is the smallest set of values that explains it best (see `explain`). Another
finding belongs to a group if both move the same way, at the same time (see `of_one_time`), and

- at least half of its excess lies in the group's cause, and
- half of it is what the cause makes plain (what it had before, moved as the whole cause has moved), or it holds half of
  what moved in the cause: it is the same thing seen from nearer or from farther.

Of several groups it is the one that explains most of it. So a total that moved for three reasons belongs to the
greatest of these, each of the others is a group, and a user who rises by himself while everything grows a little is one
of his own. Moves in opposite directions are never one group. Where nobody knows what the stretch holds, series decide
that lie within each other, and their excess per day.

A driver moves as it moves the cost: a cache that is hit less often belongs to what has become dearer. It belongs where
the cost of its series does, else to the same driver of a series that it lies within or that lies within it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from stream_jobs.anomalies.evidence import Evidence, conditions_of
from stream_jobs.anomalies.model import COST, FindingRow, Series
from stream_jobs.anomalies.ratios import QUOTIENTS, pull_of
from stream_jobs.detection.model import Direction

HALF: Final = 0.5
SLACK: Final = timedelta(hours=1)
"""The same thing is seen at different times: an hour's window sees it later than one of five minutes."""
LULL: Final = timedelta(minutes=15)
"""What goes on within so long after it ended, or within the time that it had lasted (SLACK at most), is the same. As
long as an open finding may be without a new row, too."""
CALM: Final = timedelta(minutes=20)
"""What has been as usual for so long is over."""
ALIKE: Final = 2
"""Two stretches are looked into together if neither is longer than so many times the other, and half of each is in
both."""


@dataclass(slots=True)
class Group:
    """Findings of one cause."""

    group_id: str
    direction: Direction  # of the cost: see `pull`
    conditions: Mapping[str, str]  # what all entries have that are its cause
    members: dict[str, FindingRow] = field(default_factory=dict)
    head: str = ""  # the finding that people were told of last

    @property
    def starts_at(self) -> datetime:
        return min(row.starts_at for row in self.members.values())

    @property
    def ends_at(self) -> datetime | None:
        """None while one of its findings is open."""
        ends = [row.ends_at for row in self.members.values()]
        return None if None in ends else max(end for end in ends if end is not None)

    @property
    def went_on_until(self) -> datetime:
        """Up to when the excess of one of them went on, as far as is known."""
        return max(row.went_on_until for row in self.members.values())

    @property
    def goes_on(self) -> bool:
        """Whether one is open, and not as usual for the time being."""
        return any(row.ends_at is None and not row.is_calm for row in self.members.values())

    @property
    def is_calm(self) -> bool:
        """Whether it is open, and all that is open is as usual for the time being."""
        return self.is_open and not self.goes_on

    def is_over(self, judged: datetime | None) -> bool:
        """Whether people are told that it is over. `judged`: the end of the last minute that was judged. A burst is
        once it has been as usual for longer than it had lasted (CALM at least), though the windows that would show the
        next one still hold it; what has lasted for more than SLACK is when its findings are closed."""
        if not self.is_open:
            return True
        ended, lasted = self.went_on_until, self.went_on_until - self.starts_at
        return self.is_calm and judged is not None and lasted <= SLACK and judged - ended >= max(lasted, CALM)

    @property
    def is_open(self) -> bool:
        return any(row.state == "open" for row in self.members.values())


def in_order(rows: Iterable[FindingRow]) -> list[FindingRow]:
    """In which findings are looked into: costs first, the greatest first, and of those that are equal the broadest. The
    same in whatever order they came."""
    return sorted(
        rows,
        key=lambda row: (row.measure != COST, -_size(row), len(row.series.dims), row.series, row.finding_id),
    )


def _size(row: FindingRow) -> Decimal:
    return abs(row.per_day if row.measure in QUOTIENTS else row.excess)


def sign_of(direction: Direction) -> int:
    return 1 if direction == "up" else -1


def pull(row: FindingRow) -> Direction:
    """In which direction it moves the cost."""
    return pull_of(row.measure, row.direction)


def overlaps(row: FindingRow, group: Group) -> bool:
    """Whether the one began while the excess of the other went on, or not long after that: what is open and has been
    as usual for longer is over, though nobody has said so yet."""
    begins, ends = group.starts_at, group.went_on_until
    after = row.starts_at > ends + _lull(begins, ends)
    before = begins > row.went_on_until + _lull(row.starts_at, row.went_on_until)
    return not after and not before


def _lull(start: datetime, end: datetime) -> timedelta:
    return min(max(end - start, LULL), SLACK)


def of_one_time(row: FindingRow, group: Group) -> bool:
    """Whether they touch, and began at about the same time or share most of theirs, or the one goes on where the other
    ended: a burst amid something that has been going on for days has a cause of its own, and so has one after it."""
    if not overlaps(row, group):
        return False
    members, ends = group.members.values(), group.ends_at
    if not group.goes_on and row.starts_at >= group.went_on_until:
        return abs(row.per_day) <= ALIKE * max(abs(member.per_day) for member in members)
    latest = max(one.ends_at or one.detected_at for one in (row, *members))
    return abs(row.starts_at - group.starts_at) <= SLACK or alike(row, group.starts_at, ends or latest)


def share(row: FindingRow, group: Group, evidence: Evidence) -> float:
    """Of the finding's excess, what the group's cause explains; 0 where it does not belong to the group."""
    mine = conditions_of(row.series)
    if not evidence.knows(mine) or not evidence.knows(group.conditions):
        return 0.0
    sign = sign_of(pull(row))
    own, cause = evidence.mask(mine), evidence.mask(group.conditions)
    finding, whole, both = (evidence.moved(cells, sign, row.measure) for cells in (own, cause, own & cause))
    if finding.excess <= 0 or whole.excess <= 0 or both.excess < HALF * finding.excess:
        return 0.0
    as_the_whole = both.before * whole.excess / whole.before if whole.before > 0 else both.excess
    if both.excess >= HALF * whole.excess:
        return both.excess / finding.excess
    plain = min(both.excess, as_the_whole) / finding.excess
    return plain if plain >= HALF else 0.0


def home(row: FindingRow, groups: Iterable[Group], evidence: Evidence) -> Group | None:
    """The group that the finding belongs to."""
    near = [group for group in groups if group.direction == pull(row) and of_one_time(row, group)]
    if (same := home_of_series(row, near)) is not None:
        return same
    shares = [(share(row, group, evidence), group) for group in near]
    shares = [(part, group) for part, group in shares if part > 0]
    if shares:
        return min(shares, key=lambda one: (-one[0], one[1].starts_at, one[1].group_id))[1]
    return home_by_name(row, near) if row.measure in QUOTIENTS else None


def home_of_series(row: FindingRow, groups: Iterable[Group]) -> Group | None:
    """The group that holds another finding of the same series, in the same direction, of which the excess went on while
    this one's did: what comes after it may have another cause."""
    near = [
        group
        for group in groups
        if group.direction == pull(row)
        and any(member.series == row.series and _meets(row, member) for member in group.members.values())
    ]
    return min(near, key=lambda group: (group.starts_at, group.group_id), default=None)


def _meets(row: FindingRow, member: FindingRow) -> bool:
    alone = Group("", pull(member), {}, {member.finding_id: member})
    after = row.starts_at >= member.went_on_until and not alone.goes_on
    before = member.starts_at >= row.went_on_until and (row.ends_at is not None or row.is_calm)
    return not after and not before and of_one_time(row, alone)


def home_by_name(row: FindingRow, groups: Iterable[Group]) -> Group | None:
    """Where nothing is known of the stretch: the group with a finding whose series holds this one's, or is held by it,
    with at least half of the excess per day of the other."""
    found: list[tuple[Decimal, datetime, str, Group]] = []
    for group in groups:
        if group.direction != pull(row) or not of_one_time(row, group):
            continue
        parts = [part for member in group.members.values() if (part := _nested_share(row, member)) is not None]
        if parts and max(parts) >= Decimal(HALF):
            found.append((-max(parts), group.starts_at, group.group_id, group))
    return min(found)[3] if found else None


def _nested_share(one: FindingRow, two: FindingRow) -> Decimal | None:
    if lies_within(one.series, two.series):
        inner, outer = one, two
    elif lies_within(two.series, one.series):
        inner, outer = two, one
    else:
        return None
    if inner.measure != outer.measure:
        return Decimal(1) if inner.series == outer.series else None
    if inner.measure in QUOTIENTS:  # a quotient has no parts
        return Decimal(1)
    return abs(inner.per_day) / abs(outer.per_day) if outer.per_day else None


def lies_within(inner: Series, outer: Series) -> bool:
    """Whether all that the inner one counts is counted by the outer one, too, by their names."""
    return conditions_of(outer).items() <= conditions_of(inner).items()


def alike(row: FindingRow, start: datetime, end: datetime) -> bool:
    """Whether what [start, end) holds says something of this finding."""
    finish = row.ended(end)
    both = min(finish, end) - max(row.starts_at, start)
    return both > timedelta(0) and both * ALIKE >= max(finish - row.starts_at, end - start)


def settle(
    lead: FindingRow,
    conditions: Mapping[str, str],
    others: Sequence[FindingRow],
    groups: dict[str, Group],
    evidence: Evidence,
) -> dict[str, str]:
    """The group of each finding that this evidence decides, by finding: `lead`'s, whose cause was looked for and has
    these conditions, and those of others like it. A group that is new is put into `groups`, and findings into theirs.
    The rest waits for evidence of its own."""
    found = home(lead, groups.values(), evidence)
    if found is None:
        found = groups[lead.finding_id] = Group(lead.finding_id, pull(lead), dict(conditions))
    found.members[lead.finding_id] = lead
    settled = {lead.finding_id: found.group_id}
    for row in in_order(others):
        if not alike(row, evidence.start, evidence.end):
            continue
        group = home(row, groups.values(), evidence)
        if group is not None:
            group.members[row.finding_id] = row
            settled[row.finding_id] = group.group_id
    return settled
