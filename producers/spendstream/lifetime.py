"""What every object with a thread of its own needs: to be closed when the process ends, and told after a fork."""

import atexit
import contextlib
import os
from collections.abc import Collection
from typing import Any


def look_after(objects: Collection[Any]) -> None:
    """At exit `close` of each is called, and `_after_fork_in_child` in a child after a fork. Neither may fail us."""

    def close_all() -> None:
        for one in list(objects):
            with contextlib.suppress(Exception):
                one.close()

    def after_fork() -> None:
        for one in list(objects):
            with contextlib.suppress(Exception):
                one._after_fork_in_child()

    atexit.register(close_all)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=after_fork)
