"""YAML folders into checked models: every problem of every file is reported at once, with its place in the file."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel

from stream_jobs.base.documents import checked
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import is_there, printable, read_file
from stream_jobs.base.yaml_files import MAX_BYTES, parse_yaml_bytes

KEPT: Final = 64
"""More files than a book is made of. One of them changes, and all are loaded again."""
KEPT_BYTES: Final = 2**20
M = TypeVar("M", bound=BaseModel)


def load_models(model: type[M], folders: Iterable[Path]) -> list[M]:
    """One model per `*.yaml` file of the folders, in order of folder and name; a folder that is absent is empty. They
    are not to be changed: a file that still says the same is the same model.

    Raises ConfigError that names file, path and problem for everything that is wrong in any of them.
    """
    loaded: list[M] = []
    problems: list[str] = []
    for folder in folders:
        for path in yaml_files(folder):
            try:
                loaded.append(_load(model, path, _unchanged))
            except ConfigError as error:
                problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return loaded


def load_model(model: type[M], path: Path) -> M:
    """One file as one model. Raises ConfigError with all that is wrong in it."""
    return _load(model, path, _made)


def _load(model: type[M], path: Path, make: Callable[[type[M], str, bytes], M]) -> M:
    content = read_file(path, MAX_BYTES)
    return (make if len(content) <= KEPT_BYTES else _made)(model, printable(str(path)), content)


def _made(model: type[M], name: str, content: bytes) -> M:
    return checked(parse_yaml_bytes(content, name), model)


_unchanged = lru_cache(KEPT)(_made)


def yaml_files(folder: Path) -> list[Path]:
    """The YAML files of a folder by name; links that lead nowhere and the like are among them, and refused when they
    are read: a price that is silently not there would be worse. Raises ConfigError when it cannot be listed."""
    if not is_there(folder):
        return []
    try:
        # Emacs marks a file under edit with a link that leads nowhere.
        return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.name[:2] != ".#")
    except OSError as error:
        raise ConfigError(f"{printable(str(folder))}: cannot be listed: {error.strerror}") from None
