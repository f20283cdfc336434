"""The page infra/SECURED.md as written: a Kafka with TLS, passwords, certificates and exactly our ACLs, ClickHouse
behind TLS, and on them services, guards, workers and commands, each of which is refused what is not its own."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from spendstream import Guard, GuardConfig, ProducerConfig, UsageProducer
from spendstream.cli import main
from spendstream_schemas import OutcomeEvent, UsageEvent
from stream_jobs.base.environment import from_environment
from stream_jobs.base.errors import BrokerUnavailableError, ConfigError
from stream_jobs.embedded.probe import answers
from stream_jobs.embedded.workers import ANALYST, FORECASTER, PROCESSES, WATCHER, WORKER
from stream_jobs.runtime import kafka_access
from stream_jobs.runtime.kafka import ensure_topics, faust_credentials, librdkafka_config, topic_start
from stream_jobs.runtime.kafka_access import check_access
from stream_jobs.runtime.kafka_acls import load_acls
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.ports import free_port
from stream_jobs.runtime.topics import topic_specs
from stream_jobs.store.client import StoreClient
from tests.brokers import need_own_kafka
from tests.integration.pipeline import COMMAND, until, usage_event
from tests.secured_kafka import OTHER_PASSWORD, ROOT, SecuredKafka, secured_kafka
from tests.store_server import StoreProcess
from tests.tls import Authority, tls_in_front_of
from tests.unit.producers.guard.support import who

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ACLS = load_acls()
TIMEOUT_S = 60.0
REFUSED = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError._UNKNOWN_PARTITION,  # of a topic that one may not even describe
)
BUDGET = """
{id: t, name: Team T, amount: 4, period: month, scope: {team: t},
 policy: {steps: [{at_percent: 100, action: refuse}]}}
