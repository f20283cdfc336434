"""Who does the job: our worker, a stock Faust agent, a quix-streams application. Same broker, same store, same load."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.harness.rig import Rig
from tests.benchmarks.peers.venv import peers_python, version_of

_EXEC: Final = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"


@dataclass(frozen=True, slots=True)
class Candidate:
    """`backlog` is how many messages may wait for it in the broker: enough that it never waits, little enough to drain
    soon. `start` starts its processes under the name `worker`."""

    name: str
    backlog: int
    start: Callable[[Rig], None]


QUICK_BACKLOG: Final = 10_000


def ours(workers: int = 1, backlog: int = 200_000) -> Candidate:
    """The backlog bounds the rate: so many events per second at most as it holds for one second on their way."""
    return Candidate("spendstream", backlog, lambda rig: rig.start_workers(workers))


def faust() -> Candidate:
    def start(rig: Rig) -> None:
        rig.start_child("worker", ["-m", "tests.benchmarks.peers.faust_job", str(rig.config_dir)], rig.environment())

    return Candidate("stock Faust", 20_000, start)


def quix(*, install: bool) -> tuple[Candidate | None, str]:
    """The candidate with its version, or None and why it cannot be measured."""
    python, why = peers_python(install=install)
    if python is None:
        return None, why

    def start(rig: Rig, python: Path = python) -> None:
        module = ["-m", "tests.benchmarks.peers.quix_job", str(rig.config_dir)]
        # `exec`: the process that is measured is the peer itself.
        rig.start_child("worker", ["-c", _EXEC, str(python), *module], rig.environment())

    return Candidate("quix-streams", 20_000, start), version_of(python, "quixstreams")
