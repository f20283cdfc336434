"""What the tests have workers do: found by name, as the functions of tasks are."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

loaded: list[int] = []
MIB: Final = 2**20


def load() -> None:
    loaded.append(os.getpid())


def cannot_load() -> None:
    raise ModuleNotFoundError("No module named 'prophet'")


def loads_for_ever() -> None:
    time.sleep(600)


def who_loaded(_: None) -> list[int]:
    return [*loaded, os.getppid()]


def double(number: int) -> int:
    return 2 * number


def sleep_then(seconds_and_answer: tuple[float, str]) -> str:
    time.sleep(seconds_and_answer[0])
    return seconds_and_answer[1]


def do(what: str) -> Any:
    """Every way in which a task can go wrong."""
    match what:
        case "raise":
            raise ValueError("no such thing")
        case "exit":
            sys.exit(3)
        case "hang":
            time.sleep(600)
        case "native":
            ctypes.PyDLL(None).sleep(600)  # holds the interpreter's lock
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "kill the server":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(600)
        case "memory":
            return len(bytearray(2**40))
        case "unpicklable":
            return threading.Lock()
        case "speak":
            os.write(1, b"to stdout\n")
            os.write(2, b"to stderr\n")
    return os.getpid()


def start_and_hang(notes: str) -> None:
    """With a child and a file in the temporary folder; writes their numbers and name down."""
    child = subprocess.Popen(["sleep", "600"])
    with tempfile.NamedTemporaryFile(delete=False) as file:
        Path(notes).write_text(f"{os.getpid()} {os.getppid()} {child.pid} {file.name}", encoding="utf-8")
        time.sleep(600)


held: list[bytearray] = []


def hold(mebibytes: int) -> int:
    """Keep memory, as a library does that leaks."""
    held.append(bytearray(os.urandom(MIB)) * mebibytes)
    return os.getpid()
