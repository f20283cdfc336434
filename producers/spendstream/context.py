"""Who the current work is for, carried by contextvars: it follows asyncio tasks, and threads that copy the context.

A generator shares the context of whoever reads it. So a block that a generator opened counts only while that generator
runs: between its steps the reader has its own attribution, and generators that are read in turns do not see each
other's. A context manager made of a generator (`contextlib`) is the exception, its block is that of whoever enters it.
"""

import asyncio
import contextlib
import functools
import inspect
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextvars import ContextVar
from types import FrameType, TracebackType
from typing import Any, Final, TypeVar, cast

from pydantic import ValidationError

from spendstream.stats import logger
from spendstream_schemas import ATTRIBUTION_FIELDS, Attribution

F = TypeVar("F", bound=Callable[..., Any])

_CONTEXTLIB: Final = contextlib.contextmanager.__code__.co_filename
_KNOWN_FIELDS: Final = frozenset(ATTRIBUTION_FIELDS)
_NOBODY: Final = Attribution()
_GENERATOR: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


class _Block:
    """One open block: its attribution, and the generator's frame if one opened it."""

    __slots__ = ("_frame", "_runner", "merged")

    def __init__(self, merged: Attribution, frame: FrameType) -> None:
        self.merged = merged
        frame = _owner(frame)
        generates = frame.f_code.co_flags & _GENERATOR
        self._frame = frame if generates else None
        self._runner = runner() if generates else None

    def counts(self) -> bool:
        """Whether the generator that opened the block, if one did, is running.

        Tasks and threads that the generator began with a copy of the context are its own, whatever it does meanwhile.
        """
        if self._runner is None:
            return True
        running = self._frame is not None and self._frame.f_back is not None
        return running or self._runner != runner()

    def close(self) -> None:
        self._frame = None  # a frame holds everything its function knows


_CURRENT: ContextVar[tuple[_Block, ...]] = ContextVar("spendstream_attribution", default=())


def _owner(frame: FrameType) -> FrameType:
    """Whose block it is: past exit stacks, and past generators that `contextlib` drives as context managers."""
    while (caller := frame.f_back) is not None:
        driven = frame.f_code.co_flags & _GENERATOR and caller.f_code.co_filename == _CONTEXTLIB
        if not driven and frame.f_code.co_filename != _CONTEXTLIB:
            break
        frame = caller
    return frame


def runner() -> tuple[int, int | None]:
    """The thread and the task (by id; None outside of any) that run this."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return threading.get_ident(), None if task is None else id(task)


def current_attribution() -> Attribution:
    """The attribution of the innermost `attribution` block; empty outside of any."""
    for block in reversed(_CURRENT.get()):
        if block.counts():
            return block.merged
    return _NOBODY


class attribution(contextlib.ContextDecorator):  # noqa: N801 - used like a function
    """Set attribution fields for the block. Blocks nest: inner ones add to and override outer ones; labels merge.

    A value that breaks the contract is left out and logged: attributing a call must not break it. An unknown field
    name is a programming error and raises TypeError.
    """

    def __init__(self, *, labels: dict[str, str] | None = None, **fields: str | None) -> None:
        check_fields(fields)
        self._labels = labels
        self._fields = fields
        self._block: _Block | None = None

    def _recreate_cm(self) -> "attribution":
        """What `ContextDecorator` asks for: calls of a decorated function overlap, and each needs its own block."""
        return attribution(labels=self._labels, **self._fields)

    def __call__(self, func: F) -> F:
        """Each call of a function (plain, async, generator, async generator) has the attribution while it runs."""
        function: Any = func
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                with self._recreate_cm():
                    return await function(*args, **kwargs)

            return cast("F", coroutine)
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
                with self._recreate_cm():
                    return (yield from function(*args, **kwargs))

            return cast("F", generator)
        if inspect.isasyncgenfunction(function):

            @functools.wraps(function)
            async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
                with self._recreate_cm():
                    async with contextlib.aclosing(function(*args, **kwargs)) as chunks:
                        step = chunks.asend(None)
                        while True:
                            try:
                                chunk = await step
                            except StopAsyncIteration:
                                return
                            try:
                                step = chunks.asend((yield chunk))
                            except GeneratorExit:
                                raise
                            except BaseException as error:  # noqa: BLE001 - the generator's own to handle
                                step = chunks.athrow(error)

            return cast("F", async_generator)
        return super().__call__(func)

    def __enter__(self) -> Attribution:
        merged = merge(current_attribution(), self._fields, self._labels)
        self._block = _Block(merged, sys._getframe(1))
        _CURRENT.set((*_CURRENT.get(), self._block))
        return merged

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        ended, self._block = self._block, None
        if ended is not None:
            ended.close()
            # Blocks of interleaved generators end in any order. Copies of the context (tasks) keep what they have.
            _CURRENT.set(tuple(block for block in _CURRENT.get() if block is not ended))


def merge(base: Attribution, fields: dict[str, str | None], labels: dict[str, str] | None = None) -> Attribution:
    """`base` with the fields and labels given (None: as it is). Invalid values are left out and logged."""
    check_fields(fields)
    values: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    if labels:
        values["labels"] = {**(base.labels or {}), **labels}
    if not values:
        return base
    if base is _NOBODY and not labels:  # most calls: no block around them, the same few fields
        try:
            return _alone(tuple(values.items()))
        except (ValidationError, TypeError):
            pass  # said below
    known_values = {name: value for name, value in base.__dict__.items() if value is not None}
    try:
        return Attribution(**{**known_values, **values})
    except ValidationError as error:
        bad = {str(item["loc"][0]) for item in error.errors(include_input=False)}
        logger.warning("spendstream: attribution left out because it breaks the contract: %s", ", ".join(sorted(bad)))
        return Attribution(**{**known_values, **{name: v for name, v in values.items() if name not in bad}})


@functools.lru_cache(maxsize=256)
def _alone(fields: tuple[tuple[str, str], ...]) -> Attribution:
    """Attribution is immutable: calls can share one."""
    return Attribution.model_validate(dict(fields))


def check_fields(fields: Iterable[str]) -> None:
    """Raises TypeError when one of the names is not an attribution field."""
    if not _KNOWN_FIELDS.issuperset(fields):
        unknown = sorted(set(fields) - _KNOWN_FIELDS)
        known = ", ".join((*ATTRIBUTION_FIELDS, "labels"))
        raise TypeError(f"unknown attribution field(s) {', '.join(unknown)}; the fields are {known}")
