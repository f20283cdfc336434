"""The simulated company: its services, whom they work for, and what they use. All model ids are real ones."""

from dataclasses import dataclass
from typing import Final, Literal

ENVIRONMENTS: Final = ("production", "staging", "development")
TIER_CHANGE_TO: Final = "priority"


@dataclass(frozen=True, slots=True)
class Model:
    """A model as a service asks for it and as the provider says it served."""

    provider: str
    model: str
    served: str | None = None
    caches: Literal["no", "reads", "reads_and_writes"] = "reads"  # what its usage reports about the prompt cache
    reasoning: float = 0.0  # mean share of the output
    ms_per_token: float = 12.0
    has_priority_tier: bool = False


GPT_4O: Final = Model("openai", "gpt-4o", "gpt-4o-2024-08-06", has_priority_tier=True)
GPT_4O_MINI: Final = Model("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", ms_per_token=8, has_priority_tier=True)
GPT_41: Final = Model("openai", "gpt-4.1", "gpt-4.1-2025-04-14", has_priority_tier=True)
GPT_41_MINI: Final = Model("openai", "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", ms_per_token=8, has_priority_tier=True)
GPT_5_MINI: Final = Model("openai", "gpt-5-mini", "gpt-5-mini-2025-08-07", reasoning=0.55, has_priority_tier=True)
O4_MINI: Final = Model("openai", "o4-mini", "o4-mini-2025-04-16", reasoning=0.7, has_priority_tier=True)
EMBEDDING: Final = Model("openai", "text-embedding-3-small", caches="no")
SONNET: Final = Model(
    "anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", caches="reads_and_writes", ms_per_token=15
)
HAIKU: Final = Model("anthropic", "claude-haiku-4-5", "claude-haiku-4-5-20251001", caches="reads_and_writes")
OPUS: Final = Model(
    "anthropic", "claude-opus-4-5", "claude-opus-4-5-20251101", caches="reads_and_writes", ms_per_token=22
)
FLASH: Final = Model("google", "gemini-2.5-flash", "gemini-2.5-flash", reasoning=0.3, ms_per_token=5)
PRO: Final = Model("google", "gemini-2.5-pro", "gemini-2.5-pro", reasoning=0.5)
NOVA_PRO: Final = Model("aws", "amazon.nova-pro-v1:0")
NOVA_LITE: Final = Model("aws", "amazon.nova-lite-v1:0", ms_per_token=7)
MISTRAL_LARGE: Final = Model("mistral", "mistral-large-2512", "mistral-large-2512", caches="no")
MISTRAL_SMALL: Final = Model("mistral", "mistral-small-2603", "mistral-small-2603", caches="no", ms_per_token=7)
LLAMA: Final = Model("vllm", "meta-llama/Llama-3.3-70B-Instruct", ms_per_token=18)  # on the company's own pool


@dataclass(frozen=True, slots=True)
class Tokens:
    """Log-normal token counts: medians and sigmas. Some hold a stable prefix that a prompt cache can serve."""

    input_median: int
    input_sigma: float
    output_median: int
    output_sigma: float
    cache_hit: float = 0.0  # share of the calls whose prefix is in the cache
    cached_part: float = 0.0  # the prefix's mean share of the prompt


@dataclass(frozen=True, slots=True)
class Job:
    """A report about accelerators that were held for some minutes."""

    provider: str
    accelerator: str
    count: int
    instance_type: str
    purchase_option: Literal["on_demand", "reserved", "spot", "committed"]
    minutes: int
    utilization: float  # mean share of the held time that did work
    pool: str = ""  # a label: which machines of the company's they are


@dataclass(frozen=True, slots=True)
class Metered:
    """A report about anything else with a SKU; the quantity is log-normal, in thousandths of `unit`."""

    provider: str
    sku: str
    unit: str
    median_thousandths: int
    sigma: float


@dataclass(frozen=True, slots=True)
class Value:
    """What some of a feature's calls bring: an outcome, worth a log-normal number of cents."""

    outcome: str
    share: float  # of the calls that went well
    median_cents: int
    sigma: float = 0.5


