"""Drawing many events at once: every property is a column. What a column costs is paid per slice, not per event."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from spendstream_traffic.simulate.catalog import CELLS, CUSTOMERS, Cell, Job, Metered, Tokens

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

OK: Final = 0
ERROR: Final = 1
CANCELLED: Final = 2
CANCELLED_UNKNOWN: Final = 3  # cut before the provider reported any usage
_MAX_TOKENS: Final = 190_000  # below the long-context cliffs: crossing one is not what this traffic is about
_ZIPF_EXPONENT: Final = 1.1
_UNKNOWN_USAGE: Final = 0.25  # share of the cancelled calls
NO_TAG: Final = -1
NOT_SAID: Final = -1
POPULAR: Final = 300  # prompts of a feature and customer that come again and again
_MIX: Final = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: neighbours end far apart


@dataclass(frozen=True)
class Columns:
    """Events of one slice in the order of their time. All arrays have the same length."""

    time_us: Ints  # since 1970
    cell: Ints
    customer: Ints
    user: Ints
    environment: Ints
    amount_in: Ints  # input tokens; or thousandths of the quantity, or provisioned seconds of all devices
    amount_out: Ints  # output tokens, or busy seconds
    cache_read: Ints
    cache_write: Ints
    reasoning: Ints
    status: Ints
    from_own_cache: Flags
    latency_ms: Floats
    missing_tag: Ints  # index of the mandatory tag that is left out, or NO_TAG
    priority_tier: Flags
    retries: Flags
    trace: Ints
    complexity: Ints  # hundredths, or NOT_SAID
    batchable: Flags
    prompt: Ints  # which prompt of the feature: the popular ones are from 0 to POPULAR - 1; NOT_SAID
    session: Ints  # 63 bits, or NOT_SAID
    version: Ints  # index of the prompt's version, or NOT_SAID

    def __len__(self) -> int:
        return len(self.time_us)


@dataclass(frozen=True)
class Fixed:
    """What an incident's extra events have in common; None is drawn as usual."""

    customer: int | None = None
    user: int | None = None
    environment: int | None = None


def zipf_cdf(count: int) -> Floats:
    """Cumulative probabilities of ranks 0..count-1, each 1/(rank+1)^1.1."""
    weights = 1.0 / np.arange(1, count + 1, dtype=np.float64) ** _ZIPF_EXPONENT
    cumulated: Floats = np.cumsum(weights) / weights.sum()
    cumulated[-1] = 1.0
    return cumulated


def probability(cdf: Floats, rank: int) -> float:
    return float(cdf[rank] - (cdf[rank - 1] if rank else 0.0)) if rank < len(cdf) else 0.0


