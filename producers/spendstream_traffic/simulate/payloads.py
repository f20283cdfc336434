"""Columns become usage events: plain JSON values first, because most callers only want the message."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final
from zlib import crc32

import msgspec
import numpy as np

from spendstream_schemas import MANDATORY_TAGS, SCHEMA_VERSION, UsageEvent
from spendstream_traffic.simulate.catalog import CELLS, CUSTOMERS, ENVIRONMENTS, TIER_CHANGE_TO, Job, Metered
from spendstream_traffic.simulate.config import SimulationConfig
from spendstream_traffic.simulate.draws import CANCELLED_UNKNOWN, ERROR, NO_TAG, OK, Columns
from spendstream_traffic.simulate.traffic import Traffic
from stream_jobs.base.instants import from_unix_micros, unix_micros

_STATUS: Final = ("ok", "error", "cancelled", "cancelled")
_SESSIONS: Final = ["run" if cell.workload.session == "run" else "conv" for cell in CELLS]
_FEATURES: Final = [crc32(cell.workload.feature.encode()) for cell in CELLS]
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class SimulatedMessage:
    """One event as the bytes that go to Kafka."""

    event_id: str
    occurred_at: datetime
    value: bytes


def payloads(config: SimulationConfig) -> Iterator[dict[str, Any]]:
    """All events as JSON values, in the order of `occurred_at`, one slice of time in memory."""
    digest, until_us = config.digest, unix_micros(config.end)
    for number, columns in enumerate(Traffic(config).slices()):
        yield from _slice(columns, f"sim-{digest}-{number}-", until_us)


def generate(config: SimulationConfig) -> Iterator[UsageEvent]:
    """All events as validated models, in the order of `occurred_at`."""
    return (UsageEvent.model_validate(payload) for payload in payloads(config))


def messages(config: SimulationConfig) -> Iterator[SimulatedMessage]:
    """All events as messages; about twice as fast as `generate`."""
    digest, until_us = config.digest, unix_micros(config.end)
    for number, columns in enumerate(Traffic(config).slices()):
        times = columns.time_us.tolist()
        for time_us, payload in zip(times, _slice(columns, f"sim-{digest}-{number}-", until_us), strict=True):
            yield SimulatedMessage(payload["event_id"], from_unix_micros(time_us), _encode(payload))


def labels(config: SimulationConfig) -> list[dict[str, Any]]:
    """The truth about the incidents: kind, start, end, scope, factor, and what the factor is about (`changes`)."""
    return [incident.label() for incident in config.incidents]


def _slice(columns: Columns, prefix: str, until_us: int) -> Iterator[dict[str, Any]]:
    times = np.datetime_as_string(columns.time_us.astype("datetime64[us]")).tolist()
    failed: dict[tuple[int, int], dict[str, Any]] = {}
    rows = zip(
        times,
        columns.time_us.tolist(),
        columns.cell.tolist(),
        columns.customer.tolist(),
        columns.user.tolist(),
        columns.environment.tolist(),
        columns.amount_in.tolist(),
        columns.amount_out.tolist(),
        columns.cache_read.tolist(),
        columns.cache_write.tolist(),
        columns.reasoning.tolist(),
        columns.status.tolist(),
        columns.from_own_cache.tolist(),
        columns.latency_ms.tolist(),
        columns.missing_tag.tolist(),
        columns.priority_tier.tolist(),
        columns.retries.tolist(),
        columns.trace.tolist(),
        columns.complexity.tolist(),
        columns.batchable.tolist(),
        columns.prompt.tolist(),
        columns.session.tolist(),
        columns.version.tolist(),
        strict=True,
    )
    for index, (
        time,
        time_us,
        cell,
        customer,
        user,
        environment,
        amount_in,
        amount_out,
        cache_read,
        cache_write,
        reasoning,
        status,
        from_own_cache,
        latency_ms,
        missing_tag,
        priority_tier,
        retries,
        trace,
        complexity,
        batchable,
        prompt,
        session,
        version,
    ) in enumerate(rows):
        event_id = f"{prefix}{index}"
        fixed, has_customers, has_cache, has_reasoning, writes_cache = _fixed_part(cell, customer % 3 == 2)
        attribution = _attribution(cell, environment, missing_tag, version)
        if has_customers:
            name = CUSTOMERS[customer]
            attribution = {**attribution, "customer": name, "user_id": f"{name}-u{user}"}
        payload = {
            "schema_version": SCHEMA_VERSION,
            "event_id": event_id,
            "occurred_at": time + "Z",
            **fixed,
            "attribution": attribution,
            "trace_id": f"{trace:016x}",
        }
        usage = CELLS[cell].workload.usage
        if usage is not None:
            payload["usage"] = _other_usage(usage, amount_in, amount_out, until_us - time_us)
            yield payload
            continue
        tokens: dict[str, Any] = {"kind": "tokens"}
        if status != CANCELLED_UNKNOWN:
            tokens["input_tokens"] = amount_in
            tokens["output_tokens"] = amount_out
            if has_cache:
                tokens["cache_read_tokens"] = cache_read
            if writes_cache:
                tokens["cache_write_5m_tokens"] = cache_write
            if has_reasoning:
                tokens["reasoning_tokens"] = reasoning
        payload["usage"] = tokens
        payload["latency_ms"] = latency_ms
        payload |= _task(cell, customer, complexity, batchable, prompt, session)
        if status == ERROR:
            failed[cell, customer] = payload
        elif retries and (cell, customer) in failed:
            payload |= _repeated(failed.pop((cell, customer)))
        if status != OK or from_own_cache or priority_tier:
            payload |= _rare_part(status, from_own_cache, priority_tier)
        yield payload


def _repeated(attempt: dict[str, Any]) -> dict[str, Any]:
    """What a retry has of the attempt that it repeats: the same prompt."""
    repeated = {"retry_of": attempt["event_id"]}
    if "prompt_fingerprint" in attempt:
        repeated["prompt_fingerprint"] = attempt["prompt_fingerprint"]
    return repeated


def _task(cell: int, customer: int, complexity: int, batchable: bool, prompt: int, session: int) -> dict[str, Any]:
    """What the service says of the task. A fingerprint has 32 hex digits, as the SDK's; features and customers have
    popular prompts of their own."""
    said: dict[str, Any] = {}
    if complexity >= 0:
        said["complexity"] = complexity / 100
    if batchable:
        said["batchable"] = True
    if session >= 0:
        said["session_id"] = f"{_SESSIONS[cell]}-{session:016x}"
    if prompt >= 0:
        said["prompt_fingerprint"] = f"{_FEATURES[cell]:08x}{customer:08x}{prompt:016x}"
    return said


def _rare_part(status: int, from_own_cache: bool, priority_tier: bool) -> dict[str, Any]:
    rare: dict[str, Any] = {}
    if status != OK:
        rare["status"] = _STATUS[status]
    if from_own_cache:
        rare["cached_response"] = True
    if priority_tier:
        rare["service_tier"] = TIER_CHANGE_TO
    return rare


@cache
def _fixed_part(cell: int, elsewhere: bool) -> tuple[dict[str, Any], bool, bool, bool, bool]:
    """What all events of a cell have in common, and which optional parts they have."""
    workload, model = CELLS[cell].workload, CELLS[cell].model
    fixed: dict[str, Any] = {
        "source": workload.source,
        "provider": CELLS[cell].provider,
        "operation": workload.operation,
        "region": workload.other_region if elsewhere and workload.other_region else workload.region,
    }
    if model is None:
        return fixed, workload.has_customers, False, False, False
    fixed |= {"model": model.model, "service_tier": workload.tier}
    if model.served is not None:
        fixed["response_model"] = model.served
    if workload.tier == "batch":
        fixed["batchable"] = True
    return fixed, workload.has_customers, model.caches != "no", model.reasoning > 0, model.caches == "reads_and_writes"


@cache
def _attribution(cell: int, environment: int, missing_tag: int, version: int) -> dict[str, Any]:
    workload = CELLS[cell].workload
    tags = {
        "project": workload.project,
        "environment": ENVIRONMENTS[environment],
        "cost_center": workload.cost_center,
        "workload_type": workload.workload_type,
        "team": workload.team,
        "owner": workload.owner,
        "feature": workload.feature,
    }
    missing = {*workload.untagged, *([MANDATORY_TAGS[missing_tag]] if missing_tag != NO_TAG else [])}
    kept: dict[str, Any] = {name: value for name, value in tags.items() if name not in missing}
    if version >= 0:
        kept["labels"] = {"prompt": workload.prompt_versions[version]}
    if isinstance(workload.usage, Job) and workload.usage.pool:
        kept["labels"] = {"pool": workload.usage.pool}
    return kept


def _other_usage(usage: Job | Metered, amount: int, busy: int, left_us: int) -> dict[str, Any]:
    """`left_us`: until the end of the run. A job that is not over by then does not say how long it ran."""
    if isinstance(usage, Metered):
        quantity = f"{amount // 1000}.{amount % 1000:03d}"  # text: exact, and never a float
        return {"kind": "metered", "sku": usage.sku, "unit": usage.unit, "quantity": quantity}
    seconds = usage.minutes * 60
    return {
        "kind": "compute",
        "accelerator": usage.accelerator,
        "accelerator_count": usage.count,
        **({"duration_s": seconds} if seconds * 1_000_000 <= left_us else {}),
        "instance_type": usage.instance_type,
        "purchase_option": usage.purchase_option,
        "gpu_seconds": amount,
        "busy_gpu_seconds": busy,
    }
