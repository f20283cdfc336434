"""A real Kafka, secured as infra/SECURED.md says, by running that page's own commands."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stream_jobs.embedded.kafka.broker import SHORT_LIVED, KafkaBroker
from stream_jobs.embedded.kafka.jars import INFRA, jar_folder
from stream_jobs.embedded.kafka.java import find_java
from stream_jobs.embedded.kafka.properties import new_node
from stream_jobs.runtime.ports import LOOPBACK, free_port

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "infra" / "SECURED.md"
HOST: Final = "localhost"
TOOLS: Final = {"kafka-configs.sh": "kafka.admin.ConfigCommand", "kafka-acls.sh": "org.apache.kafka.tools.AclCommand"}
TIMEOUT_S: Final = 120.0
OTHER_USER, OTHER_PASSWORD = "spendstream-booking", "other"
_JAAS: Final = "org.apache.kafka.common.security"
OTHER: Final = {
    "listener.name.other.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
    "listener.name.other.scram-sha-256.sasl.jaas.config": f"{_JAAS}.scram.ScramLoginModule required;",
    "listener.name.other.plain.sasl.jaas.config": f"{_JAAS}.plain.PlainLoginModule required "
    f'user_{OTHER_USER}="{OTHER_PASSWORD}";',
}
"""A listener that is not the page's: for the other ways to log in that our settings offer."""


def commands() -> dict[str, str]:
    """The shell commands of the page, by the title of the section in which they stand."""
    found = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        found[title] = "\n".join(re.findall(r"^```sh\n(.*?)^```", body, re.DOTALL | re.MULTILINE))
    return found


class SecuredKafka:
    """The administrator's folder, and the broker. Start it with `secured_kafka`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.certificate_port = free_port(), free_port()
        self.other_port = free_port()
        self.address = f"{HOST}:{self.port}"
        self.certificate_address = f"{HOST}:{self.certificate_port}"
        self.other_address = f"{HOST}:{self.other_port}"
        self._commands = commands()
        self.broker: KafkaBroker | None = None

    def secret(self, name: str) -> str:
        return (self.folder / "secrets" / name).read_text(encoding="utf-8").strip()

    def run(self, script: str, **environment: str) -> str:
        """bash in the folder, as the page says. Fails with what it printed."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**os.environ, **self._environment(), **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def section(self, number: int) -> str:
        """Run the commands of a section of the page."""
        (script,) = [text for title, text in self._commands.items() if title.startswith(f"{number}. ")]
        assert script
        return self.run(script)

    def _environment(self) -> Mapping[str, str]:
        return {
            "BOOTSTRAP": self.address,
            "CERTIFICATE_BOOTSTRAP": self.certificate_address,
            "BROKER_HOST": HOST,
            "KAFKA_HOME": str(self.folder / "kafka"),
            "SPENDSTREAM": str(ROOT),
        }

    def make_tools(self) -> None:
        """Kafka's scripts, which do not come through Maven."""
        bin_folder = self.folder / "kafka" / "bin"
        bin_folder.mkdir(parents=True)
        tools = jar_folder(INFRA / "tools")
        for name, main in TOOLS.items():
            tool = bin_folder / name
            java = f"'{find_java()}' {' '.join(SHORT_LIVED)} -Xmx96m -XX:+UseSerialGC -cp '{jar_folder()}/*:{tools}/*'"
            tool.write_text(f'#!/bin/sh\nexec {java} {main} "$@"\n', encoding="utf-8")
            tool.chmod(0o755)

    def make_broker(self) -> KafkaBroker:
        node = new_node(1, self.port)
        listeners = (
            f"CLIENT://{LOOPBACK}:{self.port},CERTIFICATE://{LOOPBACK}:{self.certificate_port},"
            f"OTHER://{LOOPBACK}:{self.other_port},REPLICATION://{LOOPBACK}:{node.replication_port}"
        )
        secured = dict(
            line.split("=", 1)
            for line in (INFRA / "secured.properties").read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")
        )
        addresses = {
            "listeners": f"{listeners},CONTROLLER://{LOOPBACK}:{node.controller_port}",
            "advertised.listeners": listeners.replace(LOOPBACK, HOST),
            "controller.quorum.voters": f"1@{HOST}:{node.controller_port}",
        }
        secured["listener.security.protocol.map"] += ",OTHER:SASL_SSL"
        work = self.folder / "broker"
        work.mkdir()
        (work / "tls").symlink_to(self.folder / "tls")
        self.broker = KafkaBroker(
            node,
            work,
            cluster_id="c2VjdXJlZC1ieS1hLXRlcw",
            heap_mb=256,
            jvm_options=SHORT_LIVED,
            overrides=secured | addresses | OTHER,
            format_options=[
                *("--add-scram", f"SCRAM-SHA-512=[name=admin,password={self.secret('admin')}]"),
                *("--add-scram", f"SCRAM-SHA-256=[name={OTHER_USER},password={OTHER_PASSWORD}]"),
            ],
            client_config=self.login("admin"),
        )
        return self.broker

    def login(self, user: str, secret: str | None = None) -> dict[str, str]:
        """librdkafka's settings of a user with a password."""
        return {
            "bootstrap.servers": self.address,
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.folder / "tls" / "ca.pem"),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": self.secret(secret or user),
        }

    def environment(self, name: str) -> dict[str, str]:
        """The variables of a program, from the file that the page's last commands make: a role, or
        `booking-certificate`."""
        lines = (self.folder / f"{name}.env").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)


@contextmanager
def secured_kafka(folder: Path) -> Iterator[SecuredKafka]:
    """Running, with users and ACLs, and without topics."""
    kafka = SecuredKafka(folder)
    folder.mkdir(parents=True, exist_ok=True)
    kafka.make_tools()
    kafka.section(1)
    broker = kafka.make_broker()
    broker.start()
    try:
        kafka.section(3)
        kafka.section(4)
        kafka.section(5)
        yield kafka
    finally:
        broker.stop()