@dataclass(frozen=True, slots=True)
class Workload:
    """One feature of one service. `share` is relative to the other workloads (events, not money)."""

    source: str
    project: str
    team: str
    feature: str
    cost_center: str
    owner: str
    share: float
    season: Literal["business", "consumer", "nightly", "flat"]
    workload_type: str = "inference"
    operation: str = "chat"
    models: tuple[tuple[Model, float], ...] = ()  # with weights
    tokens: Tokens | None = None
    usage: Job | Metered | None = None  # in place of models and tokens
    tier: str = "standard"
    environments: tuple[float, float, float] = (0.92, 0.05, 0.03)  # as ENVIRONMENTS
    errors: float = 0.015
    cancelled: float = 0.01
    own_cache: float = 0.0  # share of calls answered from the service's own cache
    has_customers: bool = True
    region: str = "us-east-1"
    other_region: str = ""  # where every third customer is served
    complexity: float | None = None  # mean of what the service says of its tasks; None: it says nothing
    batchable: float = 0.0  # share of the calls that could have waited
    repeated: float | None = None  # share of the prompts that come again and again; None: no fingerprints are sent
    session: Literal["", "conversation", "run"] = ""  # what calls of a user within `session_minutes` are
    session_minutes: int = 30
    prompt_versions: tuple[str, ...] = ()  # of the feature's prompt, tried side by side: a label
    value: Value | None = None
    untagged: tuple[str, ...] = ()  # attribution this service never sends


