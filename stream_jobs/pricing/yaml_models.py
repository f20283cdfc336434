"""YAML folders into checked models: every problem of every file is reported at once, with its place in the file."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from stream_jobs.base.documents import checked
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import is_there, printable
from stream_jobs.base.yaml_files import read_yaml

M = TypeVar("M", bound=BaseModel)


def load_models(model: type[M], folders: Iterable[Path]) -> list[M]:
    """One model per `*.yaml` file of the folders, in order of folder and name; a folder that is absent is empty.

    Raises ConfigError that names file, path and problem for everything that is wrong in any of them.
    """
    loaded: list[M] = []
    problems: list[str] = []
    for folder in folders:
        for path in yaml_files(folder):
            try:
                loaded.append(load_model(model, path))
            except ConfigError as error:
                problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return loaded


def load_model(model: type[M], path: Path) -> M:
    """One file as one model. Raises ConfigError with all that is wrong in it."""
    return checked(read_yaml(path), model)


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
