"""Whether it is time again for what a cycle does every so many seconds."""

import time


class Due:
    """Called, it says so once each time. Used by one thread."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._at = time.monotonic()

    def __call__(self) -> bool:
        now = time.monotonic()
        if now < self._at:
            return False
        self._at = now + self._every_s
        return True

    def soon(self) -> None:
        """It is time the next time that somebody asks."""
        self._at = time.monotonic()
