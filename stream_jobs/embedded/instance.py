"""Finding the embedded instances that run on this machine.

An instance describes itself in `<data-dir>/instance.json` and leaves a pointer to it in a small per-user registry, so
that `spendstream replay --bootstrap HOST:PORT` or `spendstream query` find the rest by one address or by none.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from stream_jobs.base.environment import from_environment
from stream_jobs.base.errors import ConfigError
from stream_jobs.embedded.datadir import DATA_DIR_VARIABLE, has_layout, said_data_dir, usual_data_dir
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.ports import LOOPBACK
from stream_jobs.runtime.processes import ProcessId
from stream_jobs.runtime.user_folder import user_folder
from stream_jobs.store.embedded.access import WRITE_USER
from stream_jobs.store.settings import ClickHouseSettings

INSTANCE_FILE = "instance.json"


@dataclass(frozen=True, slots=True)
class Instance:
    """A running `spendstream up`. Addresses are what clients connect to."""

    pid: int
    data_dir: str
    kafka: str  # host:port
    clickhouse_http: str  # URL
    http: str  # URL of /healthz, /readyz, /metrics
    credentials: str  # file with the store's writing user
    started_at: str  # ISO 8601, UTC
    config_dir: str  # what its workers read
    began: int = 0  # of the process, see ProcessId; 0: not known

    def alive(self) -> bool:
        if self.began:
            return ProcessId(self.pid, self.began).runs()  # else the number belongs to another process by now
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return ProcessId.of(self.pid) is not None  # a zombie answers, too


def register(instance: Instance) -> None:
    """Publish a running instance. Readers see the whole file or none."""
    path = Path(instance.data_dir) / INSTANCE_FILE
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(instance), indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)
    (user_folder() / f"{instance.pid}").write_text(str(Path(instance.data_dir).resolve()), encoding="utf-8")


def unregister(instance: Instance) -> None:
    """Safe to call twice."""
    (Path(instance.data_dir) / INSTANCE_FILE).unlink(missing_ok=True)
    (user_folder() / f"{instance.pid}").unlink(missing_ok=True)


def read_instance(data_dir: Path) -> Instance | None:
    """The instance that runs on this data folder; None if none does (a file left by a crash does not count)."""
    try:
        instance = Instance(**json.loads((data_dir / INSTANCE_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return instance if instance.alive() else None


def running_instances() -> Iterator[Instance]:
    """All live instances of this user; pointers of dead ones are cleaned up."""
    for pointer in sorted(user_folder().iterdir()):
        with contextlib.suppress(OSError):
            instance = read_instance(Path(pointer.read_text(encoding="utf-8")))
            if instance is not None and str(instance.pid) == pointer.name:
                yield instance
            else:
                pointer.unlink(missing_ok=True)


def find_instance(
    data_dir: Path | None = None, bootstrap: str | None = None, named_by: str = "--data-dir"
) -> Instance | None:
    """By data folder, by Kafka address, by SPENDSTREAM_DATA_DIR, or the only one that runs.

    Of several it is the one on the current folder's own data folder, where `spendstream up` would have put it. Raises
    ConfigError when several run and nothing says which, or when the current folder has one that does not run and others
    do; returns None when none fits. `named_by`: the flag with which the command is told.
    """
    if data_dir is None and bootstrap is None:
        data_dir = said_data_dir()
    if data_dir is not None:
        return read_instance(data_dir)
    candidates = list(running_instances())
    if bootstrap is not None:
        wanted = {_normal_address(address) for address in bootstrap.split(",")}
        candidates = [instance for instance in candidates if _normal_address(instance.kafka) in wanted]
    if len(candidates) > 1 and (here := read_instance(usual_data_dir())) is not None and here in candidates:
        return here
    folders = ", ".join(f"{instance.data_dir} (Kafka {instance.kafka})" for instance in candidates)
    if candidates and bootstrap is None and here_and_stopped():
        raise ConfigError(
            f"the spendstream of this folder ({usual_data_dir()}) does not run, and others do; start it with "
            f"'spendstream up', or say which one with {named_by} or {DATA_DIR_VARIABLE}: {folders}"
        )
    if len(candidates) > 1:
        raise ConfigError(f"several instances run; say which one with {named_by} or {DATA_DIR_VARIABLE}: {folders}")
    return candidates[0] if candidates else None


def here_and_stopped() -> bool:
    """Whether the current folder has an instance of its own that does not run."""
    return has_layout(usual_data_dir()) and read_instance(usual_data_dir()) is None


def _normal_address(address: str) -> str:
    host, _, port = address.strip().rpartition(":")
    return f"{LOOPBACK if host in ('localhost', '[::1]', '0.0.0.0') else host}:{port}"  # noqa: S104 - compared only


def embedded_clickhouse(instance: Instance, *, writable: bool) -> ClickHouseSettings:
    """The store of an embedded instance, as a reader or as the user that may write."""
    if not writable:
        return from_environment(ClickHouseSettings, url=instance.clickhouse_http)
    return from_environment(
        ClickHouseSettings, url=instance.clickhouse_http, user=WRITE_USER, password_file=Path(instance.credentials)
    )


def find_clickhouse(
    url: str | None = None, data_dir: Path | None = None, bootstrap: str | None = None, *, writable: bool = False
) -> ClickHouseSettings:
    """Where ClickHouse answers: the given URL, the data folder's instance, the environment, or the one that runs.

    With `writable` an embedded instance is opened as its writing user. Raises ConfigError that says how to name one.
    """
    if url is not None:
        return from_environment(ClickHouseSettings, url=url)
    configured = any(name.startswith("SPENDSTREAM_CLICKHOUSE_") for name in os.environ)
    if data_dir is None and bootstrap is None and configured:
        return from_environment(ClickHouseSettings)
    instance = find_instance(data_dir, bootstrap)
    if instance is not None:
        return embedded_clickhouse(instance, writable=writable)
    if configured:
        return from_environment(ClickHouseSettings)
    data_dir = data_dir or (said_data_dir() if bootstrap is None else None)
    where = f"on {data_dir}" if data_dir else f"with Kafka at {bootstrap}" if bootstrap else "on this machine"
    raise ConfigError(
        f"no spendstream runs {where}; start one with 'spendstream up', or say where ClickHouse is with --url or "
        "SPENDSTREAM_CLICKHOUSE_URL"
    )


def embedded_kafka(address: str, client_id: str = "spendstream-tools") -> KafkaSettings:
    """The embedded broker speaks plain text on loopback, whatever the environment says about another one."""
    return KafkaSettings(
        bootstrap_servers=address,
        client_id=client_id,
        security_protocol="PLAINTEXT",
        sasl_mechanism=None,
        sasl_username=None,
        sasl_password=None,
        sasl_password_file=None,
        ssl_ca_location=None,
        ssl_certificate_location=None,
        ssl_key_location=None,
        ssl_key_password=None,
        ssl_key_password_file=None,
    )


def find_kafka(bootstrap: str | None = None, data_dir: Path | None = None) -> KafkaSettings:
    """Where Kafka answers: as given, of the data folder's instance, from the environment, of the only one that runs.

    Raises ConfigError that says how to name one.
    """
    if bootstrap is not None:
        return from_environment(KafkaSettings, bootstrap_servers=bootstrap)
    if data_dir is None and os.environ.get("SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS"):
        return from_environment(KafkaSettings)
    instance = find_instance(data_dir)
    if instance is None:
        where = f"on {data_dir}" if (data_dir := data_dir or said_data_dir()) else "on this machine"
        raise ConfigError(
            f"no spendstream runs {where}; start one with 'spendstream up', or say where Kafka is with --bootstrap"
        )
    return embedded_kafka(instance.kafka)
