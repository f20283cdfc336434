"""The change of a cost by factor: the sum over cells of all requests * the cell's share * what a request costs there.

A cell that is new or gone has no cost of a request at the other time: it is taken as the same, so that all of it is a
matter of volume and mix. Money of a cell without requests (credits, fees) is no product; it is its own part.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final

import numpy as np

from stream_jobs.explain.amounts import grouped, total
from stream_jobs.explain.factored import Factored
from stream_jobs.explain.model import FACTORS, Codes, Factor
from stream_jobs.explain.shapley import DIGITS, product_shares, whole_parts

_ONE: Final = Decimal(1)
_ZERO: Final = Decimal(0)


def names_of(factors: Factored) -> tuple[Factor, ...]:
    """The factors that can be told apart."""
    if factors.tokens is None:
        return ("volume", "mix", "cost_per_request")
    if factors.billed is None:
        return ("volume", "mix", "tokens_per_request", "price")
    return ("volume", "mix", "tokens_per_request", "cache", "price")


def told_together(factors: Factored) -> dict[Factor, tuple[Factor, ...]]:
    """What stands for several factors, because the amounts do not tell them apart."""
    if factors.tokens is None:
        return {"cost_per_request": ("tokens_per_request", "cache", "price")}
    return {"price": ("cache", "price")} if factors.billed is None else {}


def decompose(factors: Factored, rows: Codes, cell_of: Codes) -> dict[Factor, int]:
    """In pico-USD, by each of `names_of` and `without_requests`: adds up to the change of the rows' cost. `cell_of`
    says which cell each of all rows is of."""
    names = names_of(factors)
    _, cells = np.unique(cell_of[rows], return_inverse=True)
    count = int(cells.max()) + 1 if len(cells) else 0
    columns = [factors.requests, factors.tokens, factors.billed, factors.cost]
    old, new = (
        [grouped(getattr(column, period)[rows], cells, count).tolist() for column in columns if column is not None]
        for period in ("before", "after")
    )
    was, now = (sum(max(requests, 0) for requests in sums[0]) for sums in (old, new))
    shares = [_ZERO] * len(names)
    bare = 0
    for before, after in zip(zip(*old, strict=True), zip(*new, strict=True), strict=True):
        bare += (after[-1] if after[0] <= 0 else 0) - (before[-1] if before[0] <= 0 else 0)
        if before[0] > 0 or after[0] > 0:
            parts = _cell(before, after, was, now)
            shares = [DIGITS.add(share, part) for share, part in zip(shares, parts, strict=True)]
    change = total(factors.cost.after[rows]) - total(factors.cost.before[rows])
    found = dict(zip(names, whole_parts(shares, change - bare), strict=True))
    return {name: found.get(name, bare) for name in FACTORS if name in found or name == "without_requests"}


def most(parts: Mapping[Factor, int], change: int) -> Factor | None:
    """The factor that weighs most in the direction of the change; None where nothing changed."""
    sign = 1 if change > 0 else -1
    name = max(parts, key=lambda name: sign * parts[name])
    return name if change and sign * parts[name] > 0 else None


def _cell(before: Sequence[int], after: Sequence[int], was: int, now: int) -> list[Decimal]:
    """The shares of a cell that has requests at one time at least."""
    unlike = (before[0] > 0 and _unlike(before)) or (after[0] > 0 and _unlike(after))
    chain = _plain if unlike else _chain  # costs without tokens: nothing tells tokens and price apart
    old, new = chain(before, was), chain(after, now)
    if after[0] <= 0:
        new[2:] = old[2:]
        new[1] = new[1] if now else old[1]
    elif before[0] <= 0:
        old[2:] = new[2:]
        old[1] = old[1] if was else new[1]
    for index in range(2, len(old)):  # a ratio to nothing is as it is at the other time
        if old[index] is None or new[index] is None:
            known = old[index] if new[index] is None else new[index]
            old[index] = new[index] = _ONE if known is None else known
    return product_shares([value or _ZERO for value in old], [value or _ZERO for value in new])


def _chain(sums: Sequence[int], requests: int) -> list[Decimal | None]:
    """All requests, the cell's share of them, and from one amount to the next; None for what is divided by nothing.
    Without requests the share is 0 and its cost is no part of it."""
    share = DIGITS.divide(Decimal(max(sums[0], 0)), Decimal(requests)) if requests else _ZERO
    ratios = [DIGITS.divide(Decimal(amount), Decimal(base)) if base > 0 else None for base, amount in pairwise(sums)]
    return [Decimal(requests), share, *ratios]


def _plain(sums: Sequence[int], requests: int) -> list[Decimal | None]:
    """The same where only the last amount of each request counts."""
    chain = _chain((sums[0], sums[-1]), requests)
    return [*chain[:2], *[_ONE] * (len(sums) - 2), chain[2]]


def _unlike(sums: Sequence[int]) -> bool:
    """Whether something costs that has no tokens."""
    return sums[-1] != 0 and any(amount <= 0 for amount in sums[1:-1])
