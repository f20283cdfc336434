"""The detector's state: a struct of arrays whose last axis is the series, grown in steps and written byte by byte.

Columns come in multiples of 16: ufuncs then treat every series alike, wherever it stands, so that a result does not
depend on how many series there are.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MAGIC: Final = b"spendstream-detection\n"
LANES: Final = 16

Array = npt.NDArray[Any]
Field = tuple[tuple[int, ...], str, float]  # leading shape, dtype, first value


class Arrays:
    """Attributes are arrays; see the `Field`s it was made with."""

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self._fields = dict(fields)
        self.columns = 0
        for name, (shape, dtype, _) in self._fields.items():
            setattr(self, name, np.zeros((*shape, 0), dtype=dtype))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)

    def reserve(self, series: int) -> bool:
        """Columns for so many series at least; whether arrays were replaced."""
        if series <= self.columns:
            return False
        wanted = max(series, self.columns + self.columns // 4)
        columns = -(-wanted // LANES) * LANES
        for name, (shape, dtype, first) in self._fields.items():
            grown = np.full((*shape, columns), first, dtype=dtype)
            grown[..., : self.columns] = getattr(self, name)
            setattr(self, name, grown)
        self.columns = columns
        return True

    @property
    def bytes_per_series(self) -> int:
        return sum(
            int(np.prod(shape, dtype=int)) * np.dtype(dtype).itemsize for shape, dtype, _ in self._fields.values()
        )

    def dump(self, version: int, about: Mapping[str, Any]) -> bytes:
        body = b"".join(np.ascontiguousarray(getattr(self, name)).tobytes() for name in self._fields)
        head = json.dumps({"version": version, "columns": self.columns, "about": about}).encode()
        content = len(head).to_bytes(8, "little") + head + zlib.compress(body, 1)
        return MAGIC + zlib.crc32(content).to_bytes(4, "little") + content

    def load(self, state: bytes, version: int) -> dict[str, Any]:
        """Takes the arrays; returns `about`. Raises ValueError for anything but what `dump` of this version wrote."""
        at = len(MAGIC)
        content = state[at + 4 :]
        if not state.startswith(MAGIC) or zlib.crc32(content).to_bytes(4, "little") != state[at : at + 4]:
            raise ValueError("these bytes are no state of the detector")
        size = int.from_bytes(content[:8], "little")
        head = json.loads(content[8 : 8 + size])
        if head["version"] != version:
            raise ValueError(f"the state is of version {head['version']}, and version {version} is read")
        body, columns, begin = zlib.decompress(content[8 + size :]), int(head["columns"]), 0
        if len(body) != columns * self.bytes_per_series:
            raise ValueError("the state is not whole")
        for name, (shape, dtype, _) in self._fields.items():
            count = int(np.prod(shape, dtype=int)) * columns
            values = np.frombuffer(body, dtype=dtype, count=count, offset=begin).reshape(*shape, columns)
            setattr(self, name, values.copy())
            begin += count * np.dtype(dtype).itemsize
        self.columns = columns
        about: dict[str, Any] = head["about"]
        return about