class Population:
    """The parameters of all cells as arrays, and the customers and users."""

    def __init__(self, customers: int, users_per_customer: int, missing_tag_share: float) -> None:
        self.customers = zipf_cdf(customers)
        self.users = zipf_cdf(users_per_customer)
        self.missing_tag_share = missing_tag_share
        self.share = np.array([cell.share for cell in CELLS])
        self.environments = np.cumsum([cell.workload.environments for cell in CELLS], axis=1)
        self.errors = np.array([cell.workload.errors for cell in CELLS])
        self.cancelled = np.array([cell.workload.cancelled for cell in CELLS])
        self.own_cache = np.array([cell.workload.own_cache for cell in CELLS])
        self.in_mu, self.in_sigma, self.out_mu, self.out_sigma = np.array([_log_normals(cell) for cell in CELLS]).T
        self.is_tokens = np.array([cell.model is not None for cell in CELLS])
        self.has_output = np.array([tokens is None or tokens.output_median > 0 for tokens in _tokens()])
        self.cache_hit = np.array([tokens.cache_hit if tokens else 0.0 for tokens in _tokens()])
        self.cached_part = np.array([tokens.cached_part if tokens else 0.0 for tokens in _tokens()])
        caches = [cell.model.caches if cell.model else "no" for cell in CELLS]
        self.reads_cache = np.array([kind != "no" for kind in caches])
        self.writes_cache = np.array([kind == "reads_and_writes" for kind in caches])
        self.reasoning = np.array([cell.model.reasoning if cell.model else 0.0 for cell in CELLS])
        self.ms_per_token = np.array([cell.model.ms_per_token if cell.model else 0.0 for cell in CELLS])
        self.complexity = np.array([_hundredths(cell.workload.complexity) for cell in CELLS])
        self.batchable = np.array([cell.workload.batchable for cell in CELLS])
        self.repeated = np.array([-1.0 if (part := cell.workload.repeated) is None else part for cell in CELLS])
        self.prompts = zipf_cdf(POPULAR)
        self.session_us = np.array(
            [cell.workload.session_minutes * 60_000_000 if cell.workload.session else 0 for cell in CELLS]
        )
        services = sorted({_service(cell) for cell in CELLS})
        self.service = np.array([services.index(_service(cell)) for cell in CELLS])
        self.versions = np.array([len(cell.workload.prompt_versions) for cell in CELLS])
        self.priority_tier = np.array(
            [
                cell.model is not None and cell.model.has_priority_tier and cell.workload.tier == "standard"
                for cell in CELLS
            ]
        )

    def chance(self, cell: int, fixed: Fixed) -> float:
        """The share of a cell's events that have the fixed properties anyway."""
        chance = 1.0
        if fixed.customer is not None:
            chance *= probability(self.customers, fixed.customer)
        if fixed.user is not None:
            chance *= probability(self.users, fixed.user)
        if fixed.environment is not None:
            chance *= CELLS[cell].workload.environments[fixed.environment]
        return chance

    def draw(self, rng: np.random.Generator, cell: Ints, time_us: Ints, fixed: Fixed) -> Columns:
        """All other columns for events of known cell and time. How much is drawn depends on their number only."""
        n = len(cell)
        normal_in, normal_out = rng.standard_normal(n), rng.standard_normal(n)
        customer = np.searchsorted(self.customers, rng.random(n), side="right")
        user = np.searchsorted(self.users, rng.random(n), side="right")
        environment = (rng.random(n)[:, None] >= self.environments[cell][:, :2]).sum(axis=1)
        customer = customer if fixed.customer is None else np.full(n, fixed.customer)
        user = user if fixed.user is None else np.full(n, fixed.user)
        environment = environment if fixed.environment is None else np.full(n, fixed.environment)

        amount_in = _rounded(np.exp(self.in_mu[cell] + self.in_sigma[cell] * normal_in), 1)
        amount_out = _rounded(np.exp(self.out_mu[cell] + self.out_sigma[cell] * normal_out), 1)
        amount_out[~self.has_output[cell]] = 0
        prefix = (amount_in * np.minimum(self.cached_part[cell] * (0.7 + 0.6 * rng.random(n)), 0.98)).astype(np.int64)
        prefix[~self.reads_cache[cell]] = 0
        hit = rng.random(n) < self.cache_hit[cell]
        cache_read = np.where(hit, prefix, 0)
        cache_write = np.where(~hit & self.writes_cache[cell], prefix, 0)
        reasoning = (amount_out * np.minimum(self.reasoning[cell] * (0.6 + 0.8 * rng.random(n)), 1.0)).astype(np.int64)

        jobs = _JOB_SECONDS[cell] > 0
        amount_in[jobs] = _JOB_SECONDS[cell][jobs]
        busy = np.clip(_JOB_UTILIZATION[cell] + 0.12 * normal_out, 0.0, 1.0)
        amount_out[jobs] = (amount_in * busy).astype(np.int64)[jobs]

        luck = rng.random(n)
        errors, cancelled = self.errors[cell], self.cancelled[cell]
        status = np.zeros(n, dtype=np.int64)
        status[luck < errors + cancelled] = CANCELLED
        status[luck < errors + cancelled * _UNKNOWN_USAGE] = CANCELLED_UNKNOWN
        status[luck < errors] = ERROR
        status[~self.is_tokens[cell]] = OK
        part = rng.random(n)
        cut = status == CANCELLED
        amount_out[cut] = (amount_out * part).astype(np.int64)[cut]
        reasoning = np.minimum(reasoning, amount_out)
        for column in (amount_in, amount_out, cache_read, cache_write, reasoning):
            column[status == ERROR] = 0  # refused or failed at the provider: nothing was used

        missing = np.full(n, NO_TAG, dtype=np.int64)
        untagged = rng.random(n) < self.missing_tag_share
        missing[untagged] = rng.integers(0, 4, n)[untagged]
        waited = np.exp(rng.standard_normal(n) * 0.3)
        from_own_cache = (rng.random(n) < self.own_cache[cell]) & (status == OK)
        retries, trace = rng.random(n) < 0.5, rng.integers(0, 2**63 - 1, n)
        complexity = np.clip(np.rint(self.complexity[cell] + 14 * rng.standard_normal(n)), 1, 100).astype(np.int64)
        complexity[self.complexity[cell] < 0] = NOT_SAID
        # What comes again is what a cache can answer; other prompts are as unique as their traces.
        popular = (rng.random(n) < self.repeated[cell]) | (from_own_cache & (self.repeated[cell] >= 0))
        rank = np.searchsorted(self.prompts, rng.random(n), side="right")
        prompt = np.where(popular, rank, trace | 2**62)
        prompt[self.repeated[cell] < 0] = NOT_SAID
        return Columns(
            time_us=time_us,
            cell=cell,
            customer=customer.astype(np.int64),
            user=user.astype(np.int64),
            environment=environment.astype(np.int64),
            amount_in=amount_in,
            amount_out=amount_out,
            cache_read=cache_read,
            cache_write=cache_write,
            reasoning=reasoning,
            status=status,
            from_own_cache=from_own_cache,
            latency_ms=np.round((180.0 + amount_out * self.ms_per_token[cell]) * waited, 1),
            missing_tag=missing,
            priority_tier=np.zeros(n, dtype=np.bool_),
            retries=retries,
            trace=trace,
            complexity=complexity,
            batchable=rng.random(n) < self.batchable[cell],
            prompt=prompt,
            session=self._sessions(cell, time_us, customer, user),
            version=np.where(self.versions[cell] > 0, rng.integers(0, np.maximum(self.versions[cell], 1)), NOT_SAID),
        )

    def _sessions(self, cell: Ints, time_us: Ints, customer: Ints, user: Ints) -> Ints:
        """Calls of one user of a service's feature are one session while they fall into the same stretch of time, which
        begins at another minute for every user. A number says which, so slices need to know nothing of each other."""
        length = self.session_us[cell]
        who = mixed((self.service[cell] * 1_000 + customer) * 1_000_003 + user)
        stretch = (time_us + who % np.maximum(length, 1)) // np.maximum(length, 1)
        return np.where(length > 0, mixed(who ^ mixed(stretch)), NOT_SAID)


