"""What a command's exit code says: 0 done, 1 it found something, 2 it could not do its work."""

from typing import Final

FOUND: Final = 1
