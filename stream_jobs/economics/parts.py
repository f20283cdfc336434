"""What figures are made of: sums over entries of the ledger, and the columns of rollups that have the same sum.

All are sums of signed amounts, but for `users`, which counts persons, and quantiles (`adds_up` is false).
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Final, Literal

from stream_jobs.series.history import LEDGER, OPERATIONS, Source
from stream_jobs.series.measures import MEASURES, Measure
from stream_jobs.store.tables import COMPARISONS, MONEY

Kind = Literal["money", "amount", "count"]
"""USD and seconds are exact Decimals, counts are integers."""


@dataclass(frozen=True, slots=True)
class Part:
    """Aggregate expressions by table: the ledger's, that of every rollup (operations_1d too), and that of operations_1d
    alone. A rollup that lacks one of `dimensions` does not have it. `spread` is that of the ledger's rows where they
    ran (spread.py), if it is another."""

    kind: Kind
    ledger: str
    rollup: str | None = None
    operations: str | None = None
    dimensions: Set[str] = frozenset()
    adds_up: bool = True
    spread: str | None = None

    def of(self, source: Source) -> str | None:
        """What this is in a table; None where it does not tell."""
        if source is LEDGER:
            return self.ledger
        if not self.dimensions <= set(source.dimensions or ()):
            return None
        return self.rollup or (self.operations if source is OPERATIONS else None)


def _measure(name: Measure, column: str = "") -> Part:
    """In all rollups, as the column."""
    definition = MEASURES[name]
    kind: Kind = "money" if name.endswith("_cost") else "amount" if definition.kind == MONEY else "count"
    return Part(kind, f"sum({definition.sql})", f"sum({column or name})")


def _operations(kind: Kind, ledger: str, column: str) -> Part:
    """In the rollup for operations alone."""
    return Part(kind, ledger, operations=f"sum({column})")


_REQUEST: Final = "kind = 'tokens' AND lower(operation) NOT IN ('embeddings', 'embedding', 'rerank')"
"""A request is a token event that is no embedding or rerank."""
_CALL: Final = f"{_REQUEST} AND NOT cached_response"
_COST: Final = "ifNull(effective_cost, 0)"
_TOKENS: Final = "ifNull(input_tokens, 0) + ifNull(output_tokens, 0)"
_GPU: Final = "gpu_seconds IS NOT NULL"
_BUSY: Final = "busy_gpu_seconds IS NOT NULL"
_COMPARED: Final = "stated_cost IS NOT NULL AND NOT cached_response AND price_model != 'stated'"
"""What has a price of ours, and one that the provider states."""
_TIMED: Final = "latency_ms IS NOT NULL AND events != 0 AND NOT cached_response"
_COSTED: Final = "effective_cost IS NOT NULL AND events != 0 AND NOT cached_response"
_COSTED_WHOLE: Final = _COSTED.replace("effective_cost", "whole_cost")


def _quantile(kind: Kind, percent: int, amount: str, among: str, column: str) -> Part:
    """Within 1 %, by buckets as sql/migrations/0040_operations_1d.sql has them: what a retraction takes out is out. 0
    where there is nothing. Spread, calls count where they began, each with what all of it cost."""
    bucket = f"toInt16(least(32767, greatest(-32767, ceil(log(abs({amount})) / 0.02))))"

    def read(buckets: str) -> str:
        weights = f"arrayMap(number -> toUInt64(greatest(number, 0)), mapValues({buckets}))"
        found = f"arrayReduce('quantileExactWeighted({percent / 100})', mapKeys({buckets}), {weights})"
        return f"if(empty({buckets}), toDecimal128(0, 12), toDecimal128(exp(0.02 * {found} - 0.01), 12))"

    ledger = read(f"sumMapIf(map({bucket}, toInt64(events)), {among})")
    spread = ledger.replace("effective_cost", "whole_cost")
    own = spread if spread != ledger else None
    return Part(kind, ledger, operations=read(f"sumMap({column})"), adds_up=False, spread=own)


UNPRICED: Final = (
    "SELECT event_id FROM ledger WHERE {rows} AND unpriced != 0 GROUP BY event_id HAVING sum(unpriced) > 0"
)
"""The events that have no price now; `{rows}` stands for the condition of the question's rows."""

TAKEN_BACK: Final = "SELECT user_id FROM {table} WHERE {rows} AND events <= 0"
"""The few users of whom something was taken back or corrected; `{table}` stands for the table that is asked."""
_USERS: Final = (
    f"uniqExactIf(user_id, user_id != '' AND user_id NOT IN ({TAKEN_BACK})) + length(mapFilter((user, number) -> "
    f"number > 0, sumMapIf(map(user_id, toInt64(events)), user_id != '' AND user_id IN ({TAKEN_BACK}))))"
)
"""Who has no event left, there or at all, is nobody: of most users it is enough to see them."""
_USERS_OF_PIECES: Final = (
    "length(mapFilter((user, number) -> number > 0, sumMapIf(map(user_id, toInt64(whole_events)), user_id != '')))"
)
"""The same of pieces of jobs: all entries of an event have theirs in the same places."""

