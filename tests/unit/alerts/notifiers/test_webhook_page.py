"""The page on webhooks: its code tells who sent a request, and its fields are those that are sent."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from stream_jobs.alerts.notifiers.webhook import SIGNATURE_HEADER, event_body, sign
from tests.receivers.examples import LIFE, TRIGGER, hostile

PAGE = Path(__file__).resolve().parents[4] / "stream_jobs" / "alerts" / "WEBHOOKS.md"
SECRET = "a secret 'of' the $tests"
BODIES = [event_body(note, "/here", UTC) for note in (*LIFE, hostile())]

Check = Callable[[str, str, bytes], bool]


def code(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


def python_check() -> Check:
    names: dict[str, Any] = {}
    exec(code("python"), names)
    return names["is_from_spendstream"]  # type: ignore[no-any-return]


def node_check() -> Check:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not here")

    def check(secret: str, header: str, body: bytes) -> bool:
        program = code("javascript") + (
            "const [secret, header] = process.argv.slice(1); const chunks = [];\n"
            "process.stdin.on('data', (c) => chunks.push(c)).on('end', () => "
            "console.log(isFromSpendstream(secret, header, Buffer.concat(chunks))));"
        )
        done = subprocess.run([node, "-e", program, secret, header], input=body, capture_output=True, check=True)
        return done.stdout == b"true\n"

    return check


@pytest.mark.parametrize("made", [python_check, node_check])
def test_the_code_of_the_page_tells_who_sent_it(made: Callable[[], Check]) -> None:
    """What we sign is ours; another secret, body or time is not, nor a header of another form."""
    check, now = made(), int(time.time())
    body = BODIES[-1]
    for one in BODIES if made is python_check else BODIES[-1:]:
        assert check(SECRET, sign(SECRET, one, now), one)
    header = sign(SECRET, body, now)
    assert check(SECRET, f"{header},v1={'0' * 64}", body), "while a secret is being replaced"
    assert check(SECRET, f"t={now}, v1={'0' * 64}, {header.partition(',')[2]}", body)
    assert not check("another", header, body)
    assert not check(SECRET, header, body + b" ")
    assert not check(SECRET, sign(SECRET, body, now - 1000), body)
    for wrong in (
        "",
        "t=",
        "v1=",
        f"t={now}",
        header.replace("v1", "v0"),
        f"t={now},{header}",
        "t=x,v1=y",
        "t=\u0661,v1=a",
    ):
        assert not check(SECRET, wrong, body), wrong


def test_the_shell_of_the_page_computes_it(tmp_path: Path) -> None:
    """The same digits."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here")
    (tmp_path / "body.json").write_bytes(BODIES[0])
    done = subprocess.run(
        ["sh", "-c", code("shell")],
        cwd=tmp_path,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "SECRET": SECRET, "T": "1764000000"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert sign(SECRET, BODIES[0], 1764000000) == f"t=1764000000,v1={done.stdout.strip()}"


def test_the_fields_of_the_page_are_those_that_are_sent() -> None:
    """Each of the table is in an event, and the header is called as it says."""
    text = PAGE.read_text(encoding="utf-8")
    event = json.loads(event_body(TRIGGER, "/here", UTC))
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    for name in re.findall(r"`([a-z_.]+)`", " ".join(cells)):
        found = event
        for part in name.split("."):
            assert part in found, name
            found = found[part]
    assert f"`{SIGNATURE_HEADER}: t=<unix seconds>,v1=<hex>`" in text
    assert all(f"io.spendstream.alert.{action}`" in text or f"`.{action}`" in text for action in ("trigger", "resolve"))