"""
OUTCOME = ROOT / "schemas" / "examples" / "usage.outcomes.v1" / "minimal.json"


@dataclass(frozen=True, slots=True)
class World:
    """Everything that runs, and how to be somebody in it."""

    kafka: SecuredKafka
    clickhouse: Mapping[str, str]
    store: StoreProcess

    def environment(self, name: str) -> dict[str, str]:
        """Of a program that may write to the store, as the Kafka user `name`."""
        ours = {key: value for key, value in os.environ.items() if not key.startswith("SPENDSTREAM_")}
        return {**ours, **self.clickhouse, **self.kafka.environment(name)}

    @contextlib.contextmanager
    def being(self, name: str) -> Iterator[KafkaSettings]:
        """This process's environment is that user's meanwhile."""
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment(name))
        try:
            yield from_environment(KafkaSettings)
        finally:
            os.environ.clear()
            os.environ.update(before)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with StoreClient(self.store.read_settings) as store:
            return store.rows(sql)

    def denied(self) -> list[str]:
        """What the broker has refused so far, as "user OPERATION on resource"."""
        log = (self.kafka.folder / "broker" / "kafka.log").read_text(encoding="utf-8")
        found = re.findall(r"Principal = (\S+) is Denied operation = (\w+) .*? on resource = (\S+) for", log)
        return [f"{user} {operation} on {resource}" for user, operation, resource in found]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    need_own_kafka()
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder / "clickhouse")
    store = StoreProcess.made(folder / "store")
    try:
        with (
            secured_kafka(folder / "administrator") as kafka,
            tls_in_front_of(store.port, authority.certificate("clickhouse", "DNS:localhost")) as port,
        ):
            clickhouse = {
                "SPENDSTREAM_CLICKHOUSE_URL": f"https://localhost:{port}",
                "SPENDSTREAM_CLICKHOUSE_USER": "spendstream",
                "SPENDSTREAM_CLICKHOUSE_PASSWORD_FILE": str(store.folder / "credentials"),
                "SPENDSTREAM_CLICKHOUSE_CA_FILE": str(authority.file),
            }
            world = World(kafka, clickhouse, store)
            with world.being("operator") as operator:
                ensure_topics(operator, topic_specs(embedded=True, durable=True))
            yield world
    finally:
        store.kill()


@contextlib.contextmanager
def worker(world: World, name: str, jobs: tuple[str, ...], folder: Path) -> Iterator[None]:
    """`spendstream worker` as that user, ready."""
    port = free_port()
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "worker", *jobs, "--health-port", str(port)],
            env=world.environment(name),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}/readyz"), TIMEOUT_S, name)
        assert process.poll() is None, log.read_text()
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def command(world: World, capfd: pytest.CaptureFixture[str]) -> Any:
    """`command(user, "budgets", "list")` gives exit code, stdout and stderr."""

    def run(name: str, *arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        with world.being(name):
            code = main(list(arguments))
        shown = capfd.readouterr()
        return code, shown.out, shown.err

    return run


def event(event_id: str, tokens: int = 1_000_000) -> dict[str, Any]:
    usage = {"kind": "tokens", "input_tokens": tokens, "output_tokens": 0}
    return usage_event(event_id, occurred_at=datetime.now(UTC).isoformat(), usage=usage)


def test_everybody_does_their_work_and_the_broker_refuses_nothing(world: World, command: Any, tmp_path: Path) -> None:
    """Services emit, workers book (one by certificate, with a passphrase on its key) and watch, guards are told, people
    set budgets, acknowledge, replay and check; and in the broker's log there is not one refusal."""
    before = len(world.denied())

    def ok(*arguments: str) -> str:
        code, out, err = command("operator", *arguments)
        assert code == 0, (arguments, out, err)
        return str(out)

    def reconciled() -> bool:
        code, out, err = command("operator", "reconcile", "--apply")
        assert code == 0 or "another reconciliation is under way" in err, (out, err)
        return bool(code == 0)

    with (
        worker(world, "booking-certificate", PROCESSES[WORKER], tmp_path),
        worker(world, "watching", (*PROCESSES[WATCHER], *PROCESSES[ANALYST], *PROCESSES[FORECASTER]), tmp_path),
    ):
        (tmp_path / "budget.yaml").write_text(BUDGET)
        ok("budgets", "set", str(tmp_path / "budget.yaml"))
        service = ProducerConfig.from_env(
            world.environment("service") | {"SPENDSTREAM_SOURCE": "checkout"}, spool_dir=None
        )
        with UsageProducer(service) as producer:
            assert producer.emit(UsageEvent.model_validate(event("e1")))
            assert producer.emit(OutcomeEvent.model_validate_json(OUTCOME.read_bytes()))
            assert producer.flush(TIMEOUT_S) == 0
            assert producer.stats().errors == {}
        until(lambda: world.rows("SELECT count() FROM ledger") == [(1,)], TIMEOUT_S, "the event is booked")
        until(lambda: world.rows("SELECT count() FROM outcomes") == [(1,)], TIMEOUT_S, "the outcome is booked")

        guard_config = GuardConfig.from_env(world.environment("guard") | {"SPENDSTREAM_SOURCE": "checkout"})
        with Guard(guard_config) as guard:
            assert guard.wait_ready(TIMEOUT_S)
            assert guard.decide(who(team="t")).action != "refuse"
            (tmp_path / "two.jsonl").write_text("".join(json.dumps(event(f"e{n}")) + "\n" for n in (2, 3)))
            assert "booked 2" in ok("emit", str(tmp_path / "two.jsonl"), "--wait")
            until(lambda: guard.decide(who(team="t")).action == "refuse", TIMEOUT_S, "the guard is told")
            assert guard.stats().errors == {}

        until(lambda: "budget" in ok("alerts", "list", "--json"), TIMEOUT_S, "an alert")
        alert_id = json.loads(ok("alerts", "list", "--json").splitlines()[0])["alert_id"]
        assert "is looked after by" in ok("alerts", "ack", alert_id)
        ok("budgets", "remove", "t")

        (tmp_path / "bad").write_text('{"event_id": "bad"}\n')
        assert "quarantined 1" in ok("emit", str(tmp_path / "bad"), "--raw", "--wait")
        assert "sent 1 again" in ok("quarantine", "replay", "--everything")
        until(reconciled, TIMEOUT_S, "the workers' own reconciliation is over")
        trace = {"timestamp": 1, "input_length": 10, "output_length": 2, "hash_ids": [1]}
        (tmp_path / "trace.jsonl").write_text(json.dumps(trace) + "\n")
        origin = ("--provider", "openai", "--model", "gpt-4o")
        ok("replay", str(tmp_path / "trace.jsonl"), "--format", "mooncake", *origin, "--wait")
        accounts = until(lambda: closing(command), TIMEOUT_S, "the accounts close")
        assert accounts["kafka_error"] is None
        assert (
            accounts["totals"]["received"] == 7
        )  # e1 to e3, the outcome, what was refused and sent again, the replayed
        ok("migrate", "--topics")
    assert world.denied()[before:] == []


def closing(command: Any) -> dict[str, Any] | None:
    """The accounts, once all is booked."""
    code, out, _ = command("operator", "conservation", "--json")
    accounts: dict[str, Any] = json.loads(out)
    return accounts if code == 0 and not accounts["totals"]["in_flight"] else None


def test_the_broker_grants_exactly_the_declaration(world: World) -> None:
    """Each role, asked for every topic and group, has what acls.yaml says, and is refused everything else."""
    resources = sorted({(right.kind, right.name) for right in ACLS.rights})
    for role in ACLS.roles:
        with world.being(role) as kafka:
            admin = AdminClient(librdkafka_config(kafka))
            for kind, name in resources:
                declared = {right.operation for right in ACLS.of(role) if (right.kind, right.name) == (kind, name)}
                if declared & {"Read", "Write"}:
                    declared.add("Describe")
                assert operations(admin, kind, name) == declared, (role, kind, name)


