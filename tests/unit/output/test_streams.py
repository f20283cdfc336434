"""Behind the guarded streams nothing arrives that a terminal would obey, whoever writes."""

import argparse
import io
import json
import subprocess
import sys

import pytest

from stream_jobs.output.lines import complain, data, json_data, redraw_on_stderr, say, say_json, say_text
from stream_jobs.output.streams import guarded
from tests.unit.output.hostile import HOSTILE, foreign


def test_whoever_writes_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """print, argparse; and afterwards the streams are what they were."""
    before = sys.stdout, sys.stderr
    with guarded():
        print(HOSTILE)
        print(HOSTILE, file=sys.stderr)
        with pytest.raises(SystemExit):
            argparse.ArgumentParser(prog="x").parse_args([HOSTILE])
    assert (sys.stdout, sys.stderr) == before
    shown = capsys.readouterr()
    assert foreign(shown.out) == foreign(shown.err) == []
    assert shown.err.count(r"\x1b]52;c;") >= 2


def test_lines_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """One for each `say`; what an error quotes on further lines is indented."""
    say("a\nb\x1b")
    say_text("a\n\tb\x1b\n")
    complain("spendstream x: refused:\nspendstream x: fine\x1b")
    redraw_on_stderr("1 of 2\n", last=True)
    shown = capsys.readouterr()
    assert shown.out == "a\\nb\\x1b\na\n\tb\\x1b\n"
    assert shown.err == "spendstream x: refused:\n  spendstream x: fine\\x1b\n\r1 of 2\\n\n"


def test_json_stays_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Every text comes back as it was."""
    say_json({"name": HOSTILE, HOSTILE: "\udc9b"})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"name": HOSTILE, HOSTILE: "\udc9b"}
    assert foreign(shown) == []


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_bytes_of_json_stay_json(size: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Cut anywhere, and with bytes that are no UTF-8, which come back too."""
    raw = json.dumps({"name": HOSTILE}, ensure_ascii=False).encode() + b'\n{"bytes": "\x9b31m\xff"}\n'
    with json_data() as out:
        for start in range(0, len(raw), size):
            out.write(raw[start : start + size])
    shown = capsys.readouterr().out
    assert foreign(shown) == []
    first, second = map(json.loads, shown.splitlines())
    assert first == {"name": HOSTILE}
    assert second["bytes"].encode("utf-8", "surrogateescape") == b"\x9b31m\xff"


def test_data_is_untouched_where_nobody_looks(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Into a file or a pipe goes what was asked for."""
    raw = HOSTILE.encode() + bytes(range(256))
    with guarded(), data() as out:
        out.write(raw)
    assert capfdbinary.readouterr().out == raw


def test_data_is_escaped_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And it is said that it was, once."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    with guarded(), data() as out:
        out.write(HOSTILE.encode() + b"\x9b31m\n")
    assert foreign(terminal.getvalue()) == []
    assert r"\x9b31m" in terminal.getvalue()
    assert "into a file or a pipe" in capsys.readouterr().err
    with guarded(), data() as out:
        out.write(b"a,b\n1,2\n")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("how", ["raise ValueError(H)", "t = threading.Thread(target=fail); t.start(); t.join()"])
def test_the_interpreter_is_guarded_too(how: str) -> None:
    """An error that nobody catches is printed by the interpreter, after us."""
    script = (
        "import threading\nfrom stream_jobs.output.streams import guarded\n"
        f"H = {HOSTILE!r}\ndef fail(): raise ValueError(H)\nwith guarded():\n    {how}\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, timeout=60)
    shown = done.stderr.decode("utf-8", "surrogateescape")
    assert r"\x1b]52;c;" in shown
    assert foreign(shown) == []


def test_closed_streams_are_no_error() -> None:
    """`spendstream ... >&-`: there is nowhere to write to."""
    script = "from spendstream.cli import main; main(['prices', 'show', 'nothing-of-this-name'])"
    done = subprocess.run(["bash", "-c", f'{sys.executable} -c "{script}" >&- 2>&-'], check=False, timeout=60)
    assert done.returncode == 0
