"""The topics to create."""

from stream_jobs.runtime.topics import EMBEDDED_PARTITIONS, EVENT_TOPICS, TOPICS_DIR, topic_specs


def test_every_declared_topic_is_created_and_the_event_topics_are_declared() -> None:
    """One file per topic, named like it, in both modes."""
    names = {path.stem for path in TOPICS_DIR.glob("*.yaml")}
    for embedded in (True, False):
        assert {spec.name for spec in topic_specs(embedded=embedded)} == names
    assert set(EVENT_TOPICS) <= names


def test_embedded_topics_are_small_and_plain() -> None:
    """One replica, few partitions, and no settings that the embedded broker would ignore."""
    for spec in topic_specs(embedded=True):
        assert spec.replication == 1
        assert 1 <= spec.partitions <= EMBEDDED_PARTITIONS
        assert spec.config == {}


def test_cluster_topics_are_as_declared() -> None:
    """Replicated, with their settings as the text Kafka wants."""
    for spec in topic_specs(embedded=False):
        assert spec.replication == 3
        assert all(isinstance(value, str) for value in spec.config.values())
        assert "cleanup.policy" in spec.config


def test_a_durable_embedded_broker_keeps_the_declared_settings() -> None:
    """Retention and sizes as in a cluster; one replica is all there is to wait for."""
    cluster = {spec.name: spec.config for spec in topic_specs(embedded=False)}
    for spec in topic_specs(embedded=True, durable=True):
        assert spec.replication == 1
        assert spec.partitions <= EMBEDDED_PARTITIONS
        assert spec.config == {**cluster[spec.name], "min.insync.replicas": "1"}
