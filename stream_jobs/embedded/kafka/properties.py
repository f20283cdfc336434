"""A broker's server.properties: what infra/kafka/server.properties says for all, and what is this broker's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stream_jobs.embedded.kafka.jars import INFRA
from stream_jobs.runtime.ports import LOOPBACK, free_port


@dataclass(frozen=True, slots=True)
class Node:
    """One broker, which is a controller too. Three loopback ports: for clients, for other brokers, for controllers."""

    node_id: int
    client_port: int
    replication_port: int
    controller_port: int


def new_node(node_id: int, client_port: int | None = None) -> Node:
    """A node on free ports that stay its own while it is down."""
    return Node(node_id, client_port or free_port(), free_port(), free_port())


def server_properties(
    node: Node,
    nodes: Sequence[Node],
    *,
    advertised_port: int | None = None,
    overrides: Mapping[str, str] | None = None,
) -> str:
    """The file's text. `nodes` are all of the cluster; `advertised_port` is what clients are told to use."""
    replicas = min(3, len(nodes))
    own = {
        "node.id": str(node.node_id),
        "controller.quorum.voters": ",".join(f"{each.node_id}@{LOOPBACK}:{each.controller_port}" for each in nodes),
        "listeners": f"CLIENT://{LOOPBACK}:{node.client_port},REPLICATION://{LOOPBACK}:{node.replication_port},"
        f"CONTROLLER://{LOOPBACK}:{node.controller_port}",
        "advertised.listeners": f"CLIENT://{LOOPBACK}:{advertised_port or node.client_port},"
        f"REPLICATION://{LOOPBACK}:{node.replication_port}",
        "default.replication.factor": str(replicas),
        "min.insync.replicas": str(max(1, replicas - 1)),
        "offsets.topic.replication.factor": str(replicas),
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": str(max(1, replicas - 1)),
        "share.coordinator.state.topic.replication.factor": str(replicas),
        "share.coordinator.state.topic.min.isr": str(max(1, replicas - 1)),
    }
    lines = [f"{key}={value}" for key, value in (own | dict(overrides or {})).items()]
    return "\n".join([(INFRA / "server.properties").read_text(encoding="utf-8"), *lines, ""])
