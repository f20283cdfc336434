"""A worker with a stack sampler in it: `python -m tests.benchmarks.harness.profiled_worker worker JOB...`.

SIGUSR1 starts sampling, SIGUSR2 ends it and writes PROFILE_FILE, which the environment names.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Final

from spendstream.cli import main
from tests.benchmarks.harness.stacks import StackSampler

PROFILE_FILE: Final = "BENCH_PROFILE_FILE"


def install() -> None:
    """Handlers run in the main thread between two bytecodes; the sampler itself runs in a thread of its own."""
    sampler = StackSampler()

    def start(_number: int, _frame: FrameType | None) -> None:
        sampler.start()

    def end(_number: int, _frame: FrameType | None) -> None:
        sampler.write(Path(os.environ[PROFILE_FILE]))

    signal.signal(signal.SIGUSR1, start)
    signal.signal(signal.SIGUSR2, end)


if __name__ == "__main__":
    install()
    sys.exit(main())