def operations(admin: AdminClient, kind: str, name: str) -> set[str]:
    """What the broker says that we may do; nothing where it refuses to say."""
    options: dict[str, Any] = {"include_authorized_operations": True, "request_timeout": TIMEOUT_S}
    try:
        if kind == "topic":
            found = admin.describe_topics(TopicCollection([name]), **options)[name].result()
        else:
            found = admin.describe_consumer_groups([name], **options)[name].result()
    except KafkaException as error:
        code = error.args[0].code()
        # Without Describe one may not even know that a topic is there; what only Create was granted for is one of them.
        assert code in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)
        return set()
    return {operation.name.capitalize() for operation in found.authorized_operations}


def test_what_is_not_ones_own_is_refused_when_it_is_tried(world: World) -> None:
    """Not only said: every role tries to write to and to read from every topic that it has no right to, to join a group
    of another, to make and to delete topics, and to give itself rights."""
    tried = 0
    for role in ACLS.roles:
        mine = {(right.operation, right.name) for right in ACLS.of(role)}
        with world.being(role) as kafka:
            config = librdkafka_config(kafka)
            for spec in topic_specs(embedded=False):
                if ("Write", spec.name) not in mine:
                    assert written(config, spec.name) == KafkaError.TOPIC_AUTHORIZATION_FAILED, (role, spec.name)
                    tried += 1
                if ("Read", spec.name) not in mine:
                    assert read(config, spec.name) in REFUSED, (role, spec.name)
                    assert denied_to(world, role, spec.name)
                    tried += 1
            if role != "booking":
                assert joined(config, "spendstream-metering", "usage.events.v1") in (
                    KafkaError.GROUP_AUTHORIZATION_FAILED,
                    KafkaError.TOPIC_AUTHORIZATION_FAILED,
                ), role
            admin = AdminClient(config)
            for future in (
                admin.create_topics([NewTopic("weather", 1, 1)])["weather"],
                admin.delete_topics(["usage.events.v1"])["usage.events.v1"],
            ):
                with pytest.raises(KafkaException) as caught:
                    future.result(TIMEOUT_S)
                assert caught.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, role
    assert tried == 2 * 6 * len(ACLS.roles) - len(
        [right for right in ACLS.rights if right.kind == "topic" and right.operation in ("Read", "Write")]
    )


def denied_to(world: World, role: str, topic: str) -> bool:
    """Whether the broker's log says that it refused this role the topic."""
    lines = {f"User:spendstream-{role} {operation} on Topic:LITERAL:{topic}" for operation in ("READ", "DESCRIBE")}
    return bool(lines & set(world.denied()))


def written(config: dict[str, Any], topic: str) -> int | None:
    """The code of the error with which one message failed; None when it was taken."""
    failed: list[KafkaError] = []
    producer = Producer({**config, "enable.idempotence": False, "message.timeout.ms": 20_000})
    producer.produce(topic, b"{}", on_delivery=lambda error, _: failed.append(error) if error else None)
    producer.flush(30)
    return failed[0].code() if failed else None


def read(config: dict[str, Any], topic: str) -> int | None:
    """The code of the error with which a fetch failed; None when there was none for a while."""
    consumer = Consumer({**config, "group.id": "spendstream-tools", "enable.auto.commit": False})
    try:
        # A topic that one may not even describe is one that an assigned consumer silently waits for.
        consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=20)
        consumer.assign([TopicPartition(topic, 0, 0)])
        while (message := consumer.poll(20)) is not None:
            error = message.error()
            if error is None or error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:  # the group is not the point
                return error.code() if error is not None else None
        return None
    except KafkaException as error:
        return int(error.args[0].code())
    finally:
        consumer.close()


def joined(config: dict[str, Any], group: str, topic: str) -> int | None:
    """The code of the error with which joining a group failed."""
    consumer = Consumer({**config, "group.id": group, "enable.auto.commit": False})
    try:
        consumer.subscribe([topic])
        message = consumer.poll(20)
        error = message.error() if message is not None else None
        return error.code() if error is not None else None
    finally:
        consumer.close()