PARTS: Final[Mapping[str, Part]] = {
    "entries": Part("count", "count()", "sum(entries)", spread="countIf(begins)"),
    "events": _measure("events"),
    "unpriced_events": _measure("unpriced", "unpriced_events"),
    "errors": _measure("errors"),
    "ok": _operations("count", "sumIf(events, status = 'ok')", "events - errors - cancelled"),
    "cancelled": _operations("count", "sumIf(events, status = 'cancelled')", "cancelled"),
    "cached_responses": _measure("cached", "cached_responses"),
    "list_cost": _measure("list_cost"),
    "contracted_cost": _measure("contracted_cost"),
    "effective_cost": _measure("effective_cost"),
    "avoided_cost": _measure("avoided_cost"),
    "unallocated_events": Part("count", "sumIf(events, notEmpty(unallocated))", "sum(unallocated_events)"),
    "unallocated_cost": Part("money", f"sumIf({_COST}, notEmpty(unallocated))", "sum(unallocated_cost)"),
    "input_tokens": _measure("input_tokens"),
    "cache_read_tokens": _measure("cache_read_tokens"),
    "cache_write_tokens": _measure("cache_write_tokens"),
    "output_tokens": _measure("output_tokens"),
    "reasoning_tokens": _measure("reasoning_tokens"),
    "cpu_seconds": Part("amount", "sum(ifNull(cpu_seconds, 0))"),
    "busy_cpu_seconds": Part("amount", "sum(ifNull(busy_cpu_seconds, 0))"),
    "gpu_seconds": _measure("gpu_seconds"),
    "busy_gpu_seconds": _operations("amount", "sum(ifNull(busy_gpu_seconds, 0))", "busy_gpu_seconds"),
    "tool_calls": _measure("tool_calls"),
    "requests": Part("count", f"sumIf(events, {_REQUEST})"),
    "ok_requests": Part("count", f"sumIf(events, {_REQUEST} AND status = 'ok')"),
    "cached_requests": Part("count", f"sumIf(events, {_REQUEST} AND cached_response)"),
    "request_cost": Part("money", f"sumIf({_COST}, {_REQUEST})"),
    "call_cost": Part("money", f"sumIf({_COST}, {_CALL})"),
    "priced_call_tokens": Part("count", f"sumIf({_TOKENS}, {_CALL} AND event_id NOT IN ({UNPRICED}))"),
    "call_input_tokens": Part("count", f"sumIf(ifNull(input_tokens, 0), {_CALL})"),
    "call_cache_read_tokens": Part("count", f"sumIf(ifNull(cache_read_tokens, 0), {_CALL})"),
    "measured_gpu_seconds": _operations("amount", f"sumIf(ifNull(gpu_seconds, 0), {_BUSY})", "known_gpu_seconds"),
    "gpu_cost": Part("money", f"sumIf({_COST}, {_GPU})"),
    "measured_gpu_cost": Part("money", f"sumIf({_COST}, {_GPU} AND {_BUSY})"),
    **{name: _operations("money", f"sum(ifNull({name}, 0))", name) for name in COMPARISONS},
    "ok_cost": _operations(
        "money", f"sumIf({_COST}, status = 'ok')", "effective_cost - error_cost - cancelled_cost"
    ),
    "error_cost": _operations("money", f"sumIf({_COST}, status = 'error')", "error_cost"),
    "cancelled_cost": _operations("money", f"sumIf({_COST}, status = 'cancelled')", "cancelled_cost"),
    "retries": _operations("count", "sumIf(events, retry_of != '')", "retries"),
    "retry_cost": _operations("money", f"sumIf({_COST}, retry_of != '')", "retry_cost"),
    "billed_input_tokens": _operations(
        "count", "sumIf(ifNull(input_tokens, 0), NOT cached_response)", "billed_input_tokens"
    ),
    "billed_output_tokens": _operations(
        "count", "sumIf(ifNull(output_tokens, 0), NOT cached_response)", "billed_output_tokens"
    ),
    "held_cost": Part("money", f"sum({MEASURES['held_cost'].sql})"),
    "flat_held_events": Part("count", f"sum({MEASURES['held_flat'].sql})"),
    "compared_events": Part("count", f"sumIf(events, {_COMPARED})"),
    "compared_cost": Part("money", f"sumIf(ifNull(contracted_cost, 0), {_COMPARED})"),
    "stated_cost": Part("money", f"sumIf(ifNull(stated_cost, 0), {_COMPARED})"),
    "timed_calls": Part(
        "count", f"sumIf(events, {_TIMED})", operations="sum(arraySum(mapValues(latency_buckets)))"
    ),
    "costed_calls": Part(
        "count", f"sumIf(events, {_COSTED})", operations="sum(arraySum(mapValues(cost_buckets)))",
        spread=f"sumIf(events, {_COSTED_WHOLE})",
    ),
    **{f"p{percent}_latency_ms": _quantile("amount", percent, "ifNull(latency_ms, 0)", _TIMED, "latency_buckets")
       for percent in (50, 95, 99)},
    **{f"p{percent}_cost": _quantile("money", percent, "toFloat64(ifNull(effective_cost, 0))", _COSTED, "cost_buckets")
       for percent in (50, 95)},
    "users": Part("count", _USERS, _USERS, dimensions=frozenset({"user_id"}), adds_up=False,
                  spread=_USERS_OF_PIECES),
    "cost_of_users": Part("money", f"sumIf({_COST}, user_id != '')", "sumIf(effective_cost, user_id != '')",
                          dimensions=frozenset({"user_id"})),
}  # fmt: skip
