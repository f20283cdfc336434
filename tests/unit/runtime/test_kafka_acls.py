"""Who may do what in Kafka: the declaration, the script, the table, and what the programs really do, compared."""

import re
import subprocess
from pathlib import Path

import pytest

from spendstream.guard.config import BUDGET_TOPIC
from spendstream.kafka_client import OUTCOME_TOPIC, USAGE_TOPIC
from stream_jobs.base.errors import ConfigError
from stream_jobs.embedded.workers import ANALYST, FORECASTER, PROCESSES, WATCHER, WORKER
from stream_jobs.runtime.jobs import DATA_QUALITY, JOBS, RECONCILIATION
from stream_jobs.runtime.kafka_access import NEEDS
from stream_jobs.runtime.kafka_acls import ACLS_FILE, load_acls, script, with_table
from stream_jobs.runtime.kafka_refusals import TOOLS_GROUP
from stream_jobs.runtime.topics import TOPICS_DIR, topic_specs

ROOT = Path(__file__).resolve().parents[3]
ACLS = load_acls()
TOPICS = {spec.name for spec in topic_specs(embedded=False)}


def of(role: str) -> set[tuple[str, str, str]]:
    return {(right.operation, right.kind, right.name) for right in ACLS.of(role)}


def test_script_and_table_are_those_of_the_declaration() -> None:
    """Regenerate with: make schemas."""
    assert (ROOT / "infra" / "kafka" / "acls.sh").read_text(encoding="utf-8") == script(ACLS)
    page = (ROOT / "infra" / "SECURED.md").read_text(encoding="utf-8")
    assert with_table(page, ACLS) == page


def test_every_topic_has_a_producer_a_consumer_and_nobody_has_others() -> None:
    """Exactly the topics of schemas/topics, each by its full name."""
    assert {path.stem for path in TOPICS_DIR.glob("*.yaml")} == TOPICS
    assert {right.name for right in ACLS.rights if right.kind == "topic"} == TOPICS
    programs = [right for right in ACLS.rights if right.role != "operator"]
    for topic in TOPICS:
        may = {right.operation for right in programs if right.name == topic}
        writers = {right.role for right in ACLS.rights if (right.name, right.operation) == (topic, "Write")}
        assert "Read" in may, topic
        assert writers, topic
    assert of("operator") >= {("Create", "topic", topic) for topic in TOPICS}
    assert all(re.fullmatch(r"[a-z][a-z0-9._-]*", right.name) for right in ACLS.rights)


def test_a_worker_has_what_its_jobs_do_and_nothing_else() -> None:
    """The rights of the two worker roles are those that the jobs ask for when they start. Read includes Describe."""
    assert NEEDS.keys() == set(JOBS)
    watching = (*PROCESSES[WATCHER], *PROCESSES[ANALYST], *PROCESSES[FORECASTER])
    for role, jobs in (("booking", PROCESSES[WORKER]), ("watching", watching)):
        asked = {need for job in jobs for need in NEEDS[job]}
        enough = asked - {("Describe", kind, name) for operation, kind, name in asked if operation == "Read"}
        assert of(role) == enough, role


def test_services_have_what_the_sdk_does_and_nothing_else() -> None:
    """The producer writes its two topics; the guard reads one, in no group."""
    assert of("service") == {("Write", "topic", USAGE_TOPIC), ("Write", "topic", OUTCOME_TOPIC)}
    assert of("guard") == {("Read", "topic", BUDGET_TOPIC), ("Describe", "group", "spendstream-guard")}


def test_groups_are_those_of_the_jobs() -> None:
    """A job that reads a topic is the only one that may commit in its group."""
    groups = {f"spendstream-{job}" for job in JOBS if job not in (RECONCILIATION, DATA_QUALITY)}
    assert {right.name for right in ACLS.rights if right.kind == "group"} == {
        *groups,
        TOOLS_GROUP,
        "spendstream-guard",
    }
    for group in groups:
        readers = [right.role for right in ACLS.rights if (right.name, right.operation) == (group, "Read")]
        assert len(readers) == 1, group


