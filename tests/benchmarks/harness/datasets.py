"""Where data sets are looked for: they are not part of the project."""

import os
from pathlib import Path
from typing import Final

DATA: Final = "SPENDSTREAM_DETECTION_DATA"


class MissingDataError(Exception):
    """A data set is not here. The text says which, and where it is looked for."""


def dataset(name: str, folder: Path | None = None) -> Path:
    """The folder of a data set, such as `nab` or `traces/servegen`, within `folder` or that of the environment. Raises
    MissingDataError."""
    found = (folder or Path(os.environ.get(DATA) or "nowhere")) / name
    if not found.is_dir():
        raise MissingDataError(f"{name}: not here; name the folder that holds it with --data or {DATA}")
    return found
