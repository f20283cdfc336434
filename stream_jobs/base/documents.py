"""A YAML file that people edit, as a checked model: the one place in which a file can turn out to be wrong.

    document = read_yaml(path) ▸ checked(document, Model) ▸ what is made of the model, within `blaming(document)`

Each of the three raises ConfigError and nothing else, each problem with file and line.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import printable
from stream_jobs.base.yaml_files import Document, place_and_problem

MAX_PROBLEMS: Final = 100
MAX_PROBLEM_CHARS: Final = 1000
Place = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


class PlacedProblem(str):
    """What is wrong, where it is found after the model was checked: knows its place in the document."""

    __slots__ = ("place",)
    place: Place

    def __new__(cls, text: str, place: Place) -> "PlacedProblem":
        problem = super().__new__(cls, text)
        problem.place = place
        return problem


def checked(
    document: Document, model: type[M], *, label: str = "name", hidden: tuple[str, ...] = (), data: Any = None
) -> M:
    """The document as this model. `hidden` are parts of the validator's places that are not in the file, `data` takes
    the place of the document's own."""
    data = document.data if data is None else data
    data = {} if data is None else data
    with blaming(document):
        try:
            return model.model_validate(data)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
        problems: list[str] = []
        for item in found[:MAX_PROBLEMS]:
            place = tuple(part for part in item["loc"] if part not in hidden)
            where = document.at(place)
            # Ours may name several at once; each is a problem of its own.
            lines = place_and_problem(data, place, item["msg"], label).splitlines()
            problems += [f"{where}: {printable(line[:MAX_PROBLEM_CHARS])}" for line in lines]
        if len(found) > MAX_PROBLEMS:
            problems.append(f"{document.name}:1: {len(found) - MAX_PROBLEMS} more problems of the same file")
        raise ConfigError(problems)


@contextmanager
def blaming(document: Document) -> Iterator[None]:
    """Whatever is raised within is a problem of this document.

    Values are checked where they are read; what slips through shows when they are used, as whatever Python calls it.
    Then the file cannot be used all the same, and nothing else may stop for it.
    """
    try:
        yield
    except ConfigError as error:
        if all(not isinstance(problem, PlacedProblem) for problem in error.problems):
            raise
        raise ConfigError([located(document, problem) for problem in error.problems]) from None
    except (MemoryError, OSError):
        raise  # nothing that the file says
    except Exception as error:
        text = printable(f"{type(error).__name__}: {error}"[:MAX_PROBLEM_CHARS])
        raise ConfigError(f"{document.at()}: cannot be used: {text}") from error


def located(document: Document, problem: str) -> str:
    """With file and line, if it does not say them yet."""
    return f"{document.at(problem.place)}: {printable(problem)}" if isinstance(problem, PlacedProblem) else problem