def granted(tmp_path: Path, *arguments: str, **variables: str) -> set[tuple[str, str, str, str, str]]:
    """(action, user, operation, kind, name) that the script asks kafka-acls.sh for."""
    calls = tmp_path / "calls"
    calls.write_text("")
    program = tmp_path / "kafka acls.sh"
    program.write_text(f"#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done >> '{calls}'\necho END >> '{calls}'\n")
    program.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "BOOTSTRAP": "b:1", "CONFIG": "c d", "KAFKA_ACLS": str(program)}
    subprocess.run(["sh", str(ROOT / "infra/kafka/acls.sh"), *arguments], env=environment | variables, check=True)
    found = set()
    for call in calls.read_text().split("END\n")[:-1]:
        words = call.splitlines()
        assert words[:4] == ["--bootstrap-server", "b:1", "--command-config", "c d"]
        action, force, *rest = words[4:]
        assert force == "--force"
        pairs = list(zip(rest[::2], rest[1::2], strict=True))
        users = [value for option, value in pairs if option == "--allow-principal"]
        (operation,) = [value for option, value in pairs if option == "--operation"]
        resources = [(option[2:], value) for option, value in pairs if option in ("--topic", "--group")]
        assert len(pairs) == len(users) + 1 + len(resources)
        found |= {(action, user, operation, kind, name) for user in users for kind, name in resources}
    return found


def test_the_script_grants_exactly_the_declaration(tmp_path: Path) -> None:
    """To the default users, to those of the variables, to nobody where one is empty; --remove takes the same back."""
    default = {("--add", f"User:spendstream-{one.role}", one.operation, one.kind, one.name) for one in ACLS.rights}
    assert granted(tmp_path) == default
    assert granted(tmp_path, "--remove") == {("--remove", *rest) for _, *rest in default}
    some = granted(tmp_path, SERVICE_USERS="User:a User:b", GUARD_USERS="")
    assert {user for _, user, *_ in some} == {"User:a", "User:b"} | {
        f"User:spendstream-{role}" for role in ("booking", "watching", "operator")
    }


def test_the_script_does_nothing_without_an_address_or_with_a_typo(tmp_path: Path) -> None:
    """A misspelt --remove must not grant."""
    for environment, arguments in (({}, []), ({"BOOTSTRAP": "b:1", "CONFIG": "c"}, ["--remvoe"])):
        done = subprocess.run(
            ["sh", str(ROOT / "infra/kafka/acls.sh"), *arguments],
            env={"PATH": "/usr/bin:/bin", "KAFKA_ACLS": "false", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "roles: {a: {topics: {Read: [t]}}}",
        "roles: {a: {what: w, topic: {Read: [t]}}}",
        "roles: {a: {what: w, topics: {All: [t]}}}",
        "roles: {a: {what: w, topics: {Read: t}}}",
        "roles: {a: {what: w, topics: [Read]}}",
        "roles: {a: {what: w, topics: {Read: [t, t]}}}",
        "roles: {a: {what: w, topics: {Read: ['*']}}}",
        "roles: {a: {what: w, topics: {Read: ['t; rm']}}}",
        "roles: {'a b': {what: w, topics: {Read: [t]}}}",
    ],
)
def test_a_declaration_that_says_something_else_is_refused(tmp_path: Path, text: str) -> None:
    """A right is an operation we know on one resource by its name, once."""
    file = tmp_path / "acls.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"acls\.yaml"):
        load_acls(file)


def test_which_roles_may() -> None:
    """Read and Write include Describe; the order is the file's."""
    assert ACLS.roles_that_may("Describe", "topic", USAGE_TOPIC) == ("service", "booking", "watching", "operator")
    assert ACLS.roles_that_may("Write", "topic", "nothing.of.ours") == ()
    assert ACLS_FILE.exists()
