"""The topics as declared in schemas/topics/*.yaml."""

from functools import cache
from typing import Any, Final

from stream_jobs.base.checkout import ROOT
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.yaml_files import load_yaml
from stream_jobs.runtime.kafka import TopicSpec

TOPICS_DIR: Final = ROOT / "schemas" / "topics"
USAGE_EVENTS: Final = "usage.events.v1"
USAGE_OUTCOMES: Final = "usage.outcomes.v1"
EVENT_TOPICS: Final = (USAGE_EVENTS, USAGE_OUTCOMES)
"""What services send. The topics below are between our own jobs and can be made anew from the store."""
COST_DELTAS: Final = "cost.deltas.v1"
BUDGET_STATE: Final = "budget.state.v1"
BUDGET_CONTROL: Final = "budget.control.v1"
ALERTS: Final = "alerts.v1"
EMBEDDED_PARTITIONS: Final = 1
"""One worker books them all, and a block costs the store the same however few rows it has: the same events in fewer,
larger blocks are visible sooner (`make bench`, latency: p99 at 2,000 events/s 0.9 s with one partition, 1.3 s with two,
2.2 s with four), at 0.9 times the highest rate of two."""


@cache
def _declared() -> dict[str, dict[str, Any]]:
    files = sorted(TOPICS_DIR.glob("*.yaml"))
    if not files:
        raise ConfigError(f"no topic files in {TOPICS_DIR}: is the checkout complete?")
    return {path.stem: load_yaml(path) for path in files}


def topic_specs(*, embedded: bool, durable: bool = False) -> list[TopicSpec]:
    """All topics to create. Embedded: few partitions, one replica, and, unless its broker is a `durable` one, none of
    the settings, which it would ignore."""
    specs = []
    for name, declared in _declared().items():
        config = {str(key): str(value) for key, value in declared.get("config", {}).items()}
        if embedded:
            config = config | {"min.insync.replicas": "1"} if durable else {}
            specs.append(TopicSpec(name, min(EMBEDDED_PARTITIONS, declared["partitions"]), 1, config))
        else:
            specs.append(TopicSpec(name, declared["partitions"], declared["replication"], config))
    return specs
