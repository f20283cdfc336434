"""A gauge detector's state as bytes: arrays as numpy writes them, behind a header with the version. No pickle: whoever
can write a snapshot must not be able to run code by it."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

VERSION: Final = 3
_MARK: Final = b"spendstream gauge state\n"


def pack(step: int, names: Sequence[str], parts: Sequence[Mapping[str, Any]], own: Mapping[str, Any]) -> bytes:
    """`parts` and `own` hold arrays by name."""
    arrays = {f"{place}.{name}": value for place, held in enumerate([*parts, own]) for name, value in held.items()}
    head = {"version": VERSION, "step": step, "names": list(names), "parts": len(parts)}
    out = io.BytesIO()
    np.savez(out, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays)
    return _MARK + out.getvalue()


def unpack(state: bytes) -> tuple[int, list[str], list[dict[str, Any]], dict[str, Any]]:
    """The reverse of `pack`. Raises ValueError."""
    if not state.startswith(_MARK):
        raise ValueError("this is no state of a gauge detector")
    try:
        with np.load(io.BytesIO(state[len(_MARK) :]), allow_pickle=False) as held:
            head = json.loads(held["head"].tobytes())
            arrays = {name: held[name] for name in held.files if name != "head"}
        if head["version"] != VERSION:
            raise ValueError(f"a gauge detector's state of version {head['version']}: this one reads {VERSION}")
        everything: list[dict[str, Any]] = [{} for _ in range(head["parts"] + 1)]
        for key, value in arrays.items():
            place, _, name = key.partition(".")
            everything[int(place)][name] = value
        return head["step"], head["names"], everything[:-1], everything[-1]
    except ValueError:
        raise
    except Exception as error:  # zip, zlib and numpy's own parser each raise what they like at damaged bytes
        raise ValueError(f"this state of a gauge detector is damaged: {error}") from error
