"""What of a group is its own. Plain functions.

A wide series (all usage, a provider) has one finding at a time, and that is open for a while after what made it is
over. What begins in between, elsewhere, goes on in the same finding: its money is that of two causes. The narrower
findings of the later cause are a group of their own, which tells it; the earlier group is what it was without the wide
ones.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from stream_jobs.anomalies.evidence import conditions_of
from stream_jobs.anomalies.grouping import HALF, Group
from stream_jobs.anomalies.model import FindingRow

Common = Mapping[str, str]
"""What nearly all of a group's excess has in common, by field."""


def own(group: Group, others: Iterable[tuple[Group, Common]]) -> Group:
    """The group without its findings that go on as another's, which began after all the rest of it was over."""
    later = [one for one in others if one[0].group_id != group.group_id and one[0].direction == group.direction]
    for other, common in sorted(later, key=lambda one: (one[0].starts_at, one[0].group_id)):
        reach = [row for row in group.members.values() if row.went_on_until > other.starts_at]
        rest = {row.finding_id: row for row in group.members.values() if row.went_on_until <= other.starts_at}
        if reach and rest and all(_is_of(row, rest.values(), other, common) for row in reach):
            return replace(group, members=rest)
    return group


def _is_of(row: FindingRow, rest: Iterable[FindingRow], other: Group, common: Common) -> bool:
    """Whether the finding holds the other group, and most of what it has grown by since is that group's."""
    if row.starts_at >= other.starts_at or not conditions_of(row.series).items() <= dict(common).items():
        return False
    alike = [one for one in rest if one.measure == row.measure]
    theirs = [one for one in other.members.values() if one.measure == row.measure]
    if not alike or not theirs:
        return row.measure not in {one.measure for one in other.members.values()}
    grown = abs(row.excess) - max(abs(one.excess) for one in alike)
    return float(max(abs(one.excess) for one in theirs)) >= HALF * float(grown)
