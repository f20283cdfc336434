"""The built-in rule that puts a cost into one of three categories. `categories` in attribution.yaml goes before it.

1. development: the work is training, fine-tuning, evaluation or an experiment (by `workload_type`, or by the operation
   of the call), or it ran in a development environment.
2. inference: tokens, GPU time, and calls of an API that are billed per call.
3. infrastructure: everything else: instances without a GPU, storage, network, supporting services.

Case and the characters ``-``, ``_``, space and ``.`` make no difference in the values compared.
"""

from typing import Final

from stream_jobs.attribution.document import Category

DEVELOPMENT_WORKLOADS: Final = frozenset(
    {
        "training",
        "pretraining",
        "finetuning",
        "evaluation",
        "eval",
        "experiment",
        "experimentation",
        "experiments",
        "development",
        "dev",
        "research",
        "notebook",
        "benchmark",
        "distillation",
    }
)
DEVELOPMENT_OPERATIONS: Final = frozenset(
    {"training", "pretraining", "finetuning", "finetune", "trainingjob", "finetuningjob"}
)
DEVELOPMENT_ENVIRONMENTS: Final = frozenset(
    {"development", "dev", "local", "sandbox", "playground", "experiment", "experiments"}
)
CALL_UNITS: Final = frozenset(
    {"call", "calls", "request", "requests", "apicall", "apicalls", "token", "tokens", "gpusecond", "gpuseconds"}
)

_FOLD: Final = str.maketrans("", "", "-_ .")


def default_category(
    kind: str, environment: str, workload_type: str, operation: str, accelerator: str, unit: str
) -> Category:
    """The category by the rule above. Empty strings stand for what the event does not say."""
    if (
        _folded(workload_type) in DEVELOPMENT_WORKLOADS
        or _folded(operation) in DEVELOPMENT_OPERATIONS
        or _folded(environment) in DEVELOPMENT_ENVIRONMENTS
    ):
        return "development"
    if kind == "tokens" or (kind == "compute" and accelerator) or (kind == "metered" and _folded(unit) in CALL_UNITS):
        return "inference"
    return "infrastructure"


def rule_values() -> dict[str, list[str]]:
    """What the rule compares with: part of the version of the attribution rules."""
    return {
        "development_workloads": sorted(DEVELOPMENT_WORKLOADS),
        "development_operations": sorted(DEVELOPMENT_OPERATIONS),
        "development_environments": sorted(DEVELOPMENT_ENVIRONMENTS),
        "call_units": sorted(CALL_UNITS),
    }


def _folded(value: str) -> str:
    return value.translate(_FOLD).lower()