def mixed(values: Ints) -> Ints:
    """63 bits each, that look random and are the same for the same value (the first steps of splitmix64)."""
    mixed = values.astype(np.uint64) * np.uint64(_MIX)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    return ((mixed ^ (mixed >> np.uint64(27))) >> np.uint64(1)).astype(np.int64)


def _service(cell: Cell) -> tuple[str, str]:
    return cell.workload.source, cell.workload.feature


def _hundredths(share: float | None) -> float:
    return float(NOT_SAID) if share is None else 100 * share


def _rounded(values: Floats, low: int) -> Ints:
    return np.clip(np.rint(values), low, _MAX_TOKENS).astype(np.int64)


def _tokens() -> list[Tokens | None]:
    return [cell.workload.tokens if cell.model is not None else None for cell in CELLS]


def _log_normals(cell: Cell) -> tuple[float, float, float, float]:
    tokens, usage = cell.workload.tokens, cell.workload.usage
    if tokens is not None:
        out = max(tokens.output_median, 1)
        return float(np.log(tokens.input_median)), tokens.input_sigma, float(np.log(out)), tokens.output_sigma
    if isinstance(usage, Metered):
        return float(np.log(usage.median_thousandths)), usage.sigma, 0.0, 0.0
    return 0.0, 0.0, 0.0, 0.0


def _job(cell: Cell) -> Job | None:
    return cell.workload.usage if isinstance(cell.workload.usage, Job) else None


_JOB_SECONDS: Final = np.array([job.count * job.minutes * 60 if (job := _job(cell)) else 0 for cell in CELLS])
_JOB_UTILIZATION: Final = np.array([job.utilization if (job := _job(cell)) else 0.0 for cell in CELLS])


def customer_index(name: str) -> int:
    return CUSTOMERS.index(name)
