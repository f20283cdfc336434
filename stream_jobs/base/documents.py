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
from stream_jobs.base.yaml_files import Document, Unreadable, place_and_problem

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
    """The document as this model; what cannot be read is told beside what does not fit. `hidden` are parts of the
    validator's places that are not in the file, `data` takes the place of the document's own."""
    data = document.content if data is None else data
    data = {} if data is None else data
    with blaming(document):
        try:
            value = model.model_validate(data)
            document.data  # noqa: B018 - raises for what the model takes though it cannot be read
            return value
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
        except Exception:
            document.data  # noqa: B018 - no validator has to know what stands for it
            raise
        places = [tuple(part for part in item["loc"] if part not in hidden) for item in found]
        told = [(item, place) for item, place in zip(found, places, strict=True) if not _is_unreadable(data, place)]
        problems = list(document.problems)
        for item, place in told[:MAX_PROBLEMS]:
            where = document.at(place)
            # Ours may name several at once; each is a problem of its own.
            lines = place_and_problem(data, place, item["msg"], label).splitlines()
            problems += [f"{where}: {printable(line[:MAX_PROBLEM_CHARS])}" for line in lines]
        if len(told) > MAX_PROBLEMS:
            problems.append(f"{document.name}:1: {len(told) - MAX_PROBLEMS} more problems of the same file")
        raise ConfigError(problems)


def _is_unreadable(data: Any, place: Place) -> bool:
    """Whether what stands at the place is said to be no value already."""
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            break
    return isinstance(data, Unreadable)


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
