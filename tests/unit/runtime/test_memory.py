"""The allocators of a worker."""

import subprocess
import sys


def test_arrow_allocates_where_everything_else_does() -> None:
    """In a process of its own, because it is a setting of the whole process."""
    code = (
        "import pyarrow as pa; from stream_jobs.runtime.memory import bound_allocators; "
        "print(bound_allocators(), pa.default_memory_pool().backend_name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    bounded, backend = done.stdout.split()
    assert backend == "system"
    assert bounded == str(sys.platform.startswith("linux"))
