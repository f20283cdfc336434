"""YAML folders into checked models: every problem of every file is reported at once, with its place in the file."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from stream_jobs.errors import ConfigError
from stream_jobs.yaml_files import load_yaml

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
    document = load_yaml(path)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise ConfigError(
            [
                f"{path}: {'.'.join(str(part) for part in item['loc']) or 'the file'}: {item['msg']}"
                for item in error.errors(include_url=False, include_context=False, include_input=False)
            ]
        ) from None


def yaml_files(folder: Path) -> list[Path]:
    """The YAML files of a folder by name."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.is_file())
