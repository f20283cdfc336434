"""Tables of costs before and after with a cause whose truth is known, each of another make: number and sizes of
dimensions, sparsity, tails, noise, what moved and by how much are drawn from the seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Moved = Literal["volume", "price", "tokens_per_request", "cache"]
Expectation = Literal["sample", "exact", "longer"]
MANY: Final = 2_000
"""Requests of a row whose costs are drawn one by one; beyond, their sum is drawn."""
APART: Final = 0.9
"""A set is told apart from others that hold less than this of all that either holds."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What is wanted of a table; the rest is drawn."""

    literals: int = 1  # values that name the cause; 0: nothing happened
    excess: float = 1.0  # of the whole cost before
    moved: Moved = "volume"
    tokens: bool = False  # columns of tokens by meter
    expectation: Expectation = "sample"
    growth: float = 1.0  # of everything
    causes: int = 1


@dataclass(frozen=True, slots=True)
class Truth:
    values: Mapping[str, str]
    rows: frozenset[int]
    moved: Moved


@dataclass(frozen=True, slots=True)
class CauseTable:
    table: pa.Table
    causes: tuple[Truth, ...]
    make: str


def draw(spec: Spec, seed: int) -> CauseTable | None:
    """None where this seed's world has no such cause: too small, or not to be told apart from another set."""
    rng = np.random.default_rng([seed, 16])
    codes, make = _places(rng)
    rows = len(codes[0])
    weight = rng.lognormal(0, rng.uniform(0.3, 1.5), rows)
    for column in codes:
        of_value = rng.lognormal(0, rng.uniform(0, 0.8), int(column.max()) + 1)
        weight = weight * of_value[column]
    requests = weight / weight.sum() * 10 ** rng.uniform(3.7, 6.3)
    sigma = rng.choice([0.3, 0.8, 1.2, 1.6])
    one = np.full(rows, 0.01)
    for column in codes:  # what a request costs depends on few of the dimensions
        if rng.random() < 0.4:
            one = one * rng.lognormal(0, rng.uniform(0.2, 1.0), int(column.max()) + 1)[column]
    noise = rng.choice([0.0, 0.1, 0.2, 0.35])
    noisy = rng.choice(["row", "value"])
    levels = [_levels(rng, codes, noise, noisy) for _ in range(2)]
    before, after = requests * (levels[0] if spec.expectation != "exact" else 1.0), requests * levels[1] * spec.growth
    stretch = float(rng.uniform(2, 6)) if spec.expectation == "longer" else 1.0
    causes: list[Truth] = []
    price, size, cached = np.ones(rows), np.ones(rows), np.full(rows, usual := float(rng.uniform(0.3, 0.8)))
    total = float((requests * one).sum())
    answers = float(rng.uniform(0.2, 0.9))  # what output costs, of what input costs without a cache
    for _ in range(spec.causes if spec.literals else 0):
        chosen = _cause(rng, codes, spec, requests, one, total, (1 + answers) / (1 + answers - 0.9 * usual))
        if chosen is None:
            return None
        literals, inside, times = chosen
        if spec.moved == "volume":
            after = np.where(inside, after * times, after)
        elif spec.moved == "tokens_per_request":
            size = np.where(inside, size * times, size)
        elif spec.moved == "cache":
            missed = (1 + answers - times * (1 + answers - 0.9 * usual)) / 0.9
            cached = np.where(inside, missed, cached)
        else:
            price = np.where(inside, price * times, price)
        values = {f"d{number}": f"v{value}" for number, value in literals}
        causes.append(Truth(values, frozenset(np.flatnonzero(inside).tolist()), spec.moved))
    old_count = before * stretch if spec.expectation == "exact" else rng.poisson(before * stretch).astype(float)
    new_count = rng.poisson(after).astype(float)
    columns: dict[str, object] = {
        f"d{number}": pa.array([f"v{value}" for value in column]) for number, column in enumerate(codes)
    }
    columns["requests_before"], columns["requests_after"] = old_count, new_count
    if spec.tokens:
        held = _with_tokens(rng, old_count, new_count, one, price, size, cached, usual, answers, float(sigma))
        columns |= held
    else:
        columns["cost_before"] = (
            old_count * one if spec.expectation == "exact" else _sums(rng, old_count, one, float(sigma))
        )
        columns["cost_after"] = _sums(rng, new_count, one * price * size, float(sigma))
    make += f" requests {requests.sum():.0f} sigma {sigma} noise {noise} {noisy}"
    return CauseTable(pa.table(columns), tuple(causes), make)