WORKLOADS: Final = (
    Workload(
        "support-bot", "helpdesk", "support", "answer", "cc-210", "amina", 26, "business",
        models=((GPT_4O, 3), (GPT_4O_MINI, 6), (HAIKU, 1)),
        tokens=Tokens(1500, 0.7, 220, 0.6, cache_hit=0.62, cached_part=0.55), own_cache=0.06,
        complexity=0.3, repeated=0.3, session="conversation", prompt_versions=("a", "b"),
        value=Value("ticket_resolved", 0.25, 450),
    ),
    Workload(
        "support-app", "helpdesk", "support", "answer", "cc-210", "amina", 5, "consumer",
        models=((GPT_4O_MINI, 1),), tokens=Tokens(900, 0.6, 160, 0.6, cache_hit=0.62, cached_part=0.55), own_cache=0.06,
        complexity=0.25, repeated=0.35, session="conversation", prompt_versions=("a", "b"),
        value=Value("ticket_resolved", 0.2, 450), region="eu-west-1",
    ),
    Workload(
        "support-bot", "helpdesk", "support", "triage", "cc-210", "amina", 12, "business",
        models=((GPT_4O_MINI, 4), (MISTRAL_SMALL, 1)), tokens=Tokens(600, 0.5, 30, 0.4),
        complexity=0.12, batchable=0.15, repeated=0.45,
    ),
    Workload(
        "search-api", "search", "discovery", "rag-answer", "cc-310", "jonas", 18, "consumer",
        models=((SONNET, 3), (FLASH, 5), (NOVA_PRO, 1)),
        tokens=Tokens(5200, 0.6, 340, 0.7, cache_hit=0.7, cached_part=0.65), own_cache=0.1, other_region="eu-west-1",
        complexity=0.45, repeated=0.4, session="conversation", session_minutes=20,
        value=Value("search_converted", 0.08, 900),
    ),
    Workload(
        "search-api", "search", "discovery", "embed", "cc-310", "jonas", 14, "consumer", operation="embeddings",
        models=((EMBEDDING, 1),), tokens=Tokens(350, 0.8, 0, 0.0),
        batchable=0.6, repeated=0.2,
    ),
    Workload(
        "code-assistant", "devtools", "platform", "complete", "cc-120", "mei", 11, "business",
        models=((SONNET, 4), (GPT_41, 2), (OPUS, 1)),
        tokens=Tokens(7000, 0.9, 420, 0.9, cache_hit=0.8, cached_part=0.8),
        environments=(0.7, 0.1, 0.2), has_customers=False,
        complexity=0.6, session="conversation", session_minutes=60,
    ),
    Workload(
        "agent-runner", "automation", "agents", "plan", "cc-440", "noor", 7, "business", operation="responses",
        models=((GPT_5_MINI, 4), (O4_MINI, 2), (PRO, 2), (OPUS, 1)),
        tokens=Tokens(9000, 0.8, 1500, 0.8, cache_hit=0.55, cached_part=0.6), errors=0.03, cancelled=0.03,
        complexity=0.8, repeated=0.03, session="run", session_minutes=5, value=Value("task_completed", 0.12, 1200),
    ),
    Workload(
        "doc-summarizer", "documents", "content", "nightly-summaries", "cc-330", "pavel", 8, "nightly",
        models=((GPT_41_MINI, 2), (HAIKU, 1)), tokens=Tokens(11000, 0.5, 600, 0.3),
        workload_type="batch", tier="batch", complexity=0.35, repeated=0.05,
        value=Value("document_processed", 0.9, 40),
    ),
    Workload(
        "translator", "documents", "content", "translate", "cc-330", "pavel", 6, "flat",
        models=((MISTRAL_LARGE, 2), (FLASH, 3), (NOVA_LITE, 2)), tokens=Tokens(900, 0.6, 950, 0.6), region="eu-west-1",
        complexity=0.3, batchable=0.4, repeated=0.15, prompt_versions=("3", "4"),
    ),
    Workload(
        "llm-gateway", "documents", "content", "classify", "cc-330", "pavel", 4, "business",
        models=((LLAMA, 1),), tokens=Tokens(1200, 0.5, 25, 0.4), complexity=0.15, batchable=0.5, repeated=0.25,
    ),
    Workload(
        "ml-lab", "research", "ml", "evaluation", "cc-900", "sofia", 3, "flat",
        models=((GPT_4O, 1), (SONNET, 1), (PRO, 1), (MISTRAL_LARGE, 1)),
        tokens=Tokens(2500, 1.0, 700, 0.9), batchable=0.8, repeated=0.5,
        workload_type="evaluation", environments=(0.0, 0.1, 0.9), has_customers=False,
        untagged=("cost_center", "owner"),
    ),
    Workload(
        "gpu-scheduler", "research", "ml", "fine-tuning", "cc-900", "sofia", 0.02, "flat", operation="job",
        usage=Job("aws", "H100", 8, "p5.48xlarge", "on_demand", 10, 0.71),
        workload_type="fine_tuning", environments=(0.0, 0.0, 1.0), has_customers=False,
    ),
    Workload(
        "gpu-scheduler", "search", "discovery", "reranker", "cc-310", "jonas", 0.2, "flat", operation="job",
        usage=Job("aws", "A10G", 1, "g5.2xlarge", "spot", 10, 0.44), has_customers=False,
    ),
    Workload(
        "gpu-scheduler", "documents", "content", "llm-pool", "cc-330", "pavel", 0.02, "flat", operation="job",
        usage=Job("aws", "H100", 8, "p5.48xlarge", "committed", 10, 0.38, pool="gpu-pool-a"), has_customers=False,
    ),
    Workload(
        "gpu-scheduler", "search", "discovery", "reranker-base", "cc-310", "jonas", 0.05, "flat", operation="job",
        usage=Job("aws", "A10G", 1, "g5.2xlarge", "reserved", 10, 0.22, pool="gpu-pool-b"), has_customers=False,
    ),
    Workload(
        "storage-meter", "search", "discovery", "vector-index", "cc-310", "jonas", 0.7, "flat", operation="storage",
        usage=Metered("aws", "s3-standard-storage", "GB-month", 650, 0.4), has_customers=False,
    ),
    Workload(
        "egress-meter", "platform", "platform", "egress", "cc-120", "mei", 0.2, "consumer", operation="network",
        usage=Metered("aws", "egress-internet", "GB", 1800, 0.8), has_customers=False,
    ),
)  # fmt: skip

CUSTOMERS: Final = (
    "acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "wonka", "tyrell", "cyberdyne", "soylent",
    "vandelay", "dunder", "pied-piper", "massive", "oscorp",
)  # fmt: skip
"""Tenants, the largest first."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A workload with one of its models: the unit whose traffic is drawn. `share` sums to 1 over all cells."""

    workload: Workload
    model: Model | None
    share: float

    @property
    def provider(self) -> str:
        if self.model is not None:
            return self.model.provider
        assert self.workload.usage is not None
        return self.workload.usage.provider


def _cells() -> tuple[Cell, ...]:
    total = sum(workload.share for workload in WORKLOADS)
    cells = []
    for workload in WORKLOADS:
        weights = sum(weight for _, weight in workload.models)
        if not workload.models:
            cells.append(Cell(workload, None, workload.share / total))
        for model, weight in workload.models:
            cells.append(Cell(workload, model, workload.share / total * weight / weights))
    return tuple(cells)


CELLS: Final = _cells()
