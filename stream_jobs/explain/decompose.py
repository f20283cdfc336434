"""The change of a cost by factor: the sum over cells of all requests * the cell's share * what a request costs there,
which is input tokens * what caches make of them * price + output tokens * price.

Shapley values are linear: a factor's part is the sum of its parts of both products. A cell that is new or gone has no
cost of a request at the other time: it is taken as the same, so that all of it is a matter of volume and mix. Money of
a cell without requests (credits, fees) is no product; it is its own part.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from stream_jobs.explain.amounts import grouped, total
from stream_jobs.explain.factored import Factored
from stream_jobs.explain.model import FACTORS, Codes, Exact, Factor
from stream_jobs.explain.shapley import DIGITS, product_shares, whole_parts

_ONE: Final = Decimal(1)
_ZERO: Final = Decimal(0)
_Product = list[Decimal | None]
"""All requests, the cell's share of them, tokens of a request, what caches make of one, price; None is divided by
nothing."""


class _Sums(NamedTuple):
    """Of a cell, at one time."""

    requests: int
    input: int
    billed: int
    output: int
    cost: int

    @property
    def unlike(self) -> bool:
        """Whether something costs that has no tokens."""
        return self.cost != 0 and self.billed + self.output <= 0


def names_of(factors: Factored) -> tuple[Factor, ...]:
    """The factors that can be told apart."""
    if factors.input is None and factors.output is None:
        return ("volume", "mix", "cost_per_request")
    if factors.billed is None:
        return ("volume", "mix", "tokens_per_request", "price")
    return ("volume", "mix", "tokens_per_request", "cache", "price")


def told_together(factors: Factored) -> dict[Factor, tuple[Factor, ...]]:
    """What stands for several factors, because the amounts do not tell them apart."""
    if factors.input is None and factors.output is None:
        return {"cost_per_request": ("tokens_per_request", "cache", "price")}
    return {"price": ("cache", "price")} if factors.billed is None else {}


def decompose(factors: Factored, rows: Codes, cell_of: Codes) -> dict[Factor, int]:
    """In pico-USD, by each of `names_of` and `without_requests`: adds up to the change of the rows' cost. `cell_of`
    says which cell each of all rows is of."""
    names = names_of(factors)
    _, cells = np.unique(cell_of[rows], return_inverse=True)
    old, new = (_sums(factors, period, rows, cells) for period in ("before", "after"))
    was, now = (sum(max(sums.requests, 0) for sums in period) for period in (old, new))
    shares = [_ZERO] * 5
    bare = 0
    for before, after in zip(old, new, strict=True):
        bare += (after.cost if after.requests <= 0 else 0) - (before.cost if before.requests <= 0 else 0)
        if before.requests > 0 or after.requests > 0:
            for parts in _cell(before, after, was, now):
                shares = [DIGITS.add(share, part) for share, part in zip(shares, parts, strict=True)]
    change = total(factors.cost.after[rows]) - total(factors.cost.before[rows])
    kept = {3: (0, 1, 4), 4: (0, 1, 2, 4)}.get(len(names), range(5))  # a factor that is not told did not move
    found = dict(zip(names, whole_parts([shares[index] for index in kept], change - bare), strict=True))
    return {name: found.get(name, bare) for name in FACTORS if name in found or name == "without_requests"}


def most(parts: Mapping[Factor, int], change: int) -> Factor | None:
    """The factor that weighs most in the direction of the change; None where nothing changed."""
    sign = 1 if change > 0 else -1
    name = max(parts, key=lambda name: sign * parts[name])
    return name if change and sign * parts[name] > 0 else None


def _sums(factors: Factored, period: str, rows: Codes, cells: Codes) -> list[_Sums]:
    count = int(cells.max()) + 1 if len(cells) else 0
    none: Exact = np.zeros(len(rows), np.int64)
    billed = factors.input if factors.billed is None else factors.billed
    columns = (factors.requests, factors.input, billed, factors.output, factors.cost)
    held = (none if column is None else getattr(column, period)[rows] for column in columns)
    return [_Sums(*sums) for sums in zip(*(grouped(column, cells, count).tolist() for column in held), strict=True)]


def _cell(before: _Sums, after: _Sums, was: int, now: int) -> list[list[Decimal]]:
    """The shares of each product of a cell that has requests at one time at least."""
    if (before.requests > 0 and before.unlike) or (after.requests > 0 and after.unlike):
        products = [(_plain(before, was), _plain(after, now))]  # nothing tells tokens and price apart
    else:
        products = [(_input(before, was), _input(after, now)), (_output(before, was), _output(after, now))]
    return [_shares(old, new, before.requests > 0, after.requests > 0) for old, new in products]


def _shares(old: _Product, new: _Product, was: bool, now: bool) -> list[Decimal]:
    """`was` and `now`: whether the cell has requests."""
    if not now:
        new[1:] = [new[1] if new[0] else old[1], *old[2:]]
    elif not was:
        old[1:] = [old[1] if old[0] else new[1], *new[2:]]
    for index in range(2, len(old)):  # a ratio to nothing is as it is at the other time
        if old[index] is None or new[index] is None:
            known = old[index] if new[index] is None else new[index]
            old[index] = new[index] = _ONE if known is None else known
    return product_shares([value or _ZERO for value in old], [value or _ZERO for value in new])


def _input(sums: _Sums, requests: int) -> _Product:
    return [*_sent(sums, requests), _ratio(sums.input, sums.requests), _ratio(sums.billed, sums.input), _price(sums)]


def _output(sums: _Sums, requests: int) -> _Product:
    return [*_sent(sums, requests), _ratio(sums.output, sums.requests), _ONE, _price(sums)]


def _plain(sums: _Sums, requests: int) -> _Product:
    """Where only what a request costs is known."""
    return [*_sent(sums, requests), _ONE, _ONE, _ratio(sums.cost, sums.requests)]


def _sent(sums: _Sums, requests: int) -> tuple[Decimal, Decimal]:
    """Without requests the share is 0 and its cost is no part of it."""
    return Decimal(requests), _ratio(max(sums.requests, 0), requests) or _ZERO


def _price(sums: _Sums) -> Decimal | None:
    return _ratio(sums.cost, sums.billed + sums.output)


def _ratio(amount: int, base: int) -> Decimal | None:
    return DIGITS.divide(Decimal(amount), Decimal(base)) if base > 0 else None
