"""Messages of a feed as whoever can write to it might send them: golden examples with extreme values, and rubbish."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

_EXAMPLES: Final = Path(__file__).resolve().parents[1] / "schemas" / "examples"
EXTREMES: Final = (
    *(
        '"0e27"',
        '"0E40"',
        '"0e-9999"',
        '"0e9999"',
        '"-0"',
        '"-0e5"',
        '"1e15"',
        '"1e-12"',
        '"1e-13"',
        '"999999999999999.999999999999"',
    ),
    *(
        '"9e99"',
        '"1e9999999999"',
        '"NaN"',
        '"sNaN"',
        '"Infinity"',
        '"-inf"',
        '"1_0"',
        '"\u0661"',
        '" 1"',
        '"100000000000000000000"',
    ),
    *("0e27", "-0", "-0.0", "1e400", "-1e400", "1e-400", "1e15", "0.1", "1e308", "NaN", "Infinity", "1.0", "1e2"),
    *map(str, (0, -1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, 10**12, 10**12 + 1, 10**30, -(10**30))),
    "1" + "0" * 400,
    "1" + "0" * 5000,
    *(
        "true",
        "false",
        "null",
        "[]",
        "{}",
        '""',
        "[" * 150 + "]" * 150,
        "[" * 3000 + "]" * 3000,
        '{"a":' * 100 + "1" + "}" * 100,
    ),
    *(
        '"\\ud800"',
        '"\\udfff\\ud800"',
        '"\\u0000"',
        '"a\\nb"',
        '"\\u001b]52;c;AAAA\\u0007"',
        '"\\u202e"',
        '"😀"',
        '"\\\\"',
        '"\'"',
    ),
    *(
        '"0001-01-01T00:00:00+14:00"',
        '"9999-12-31T23:59:59-14:00"',
        '"0000-01-01T00:00:00Z"',
        '"9999-12-31T23:59:59.999999Z"',
    ),
    *(
        '"1899-12-31T00:00:00Z"',
        '"2300-01-01T00:00:00Z"',
        '"2026-11-20T11:00:00.123456789Z"',
        '"2026-11-20T11:00:00"',
        '"1e308"',
    ),
    *(
        '"' + "x" * 128 + '"',
        '"' + "x" * 300 + '"',
        '"' + "é" * 128 + '"',
        '"' + "*a" * 60 + 'b"',
        '{"glob": "' + "*a" * 60 + 'b"}',
    ),
    *('{"glob": "[z-a]"}', '{"missing": true}', '{"any_of": []}', '{"none_of": ["a"]}'),
    *("{" + ",".join(f'"k{n}":"v"' for n in range(number)) + "}" for number in (32, 33, 2000)),
    "[" + ",".join(['"a"'] * 2000) + "]",
)
_JUNK: Final = (b"", b" ", b"\x00", b"\xff\xfe", b"}", b",", b'"a":1,', b"\\u0041", b"\n", b"{")


def examples(topic: str) -> list[dict[str, Any]]:
    """The golden messages of a topic."""
    return [json.loads(path.read_bytes()) for path in sorted((_EXAMPLES / topic).glob("*.json"))]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from _places(inner, (*path, key))


def _put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    target = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return document


@st.composite
def messages(draw: st.DrawFn, documents: list[dict[str, Any]], fields: tuple[str, ...] = ()) -> bytes:
    """Bytes: mostly a golden message in which some values are extreme ones, some fields are `fields` that it lacked,
    some are given twice; sometimes cut, spliced or nothing of the kind."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=60))
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    marks: dict[str, str] = {}
    for number in range(draw(st.integers(0, 3))):
        mark = f"@@{number}@@"
        marks[json.dumps(mark)] = draw(st.sampled_from(EXTREMES))
        if fields and draw(st.integers(0, 1)) == 0:
            document[draw(st.sampled_from(fields))] = mark
        else:
            places = [path for path in _places(document) if path] or [()]
            document = _put(document, draw(st.sampled_from(places)), mark)
            if not isinstance(document, dict):
                break
    text = json.dumps(document, ensure_ascii=draw(st.booleans()))
    for mark, extreme in marks.items():
        text = text.replace(mark, extreme)
    if draw(st.integers(0, 9)) == 0 and text.startswith("{") and isinstance(document, dict) and document:
        key = draw(st.sampled_from(sorted(document)))  # the same key twice
        text = f"{{{json.dumps(key)}: {draw(st.sampled_from(EXTREMES))}, {text[1:]}"
    raw = text.encode()
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(st.sampled_from(_JUNK)) + raw[draw(st.integers(at, min(len(raw), at + 3))) :]
    return raw


def sweep(documents: list[dict[str, Any]], fields: tuple[str, ...] = ()) -> Iterator[bytes]:
    """Every extreme value at every place of every document, and for every field that it lacks: one at a time."""
    mark = "@@"
    for document in documents:
        paths = [path for path in _places(document) if path]
        paths += [(name,) for name in fields if name not in document]
        for path in paths:
            text = json.dumps(_put(copy.deepcopy(document), path, mark))
            for extreme in EXTREMES:
                yield text.replace(json.dumps(mark), extreme).encode()
