"""One Kafka broker or several that form a cluster, in one folder."""

import base64
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from stream_jobs.embedded.kafka.broker import DATA, DEFAULT_HEAP_MB, SHORT_LIVED, START_TIMEOUT_S, KafkaBroker
from stream_jobs.embedded.kafka.properties import new_node

STOP_TIMEOUT_S: Final = 6.0


def cluster_id(folder: Path) -> str:
    """The identity of the cluster that lives in the folder, made up at its first start."""
    path = folder / "cluster.id"
    if not path.exists():
        # Kafka's form: 16 bytes in URL-safe base64. The first one is fixed: an id may not look like an option (-...).
        made = base64.urlsafe_b64encode(b"s" + secrets.token_bytes(15)).decode().rstrip("=")
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(made + "\n", encoding="utf-8")
        temporary.replace(path)
    return path.read_text(encoding="utf-8").strip()


def has_data(folder: Path) -> bool:
    """Whether a single broker has its records in the folder."""
    return (folder / DATA / "meta.properties").exists()


def single_broker(
    folder: Path,
    *,
    port: int | None = None,
    advertised_port: int | None = None,
    heap_mb: int = DEFAULT_HEAP_MB,
    jvm_options: Sequence[str] = (),
    overrides: Mapping[str, str] | None = None,
    format_options: Sequence[str] = (),
    client_config: Mapping[str, str] | None = None,
) -> KafkaBroker:
    """A cluster of one on free ports (`port`: that of clients), its data in the folder."""
    return KafkaBroker(
        new_node(1, port),
        folder,
        cluster_id=cluster_id(folder),
        advertised_port=advertised_port,
        heap_mb=heap_mb,
        jvm_options=jvm_options,
        overrides=overrides,
        format_options=format_options,
        client_config=client_config,
    )


class KafkaCluster:
    """Brokers 1 to N on free ports, each in `<folder>/broker-<id>`; `brokers[0]` is number 1.

    Data is kept: another KafkaCluster on the folder goes on with it. Start it in a thread that outlives it: brokers die
    with the thread that started them. Topics get three replicas (as many as there are brokers) and survive the loss of
    one broker of three.
    """

    def __init__(
        self,
        folder: Path,
        brokers: int = 1,
        *,
        heap_mb: int = 256,
        jvm_options: Sequence[str] = SHORT_LIVED,
        overrides: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        nodes = [new_node(number + 1) for number in range(brokers)]
        identity = cluster_id(folder)
        self.brokers = [
            KafkaBroker(
                node,
                folder / f"broker-{node.node_id}",
                cluster_id=identity,
                nodes=nodes,
                heap_mb=heap_mb,
                jvm_options=jvm_options,
                overrides=overrides,
            )
            for node in nodes
        ]

    @property
    def address(self) -> str:
        """The bootstrap servers."""
        return ",".join(broker.address for broker in self.brokers)

    def start(self) -> None:
        """Start those that do not run, and wait for all. Raises as KafkaBroker.start; then none is left running."""
        try:
            for broker in self.brokers:
                if not broker.running():
                    broker.launch()
            deadline = time.monotonic() + START_TIMEOUT_S
            for broker in self.brokers:
                broker.wait_ready(max(1.0, deadline - time.monotonic()))
        except BaseException:
            self.kill()
            raise

    def answers(self) -> bool:
        """Whether every broker serves clients."""
        return all(broker.answers() for broker in self.brokers)

    def stop(self) -> None:
        """An orderly stop of all at once. Safe to call twice.

        The last one may find no quorum left to say goodbye to and is then killed, which loses nothing.
        """
        for broker in self.brokers:
            broker.ask_to_stop()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for broker in self.brokers:
            broker.wait_stopped(max(0.1, deadline - time.monotonic()))

    def kill(self) -> None:
        """kill -9 of all. Safe to call twice."""
        for broker in self.brokers:
            broker.kill()

    def restart(self) -> None:
        """An orderly stop and a start of all, on the same data and ports."""
        self.stop()
        self.start()

    def __enter__(self) -> "KafkaCluster":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
