"""Several processes' metrics as one text that Prometheus accepts: every family once, no series twice."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PROCESS_LABEL: Final = "process"
_HEADER: Final = re.compile(r"# (HELP|TYPE) (\S+)(.*)")
_SAMPLE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{)?(.*)")


@dataclass(slots=True)
class _Family:
    """Text lines. What a process says first about its help and type holds."""

    headers: dict[str, str] = field(default_factory=dict)  # by HELP, TYPE
    samples: list[str] = field(default_factory=list)


def merged(texts: Mapping[str, bytes]) -> bytes:
    """One text of the Prometheus format; `texts` are those of prometheus_client, by the name of the process.

    Every series gets the label `process`, because all processes have the same ones (their memory, for a start). It
    comes last and takes no other's place: none of our metrics has it.
    """
    families: dict[str, _Family] = {}
    for process, text in texts.items():
        name = ""
        for line in text.decode().splitlines():
            if header := _HEADER.fullmatch(line):
                name = header[2]
                families.setdefault(name, _Family()).headers.setdefault(header[1], line)
            elif sample := _SAMPLE.fullmatch(line):
                # A family's samples follow its headers; their names may have an ending (_bucket, _sum, ...).
                families.setdefault(name, _Family()).samples.append(_labelled(sample, process))
    lines = [line for family in families.values() for line in (*family.headers.values(), *family.samples)]
    return "".join(f"{line}\n" for line in lines).encode()


def _labelled(sample: re.Match[str], process: str) -> str:
    """The sample's line with one more label."""
    name, brace, rest = sample.groups()
    label = f'{PROCESS_LABEL}="{process}"'
    if not brace:
        return f"{name}{{{label}}}{rest}"
    # The value, and a timestamp if there is one, hold no brace; a label's value may.
    labels, value = rest.rsplit("}", 1)
    return f"{name}{{{labels},{label}}}{value}" if labels else f"{name}{{{label}}}{value}"
