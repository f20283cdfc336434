"""Sends what the jobs find to `alerts.v1`, from where the alerts job makes alerts of it."""

from collections.abc import Iterable

from spendstream_schemas.alert_feed import AlertSignal, alert_record_key
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.record_producer import DELIVERY_TIMEOUT_S, RecordProducer
from stream_jobs.runtime.topics import ALERTS


class SignalPublisher:
    """Threads may share it."""

    def __init__(self, kafka: KafkaSettings, *, delivery_timeout_s: float = DELIVERY_TIMEOUT_S) -> None:
        self._producer = RecordProducer(kafka, timeout_s=delivery_timeout_s)

    def publish(self, signals: Iterable[AlertSignal]) -> None:
        """Returns when the broker has all of them, each under its alert_id.

        Raises BrokerUnavailableError when it does not have them in time; some may have arrived. May be repeated.
        """
        self._producer.send(
            ALERTS, ((alert_record_key(one).encode(), one.model_dump_json().encode()) for one in signals)
        )

    def close(self) -> None:
        """What is under way is given up."""
        self._producer.close()
