"""Who an event is, so that replaying a file twice counts it once."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from spendstream_traffic.replay.rows import open_log

_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EventIds:
    """Ids of one run: a prefix that stands for file, format, provider, model and run, then line and part.

    The same file under another name has the same ids; a changed file has others.
    """

    prefix: str

    def of(self, line: int, part: int | None) -> str:
        return f"replay-{self.prefix}-{line}" if part is None else f"replay-{self.prefix}-{line}-{part}"


def event_ids(path: Path, file_format: str, provider: str | None, model: str | None, run_id: str = "") -> EventIds:
    """Reads the file once to hash its content. Raises ConfigError when it cannot be read."""
    with open_log(path) as stream:
        content = hashlib.sha256()
        while chunk := stream.read(_CHUNK_BYTES):
            content.update(chunk)
    run = json.dumps([content.hexdigest(), file_format, provider, model, run_id])
    return EventIds(hashlib.sha256(run.encode()).hexdigest()[:24])