def test_who_is_refused_is_told_which_right_is_missing(world: World, command: Any, tmp_path: Path) -> None:
    """Commands and workers, as the wrong user: one message that names user, right and role, no traceback; services and
    guards say it in their log."""
    (tmp_path / "budget.yaml").write_text(BUDGET)
    (tmp_path / "one.jsonl").write_text(json.dumps(event("never")) + "\n")
    cases = {
        ("service", "worker", "metering"): "lacks the right to Read group spendstream-metering, which the role booking",
        ("booking", "worker", "alerts"): "lacks the right to Read topic alerts.v1, which the role watching",
        (
            "booking",
            "budgets",
            "set",
            str(tmp_path / "budget.yaml"),
        ): "Write topic budget.control.v1, which the role op",
        ("guard", "emit", str(tmp_path / "one.jsonl")): "lacks the right to Describe topic usage.events.v1",
        ("watching", "emit", str(tmp_path / "one.jsonl"), "--raw", "--timeout", "10"): "Write topic usage.events.v1",
        ("guard", "conservation"): "lacks the right to Describe topic usage.events.v1",
        ("service", "conservation"): "lacks the right to",  # the log's group, or the topic: whichever is refused first
        ("booking", "migrate", "--topics"): "lacks the right to Create topic alerts.v1, which the role operator",
    }
    for (name, *arguments), told in cases.items():
        code, out, err = command(name, *arguments)
        said = " ".join((out + err).split())  # tables and paragraphs are broken into lines
        assert told in said, (arguments, said)
        assert f"User:spendstream-{name}" in said
        assert "infra/kafka/acls.sh grants it" in said
        assert code == (0 if arguments == ["conservation"] else 2), (arguments, said)

    guard_as_producer = ProducerConfig.from_env(
        world.environment("guard") | {"SPENDSTREAM_SOURCE": "checkout"}, spool_dir=None
    )
    with UsageProducer(guard_as_producer) as producer:
        assert producer.emit(UsageEvent.model_validate(event("never")))
        until(lambda: producer.stats().errors.get("topic_refused"), TIMEOUT_S, "the producer is refused")
        producer.close(timeout_s=0.1)
    service_as_guard = GuardConfig.from_env(world.environment("service") | {"SPENDSTREAM_SOURCE": "checkout"})
    with Guard(service_as_guard) as guard:
        until(lambda: guard.stats().errors.get("guard_feed"), TIMEOUT_S, "the guard is refused")
        assert not guard.ready


def test_logins_and_certificates_that_do_not_fit_are_told(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong password, an unknown user, an authority that is not the broker's, no authority: workers stop with what to
    look at. A broker that is away is something to wait for."""
    monkeypatch.setattr(kafka_access, "ADMIN_TIMEOUT_S", 3.0)
    (tmp_path / "wrong").write_text("wrong\n")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"sasl_password_file": tmp_path / "wrong"}, "Look at SPENDSTREAM_KAFKA_SASL_USERNAME"),
        ({"sasl_username": "nobody"}, "Look at SPENDSTREAM_KAFKA_SASL_USERNAME"),
        ({"ssl_ca_location": Authority(tmp_path, "other").file}, "Look at SPENDSTREAM_KAFKA_SSL_CA_LOCATION"),
        ({"ssl_ca_location": None}, "Look at SPENDSTREAM_KAFKA_SSL_CA_LOCATION"),
        ({"bootstrap_servers": f"127.0.0.2:{world.kafka.port}"}, "cannot ask Kafka"),
    ]
    for changes, told in cases:
        with world.being("booking"):
            wrong = from_environment(KafkaSettings, **changes)
            with pytest.raises((ConfigError, BrokerUnavailableError), match=told):
                check_access(wrong, PROCESSES[WORKER])


def seen_by_aiokafka(kafka: KafkaSettings) -> set[str]:
    """The topics that aiokafka is told of, with the credentials that Faust is given."""

    async def ask() -> set[str]:
        credentials = credentials_to_aiokafka_auth(faust_credentials(kafka))
        client = AIOKafkaClient(bootstrap_servers=kafka.bootstrap_servers, **credentials)
        try:
            await client.bootstrap()
            return set((await client.fetch_all_metadata()).topics())
        finally:
            await client.close()

    return asyncio.run(ask())


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "certificate"])
def test_both_clients_can_log_in(world: World, mechanism: str) -> None:
    """librdkafka and aiokafka, with every mechanism that the settings offer, and with a certificate whose key has a
    passphrase; both then see what booking may see, and nothing else."""
    with world.being("booking-certificate" if mechanism == "certificate" else "booking") as kafka:
        if mechanism in ("PLAIN", "SCRAM-SHA-256"):
            other = {"sasl_mechanism": mechanism, "sasl_password": OTHER_PASSWORD, "sasl_password_file": None}
            kafka = from_environment(KafkaSettings, bootstrap_servers=world.kafka.other_address, **other)  # noqa: PLW2901
    mine = {right.name for right in ACLS.of("booking") if right.kind == "topic"}
    assert topic_start(kafka, "usage.events.v1").topic_id
    assert set(AdminClient(librdkafka_config(kafka)).list_topics(timeout=TIMEOUT_S).topics) == mine
    assert seen_by_aiokafka(kafka) == mine
