"""The brokers that an embedded instance may run, and what the supervisor expects of each."""

from pathlib import Path
from typing import Final, Protocol

from stream_jobs.base.errors import ConfigError

TANSU: Final = "tansu"
KAFKA: Final = "kafka"
BROKERS: Final = (TANSU, KAFKA)


class Broker(Protocol):
    """A broker process on loopback that speaks the Kafka protocol without encryption."""

    @property
    def name(self) -> str: ...  # for people

    @property
    def durable(self) -> bool: ...  # whether topics, records and offsets are there again after a stop or a death

    @property
    def port(self) -> int: ...  # where it listens; clients may be told another one

    @property
    def address(self) -> str: ...

    @property
    def pid(self) -> int | None: ...

    def start(self) -> None:
        """Returns when it answers. Raises BrokerUnavailableError with the end of its log, or ConfigError."""

    def stop(self) -> None:
        """Safe to call twice."""

    def running(self) -> bool: ...

    def answers(self, timeout_s: float = 1.0) -> bool:
        """Whether a Kafka client gets metadata from it."""


def make_broker(kind: str, folder: Path, port: int, advertised_port: int) -> Broker:
    """A broker of one of BROKERS, not started, on `port` and with its data and log in `folder`.

    Raises ConfigError when the folder holds what this kind of broker would not serve.
    """
    from stream_jobs.embedded.broker import TansuBroker
    from stream_jobs.embedded.kafka.cluster import has_data, single_broker

    if kind == KAFKA:
        return single_broker(folder, port=port, advertised_port=advertised_port)
    if has_data(folder):
        raise ConfigError(
            f"{folder} holds the records of a Kafka broker, which may not be booked yet: start with --broker kafka, "
            "or choose another --data-dir"
        )
    return TansuBroker(port, folder, advertised_port=advertised_port)
