"""How long a fuzzer looks: short in `make test`, as long as one likes with SPENDSTREAM_TEST_FUZZ_EXAMPLES=5000."""

import os


def examples(default: int) -> int:
    """How many inputs to try."""
    return int(os.environ.get("SPENDSTREAM_TEST_FUZZ_EXAMPLES", default))
