"""Rests for whoever computes beside others.

A low priority keeps nobody from being slowed down: two threads of one core share it whatever their priorities, and what
a machine has left is soon taken where it is nearly full. Who works a sixth of the time is felt a sixth as much.
"""

import time
from typing import Final

SHARE: Final = 5.0
"""So many times as long as it has worked it rests."""
LONGEST_S: Final = 2.0


class Rests:
    """Called as work goes on (`Told`), of one thread; by the CPU time that the thread has taken."""

    def __init__(self, share: float = SHARE) -> None:
        self._share = share
        self._woke_s = 0.0

    def __call__(self, _done: int, _of: int) -> None:
        worked_s = time.thread_time() - self._woke_s
        time.sleep(min(self._share * worked_s, LONGEST_S))
        self._woke_s = time.thread_time()