def _places(rng: np.random.Generator) -> tuple[list[Codes], str]:
    """Rows of distinct values in 2 to 10 dimensions of 2 to 10,000 values; some are decided by others, as a user's
    team is."""
    dimensions = int(rng.integers(2, 11))
    rows = int(10 ** rng.uniform(1.5, 4.3))
    codes: list[Codes] = []
    sizes = []
    for number in range(dimensions):
        size = int(10 ** rng.uniform(np.log10(2), 4))
        size = max(2, min(size, rows // 2))
        if number and rng.random() < 0.25:
            parent = codes[int(rng.integers(number))]
            column = rng.integers(0, max(2, size // 5), int(parent.max()) + 1)[parent]
        else:
            chances = 1 / np.arange(1, size + 1) ** rng.uniform(0, 1.5)
            column = rng.choice(size, rows, p=chances / chances.sum())
        codes.append(column.astype(np.int64))
        sizes.append(size)
    distinct = np.unique(np.stack(codes, axis=1), axis=0)
    return [np.ascontiguousarray(column) for column in distinct.T], f"{len(distinct)} rows, sizes {sizes}"


def _levels(rng: np.random.Generator, codes: list[Codes], noise: float, kind: str) -> Floats:
    """Of rows, or of the values of a dimension, each moves by itself."""
    if kind == "row":
        return np.asarray(rng.lognormal(-(noise**2) / 2, noise, len(codes[0])) if noise else np.ones(len(codes[0])))
    column = codes[int(np.argmax([column.max() for column in codes]))]
    return np.asarray(rng.lognormal(-(noise**2) / 2, noise, int(column.max()) + 1)[column])


def _cause(
    rng: np.random.Generator, codes: list[Codes], spec: Spec, requests: Floats, one: Floats, total: float, most: float
) -> tuple[list[tuple[int, int]], npt.NDArray[np.bool_], float] | None:
    cost = requests * one
    for _ in range(60):
        numbers = sorted(rng.choice(len(codes), min(spec.literals, len(codes)), replace=False).tolist())
        row = int(rng.integers(len(requests)))
        literals = [(number, int(codes[number][row])) for number in numbers]
        masks = [codes[number] == value for number, value in literals]
        inside = np.logical_and.reduce(masks)
        share = float(cost[inside].sum()) / total
        times = 1 + spec.excess / share
        if times < 0 or (spec.moved == "cache" and times > most) or share > 0.6 or len(literals) != spec.literals:
            continue
        if float(requests[inside].sum()) * (times if spec.moved == "volume" and times > 1 else 1) < 500:
            continue
        if _told_apart(codes, inside, requests, literals):
            return literals, inside, times
    return None


def _told_apart(
    codes: list[Codes], inside: npt.NDArray[np.bool_], requests: Floats, literals: list[tuple[int, int]]
) -> bool:
    """From every other set of as many values or fewer that has not the very same rows."""
    own = float(requests[inside].sum())
    for column in codes:
        within = np.bincount(column[inside], requests[inside], int(column.max()) + 1)
        of_all = np.bincount(column, requests, int(column.max()) + 1)
        alike = within / (own + of_all - within)
        value = int(np.argmax(alike))
        if alike[value] >= APART and not np.array_equal(column == value, inside):
            return False
        if len(literals) == 2:
            for number, wanted in literals:
                other = codes[number] == wanted
                both = np.bincount(column[other], requests[other], int(column.max()) + 1)
                near = within / (own + both - within)
                value = int(np.argmax(near))
                if near[value] >= APART and not np.array_equal((column == value) & other, inside):
                    return False
    return True


def _sums(rng: np.random.Generator, counts: Floats, one: Floats, sigma: float) -> Floats:
    """The cost of so many requests, each lognormal around its mean."""
    whole = counts.astype(np.int64)
    few = np.where(whole <= MANY, whole, 0)
    single = np.exp(sigma * rng.standard_normal(int(few.sum())) - sigma**2 / 2)
    sums = np.zeros(len(counts))
    np.add.at(sums, np.repeat(np.arange(len(counts)), few), single)
    spread = np.sqrt(np.expm1(sigma**2))
    large = whole > MANY
    drawn = whole + np.sqrt(np.maximum(whole, 1)) * spread * rng.standard_normal(len(counts))
    return np.asarray(np.where(large, np.maximum(drawn, 0.0), sums) * one)


def _with_tokens(
    rng: np.random.Generator,
    old: Floats,
    new: Floats,
    one: Floats,
    price: Floats,
    size: Floats,
    cached: Floats,
    usual: float,
    answers: float,
    sigma: float,
) -> dict[str, object]:
    """Costs that come of tokens: input at 1, reads from the cache at 0.1, output at 4."""
    columns: dict[str, object] = {}
    for period, counts, hit, times, dear in (
        ("before", old, np.full(len(old), usual), np.ones(len(old)), np.ones(len(old))),
        ("after", new, cached, size, price),
    ):
        took = np.round(_sums(rng, counts, np.full(len(counts), 1000.0), sigma) * times)
        answered = np.round(_sums(rng, counts, np.full(len(counts), 250.0 * answers), sigma) * times)
        read = np.round(took * np.clip(hit, 0, 1))
        columns[f"input_tokens_{period}"] = took
        columns[f"cache_read_tokens_{period}"] = read
        columns[f"output_tokens_{period}"] = answered
        columns[f"cost_{period}"] = (took - read + 0.1 * read + 4 * answered) * one / 1000 * dear
    return columns
