"""Rests for whoever computes beside others.

A low priority keeps nobody from being slowed down: two threads of one core share it whatever their priorities, and what
a machine has left is soon taken where it is nearly full. Who works a sixth of the time is felt a sixth as much.
"""

import time
from math import inf
from typing import Final

SHARE: Final = 5.0
"""So many times as long as it has worked it rests."""
LONGEST_S: Final = 2.0


class Rests:
    """Of one run: called as work goes on (`Told`), in its thread; by the CPU time that the thread has taken."""

    def __init__(self, share: float = SHARE, most_s: float = inf) -> None:
        """`most_s`: of rest in all. Who has much to do, and a time by which it must be done, rests no longer."""
        self._share, self._left_s = share, most_s
        self._woke_s = time.thread_time()

    def __call__(self, _done: int, _of: int) -> None:
        worked_s = time.thread_time() - self._woke_s
        rest_s = min(self._share * worked_s, LONGEST_S, self._left_s)
        self._left_s -= rest_s
        time.sleep(rest_s)
        self._woke_s = time.thread_time()
