"""A function of any kind, run inside of a context manager: also what runs later than the call does.

A generator is inside while it runs and outside between its steps, whoever reads it: another thread, another task, a
reader that begins tasks of its own.
"""

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from typing import Any, TypeAlias, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])
Inside: TypeAlias = Callable[[], AbstractContextManager[Any]]
"""Makes the context manager of one call."""


def decorated(function: F, block: Inside, turns: Inside) -> F:
    """`function` with each of its calls inside of a `block`; it stays of its kind, and so does what it returns.

    A generator enters and leaves its `turns` at each step. What a plain function returns (a coroutine, a generator)
    is inside as well.
    """
    made: Callable[..., Any]
    if inspect.iscoroutinefunction(function):
        made = _coroutine(function, block)
    elif inspect.isgeneratorfunction(function):
        made = _generator(function, turns)
    elif inspect.isasyncgenfunction(function):
        made = _async_generator(function, turns)
    else:
        made = _plain(function, block, turns)
    return cast("F", functools.wraps(function)(made))


def _plain(function: Callable[..., Any], block: Inside, turns: Inside) -> Callable[..., Any]:
    def plain(*args: Any, **kwargs: Any) -> Any:
        with block():
            result = function(*args, **kwargs)
        if inspect.iscoroutine(result):
            return _coroutine(lambda: result, block)()
        if inspect.isgenerator(result):
            return _generator(lambda: result, turns)()
        return _async_generator(lambda: result, turns)() if inspect.isasyncgen(result) else result

    return plain


def _coroutine(function: Callable[..., Awaitable[Any]], block: Inside) -> Callable[..., Any]:
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        with block():
            return await function(*args, **kwargs)

    return coroutine


def _generator(function: Callable[..., Generator[Any, Any, Any]], turns: Inside) -> Callable[..., Any]:
    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        inside, steps = turns(), function(*args, **kwargs)
        step: Callable[[Any], Any] = steps.send
        given: Any = None
        while True:
            with inside:
                try:
                    found = step(given)
                except StopIteration as end:
                    return end.value
            try:
                step, given = steps.send, (yield found)
            except GeneratorExit:
                with inside:
                    steps.close()
                raise
            except BaseException as error:  # noqa: BLE001 - the generator's own to handle
                step, given = steps.throw, error

    return generator


def _async_generator(function: Callable[..., AsyncGenerator[Any, Any]], turns: Inside) -> Callable[..., Any]:
    async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inside, steps = turns(), function(*args, **kwargs)
        step: Callable[[Any], Awaitable[Any]] = steps.asend
        given: Any = None
        while True:
            with inside:
                try:
                    found = await step(given)
                except StopAsyncIteration:
                    return
            try:
                step, given = steps.asend, (yield found)
            except GeneratorExit:
                with inside:
                    await steps.aclose()
                raise
            except BaseException as error:  # noqa: BLE001 - the generator's own to handle
                step, given = steps.athrow, error

    return async_generator
