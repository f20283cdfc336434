"""CPU time and memory of processes."""

import os
import subprocess
import sys
import time

import pytest

from tests.benchmarks.harness.sustained import rate
from tests.benchmarks.harness.usage import MIB, Sampler, cpu_seconds, flatness, rss_bytes


def test_cpu_and_memory_of_a_process() -> None:
    """A process that computes and holds 100 MiB is seen to do so, under its name."""
    code = "x = bytearray(100 * 2**20)\nprint('up', flush=True)\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        sampler = Sampler({"busy": [process.pid]}, interval_s=0.01).start()
        while cpu_seconds(process.pid) < 0.3:
            time.sleep(0.01)
        spent = sampler.stop()
        assert spent["busy"].cpu_s > 0.1
        assert spent["busy"].cores > spent["bench"].cores
        assert spent["busy"].rss_max > 100 * MIB
        process.stdout.close()
    finally:
        process.kill()
        process.wait()


def test_own_memory_is_what_the_kernel_says() -> None:
    """RSS of this process is between some MiB and all of the machine's memory."""
    assert 10 * MIB < rss_bytes(os.getpid()) < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_a_process_that_ended_costs_nothing_more() -> None:
    """Its last figures count; it is no error."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    spent = Sampler({"gone": [process.pid]}).start().stop()
    assert spent["gone"].rss_max == 0


def test_flatness_compares_thirds() -> None:
    """Medians of the first and of the last third; one sample is both."""
    assert flatness([1, 1, 9, 5, 5, 5, 2, 2, 2]) == (1, 2)
    assert flatness([7]) == (7, 7)


def test_rate_is_between_two_blocks() -> None:
    """Events between the first and the last block seen, by the time between them; no rate from a single one."""
    assert rate([(10.0, 500), (11.0, 700), (14.0, 4500)]) == pytest.approx(1000)
    assert rate([(10.0, 500)]) == 0
    assert rate([]) == 0
